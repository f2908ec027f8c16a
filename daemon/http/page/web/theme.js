/* Sets the chosen theme before anything is painted. */
"use strict";

try {
	const theme = localStorage.getItem("colconv.theme");

	if (theme === "light" || theme === "dark")
		document.documentElement.dataset.theme = theme;
} catch {
	/* no storage: the system's theme */
}
