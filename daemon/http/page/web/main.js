/* Chooses the view, and feeds it from the one stream of events. */
import { askToken, follow, token } from "./api.js";
import { h, icon, throttle, tick } from "./dom.js";
import { heard } from "./rates.js";
import { job } from "./job.js";
import { jobs } from "./jobs.js";
import { overview } from "./overview.js";
import { storage } from "./storage.js";
import { submit } from "./submit.js";

const $ = (id) => document.getElementById(id);

/*
 * Each row: the addresses of a view, its entry in the navigation, and the function that makes it.
 *
 * A view has its element `el`, its `title` and refresh(), which loads everything again. It may have event(name, data)
 * to see the events of the stream, tick() to be called once a second, and close().
 */
const VIEWS = [
	[/^\/?$/, "overview", overview],
	[/^\/jobs$/, "jobs", jobs],
	[/^\/job\/([1-9][0-9]{0,18})$/, "jobs", job],
	[/^\/storage$/, "storage", storage],
	[/^\/new$/, "new", submit],
];

let view = null;
let away = null; /* when the daemon stopped answering */

function route() {
	const [path, query = ""] = location.hash.slice(1).split("?");

	for (const [pattern, page, make] of VIEWS) {
		const found = pattern.exec(path);

		if (found)
			return { page, made: make(new URLSearchParams(query), ...found.slice(1)) };
	}
	return { page: "", made: { title: "Page not found", el: h("div", {}, h("h1", { tabindex: -1 }, "Page not found"), h("p", {}, h("a", { href: "#/" }, "Go to the overview"))), refresh() {} } };
}

function go(event) {
	view?.close?.();
	const { page, made } = route();

	view = made;
	document.title = `${view.title} · colconv`;
	$("main").replaceChildren(view.el);
	for (const a of document.querySelectorAll("nav a"))
		if (a.dataset.page === page)
			a.setAttribute("aria-current", "page");
		else
			a.removeAttribute("aria-current");
	if (event) {
		scrollTo(0, 0);
		view.el.querySelector("h1")?.focus({ preventScroll: true });
	}
	load();
}

let loading = null; /* the view whose refresh() runs; only one runs, so that an old answer cannot replace a newer one */

async function load() {
	const mine = view;

	if (loading === mine) {
		refresh();
		return;
	}
	loading = mine;
	try {
		await mine.refresh();
	} catch (e) {
		if (mine === view && e.status === 401)
			link("away", "access token needed");
		else if (mine === view && e.status)
			link("away", e.message);
	} finally {
		if (loading === mine)
			loading = null;
	}
}

const refresh = throttle(800, load);

function link(state, text) {
	$("link").className = `link ${state}`;
	$("link").replaceChildren(icon(state), text);
}

function awayShow() {
	const seconds = Math.round((Date.now() - away) / 1000);

	$("away").hidden = false;
	$("away").textContent = "The daemon does not answer. This page shows the last known state, and continues when the daemon is back.";
	link("away", `no answer for ${seconds} s`);
}

let stop = null;

function listen() {
	stop?.();
	link("away", "connecting");
	stop = follow("/v1/events", null, {
		event(name, data) {
			heard(name, data);
			view.event?.(name, data);
			if (name === "ready" || name === "state" || name === "removed")
				refresh();
		},
		open() {
			away = null;
			$("away").hidden = true;
			link("live", "live");
			refresh();
		},
		lost(e) {
			if (e?.status) { /* it answered with a refusal */
				link("away", e.status === 401 ? "access token needed" : "no live events");
				return;
			}
			away ??= Date.now();
			awayShow();
		},
	});
}

const THEMES = ["auto", "light", "dark"];
const theme = () => document.documentElement.dataset.theme ?? "auto";

function themeShow() {
	$("theme").replaceChildren(icon({ auto: "auto", light: "sun", dark: "moon" }[theme()]), theme());
	$("theme").setAttribute("aria-label", `Theme: ${theme()}`);
}

$("theme").addEventListener("click", () => {
	const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];

	if (next === "auto")
		delete document.documentElement.dataset.theme;
	else
		document.documentElement.dataset.theme = next;
	try {
		localStorage.setItem("colconv.theme", next);
	} catch {
		/* no storage: the choice lasts until the page is closed */
	}
	themeShow();
});

$("token").addEventListener("click", async () => {
	const before = token();

	await askToken(before ? "This tab uses an access token." : "This tab uses no access token.");
	if (token() !== before)
		listen();
});

/* The link's address is not one of our views. */
$("skip").addEventListener("click", (event) => {
	event.preventDefault();
	$("main").focus();
});

addEventListener("hashchange", go);
setInterval(() => {
	tick();
	view.tick?.();
	if (away)
		awayShow();
}, 1000);
themeShow();
$("token").hidden = !token(); /* until the daemon asks for one */
go(null);
listen();
