/* The list of jobs. Filters and the page are in the address, so that links and the back button work. */
import { get } from "./api.js";
import { badge, duration, h, keyed, name, throttle, time } from "./dom.js";
import { why } from "./overview.js";

const STATES = ["queued", "running", "done", "failed", "cancelled"];
const PAGE = 100;

const address = (query) => `#/jobs${query.size ? `?${query}` : ""}`;

/* The same filters, with another cursor; null: the first page. */
function turned(query, cursor) {
	const q = new URLSearchParams(query);

	if (cursor === null)
		q.delete("cursor");
	else
		q.set("cursor", cursor);
	return address(q);
}

function said(job) {
	if (job.state === "queued")
		return why(job, null);
	if (job.state === "running")
		return [job.stage ?? "starting", job.progress?.total ? ` ${Math.floor((100 * job.progress.done) / job.progress.total)} %` : ""];
	return job.state === "failed" ? job.reason : "";
}

const labels = (job) =>
	Object.entries(job.spec.labels ?? {}).map(([k, v]) => h("a", { class: "label", href: `#/jobs?${new URLSearchParams({ label: `${k}=${v}` })}` }, name(`${k}=${v}`)));

/* A job that never started shows no time. */
const took = (job) => (job.state === "running" && job.started ? time(job.started, "since") : job.usage ? duration(job.usage.seconds) : "–");

const row = (job) =>
	h("tr", {},
		h("th", { scope: "row", "data-label": "Job" }, h("a", { href: `#/job/${job.id}` }, String(job.id))),
		h("td", { "data-label": "State" }, badge(job.state), h("span", { class: "dim said" }, said(job))),
		h("td", { "data-label": "Model", class: "model" }, name(job.spec.model), labels(job)),
		h("td", { "data-label": "Graphs" }, (job.spec.variants ?? []).join(", "), h("span", { class: "dim" }, ` ${job.spec.dtype ?? ""}`)),
		h("td", { "data-label": "Took", class: "number" }, took(job)),
		h("td", { "data-label": "Submitted", class: "number" }, time(job.created)));

function filters(query) {
	const chosen = new Set((query.get("state") ?? "").split(",").filter(Boolean));
	const boxes = STATES.map((s) => h("label", { class: "check" }, h("input", { type: "checkbox", name: "state", value: s, checked: chosen.has(s) }), badge(s)));
	const inputs = [["model", "Model", "OWNER/NAME"], ["label", "Label", "NAME=VALUE"], ["reason", "Reason", "parity"], ["owner", "Owner", ""]].map(([id, title, hint]) =>
		h("label", {}, title, h("input", { name: id, type: "search", value: query.get(id), spellcheck: "false", autocomplete: "off", placeholder: hint })));
	const form = h("form", { class: "card filters", role: "search", "aria-label": "Filter the jobs" },
		h("fieldset", {}, h("legend", {}, "State"), boxes),
		inputs,
		h("p", { class: "actions" }, h("button", { class: "primary" }, "Filter"), h("a", { href: "#/jobs" }, "All jobs")));
	const go = () => {
		const q = new URLSearchParams();
		const states = STATES.filter((s, i) => boxes[i].firstChild.checked);

		if (states.length)
			q.set("state", states.join(","));
		for (const { control } of inputs)
			if (control.value.trim())
				q.set(control.name, control.value.trim());
		location.hash = address(q);
	};

	form.addEventListener("submit", (event) => {
		event.preventDefault();
		go();
	});
	return form;
}

export function jobs(query) {
	const body = h("tbody");
	const table = h("table", { class: "list" }, h("caption", { class: "hidden" }, "Jobs, newest first"),
		h("thead", {}, h("tr", {}, ["Job", "State", "Model", "Graphs", "Took", "Submitted"].map((t) => h("th", { scope: "col" }, t)))), body);
	const empty = h("p", { class: "empty", role: "status" });
	const pages = h("nav", { class: "pages", "aria-label": "Pages of the list" });
	const trouble = h("p", { class: "warning", role: "alert", hidden: true });
	const el = h("div", {}, h("h1", { tabindex: -1 }, "Jobs"), filters(query), trouble, table, empty, pages);
	const ask = new URLSearchParams(query);
	const seen = new Set();

	ask.set("limit", PAGE);
	async function refresh() {
		const page = await get(`/v1/jobs?${ask}`).catch((e) => {
			if (e.status !== 400)
				throw e;
			trouble.textContent = e.message;
			return { jobs: [], next: null };
		});

		trouble.hidden = !trouble.textContent;
		seen.clear();
		for (const job of page.jobs)
			seen.add(job.id);
		keyed(body, page.jobs, (j) => j.id, row);
		table.hidden = !page.jobs.length;
		empty.textContent = page.jobs.length || trouble.textContent ? "" : page.next ? "No matching jobs on this page; the next one may have some." : "No jobs.";
		const links = [query.has("cursor") && ["newest", "Newest", turned(query, null)], page.next !== null && ["older", "Older", turned(query, page.next)]];

		keyed(pages, links.filter(Boolean), ([k]) => k, ([, text, href]) => h("a", { class: "button", href }, text));
	}
	const again = throttle(2000, () => refresh().catch(() => {}));

	return {
		el,
		title: "Jobs",
		refresh,
		close: again.cancel,
		event(what, data) {
			if ((what === "progress" || what === "stage") && seen.has(data.job))
				again();
		},
	};
}
