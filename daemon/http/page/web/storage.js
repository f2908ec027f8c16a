/* The artifacts that the daemon stores, newest first, with their sizes. Files are removed on the page of the job. */
import { get } from "./api.js";
import { bytes, h, keyed, name, plural, time } from "./dom.js";
import { disk } from "./overview.js";

const PAGE = 100;

const row = (a) =>
	h("tr", {}, h("th", { scope: "row" }, h("a", { href: `#/job/${a.job}` }, `Job ${a.job}`)), h("td", { class: "model" }, name(a.model)),
		h("td", { class: "number" }, plural(a.files, "file")), h("td", { class: "number" }, bytes(a.bytes)), h("td", { class: "number" }, time(a.published)));

export function storage(query) {
	const room = h("section", { class: "card", "aria-label": "Disk" });
	const body = h("tbody");
	const table = h("table", { class: "list stored", hidden: true }, h("caption", { class: "hidden" }, "Artifacts, newest first"),
		h("thead", {}, h("tr", {}, ["Job", "Model", "Files", "Size", "Published"].map((t) => h("th", { scope: "col" }, t)))), body);
	const empty = h("p", { class: "empty", role: "status" });
	const pages = h("nav", { class: "pages", "aria-label": "Pages of the list" });
	const ask = new URLSearchParams({ limit: PAGE, ...(query.get("cursor") ? { cursor: query.get("cursor") } : {}) });

	return {
		el: h("div", {}, h("h1", { tabindex: -1 }, "Storage"), room, table, empty, pages),
		title: "Storage",
		async refresh() {
			const [status, page] = await Promise.all([get("/v1/status"), get(`/v1/artifacts?${ask}`)]);

			room.replaceChildren(...disk(status.disk), h("p", { class: "dim" }, "To remove the oldest: ", h("code", {}, "colconvctl purge --keep-artifacts 10"), "."));
			keyed(body, page.artifacts, (a) => a.job, row);
			table.hidden = !page.artifacts.length;
			empty.textContent = page.artifacts.length ? "" : "No artifacts are stored.";
			pages.replaceChildren(page.next === null ? "" : h("a", { class: "button", href: `#/storage?cursor=${encodeURIComponent(page.next)}` }, "Older"));
		},
	};
}
