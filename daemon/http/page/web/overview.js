/* Running and queued jobs, runners, the disk, and recently finished jobs. */
import { get } from "./api.js";
import { badge, bytes, count, duration, h, icon, keyed, name, plural, small, svg, throttle, time } from "./dom.js";
import { stages } from "./rates.js";

const QUEUE_SHOWN = 100;
const STRIP = 60; /* ended jobs in the strip */
const RECENT = 8;
const LOW = 0.1; /* part of the disk that is free when the page warns */

function tile(state, n) {
	return h("a", { class: `tile ${state}`, href: `#/jobs?state=${state}` }, icon(state), h("strong", {}, count(n)), h("span", {}, state));
}

function card(job) {
	const s = stages();
	const el = h("article", { class: "card run" },
		h("h3", {}, h("a", { href: `#/job/${job.id}` }, `Job ${job.id}`), " ", name(job.spec.model)),
		h("p", { class: "dim" }, "on ", name(job.runner ?? "a runner"), job.attempt > 1 ? `, attempt ${job.attempt} of ${job.attempts_max}` : "", job.started ? [", for ", time(job.started, "since")] : "", job.cancel_requested ? ", stopping" : ""),
		s.el);

	s.show(job);
	el.update = () => s.show(job);
	return el;
}

export function why(job, turn) {
	const w = job.waiting;

	if (!w)
		return "queued";
	if (w.for === "pause")
		return ["retrying in ", w.until ? time(w.until, "until") : "a moment", job.reason ? ` after ${job.reason}` : ""];
	if (w.for === "stop")
		return "starts when the daemon is started again";
	const ahead = w.ahead ?? turn;

	return ahead === null || ahead === undefined ? "waiting for a free slot" : ahead === 0 ? "next in line" : `${plural(ahead, "job")} ahead`;
}

/* Sorts the queue by turn when the page has all of it; the daemon lists the newest job first. */
function turns(page) {
	if (page.next !== null)
		return page.jobs.map((job) => ({ job, turn: null }));
	const slot = (j) => j.waiting?.for === "slot";
	const due = page.jobs.filter(slot).sort((a, b) => (b.spec.priority ?? 0) - (a.spec.priority ?? 0) || a.id - b.id);

	return [...due.map((job, turn) => ({ job, turn })), ...page.jobs.filter((j) => !slot(j)).map((job) => ({ job, turn: null }))];
}

const waiting = ({ job, turn }) =>
	h("li", {}, h("a", { href: `#/job/${job.id}` }, `Job ${job.id}`), name(job.spec.model), h("span", { class: "dim" }, why(job, turn), job.spec.priority ? ` · priority ${job.spec.priority}` : ""));

function runner(r) {
	const slots = Math.min(r.slots, 64);

	return h("li", {}, h("strong", {}, name(r.name)), h("span", { class: "slots", "aria-hidden": "true" }, Array.from({ length: slots }, (_, i) => h("i", { class: i < r.busy ? "busy" : "" }))),
		h("span", { class: "dim" }, `${r.busy} of ${plural(r.slots, "slot")} busy`, r.jobs.length ? ": " : "", r.jobs.map((id, i) => [i ? ", " : "", h("a", { href: `#/job/${id}` }, String(id))])),
		r.command.length ? h("code", { class: "dim" }, name(r.command.join(" "))) : "");
}

export function disk(d) {
	const part = d.total_bytes ? 1 - d.free_bytes / d.total_bytes : 0;
	const ours = d.total_bytes ? Math.min(part, d.artifact_bytes / d.total_bytes) : 0;
	const x = (p) => (p * 100).toFixed(2);
	const low = d.total_bytes > 0 && 1 - part < LOW;

	return [
		svg("svg", { class: low ? "disk low" : "disk", viewBox: "0 0 100 4", preserveAspectRatio: "none", role: "img", "aria-label": `${Math.round(part * 100)} % of the disk is used` },
			svg("rect", { class: "all", width: 100, height: 4 }), svg("rect", { class: "used", width: x(part), height: 4 }), svg("rect", { class: "ours", width: x(ours), height: 4 })),
		h("p", {}, h("strong", {}, bytes(d.free_bytes)), ` free of ${bytes(d.total_bytes)}`),
		low ? h("p", { class: "warning" }, icon("away"), `Only ${Math.round(100 * (1 - part))} % is free. 'colconvctl purge' removes old artifacts.`) : "",
		h("p", { class: "dim" }, h("a", { href: "#/storage" }, d.artifacts ? `${plural(d.artifacts, "artifact")}: ${bytes(d.artifact_bytes)}` : "No artifacts"), ` · database: ${bytes(d.queue_bytes)}`),
	];
}

const ended = (job) =>
	h("li", {}, badge(job.state), h("a", { href: `#/job/${job.id}` }, `Job ${job.id}`), name(job.spec.model),
		h("span", { class: "dim" }, job.state === "failed" ? `${job.reason} · ` : job.result?.min_cosine != null ? `max abs ${small(job.result.max_abs)} · ` : "", job.usage ? `took ${duration(job.usage.seconds)} · ` : "", job.ended ? time(job.ended) : ""));

/* One bar for each of the last jobs, the newest at the right. Failures are the tallest, so that colour is not needed. */
function strip(jobs) {
	const tall = { done: 12, cancelled: 6, failed: 20 };
	const said = Object.keys(tall).map((s) => [jobs.filter((j) => j.state === s).length, s]).filter(([n]) => n).map(([n, s]) => `${n} ${s}`).join(", ");
	const bars = [...jobs].reverse().map((j, i) => {
		const r = svg("rect", { class: j.state, x: (STRIP - jobs.length + i) * 6, y: 20 - tall[j.state], width: 5, height: tall[j.state] }, svg("title", {}, `Job ${j.id}: ${j.state}${j.reason ? `, ${j.reason}` : ""}`));

		r.addEventListener("click", () => (location.hash = `#/job/${j.id}`));
		return r;
	});

	return jobs.length ? [svg("svg", { class: "strip", viewBox: `0 0 ${STRIP * 6} 20`, preserveAspectRatio: "none", role: "img", "aria-label": `The last ${plural(jobs.length, "job")}: ${said}` }, bars), h("p", { class: "dim" }, `The last ${plural(jobs.length, "job")}: ${said}`)] : [];
}

export function overview() {
	const tiles = h("div", { class: "tiles" });
	const running = h("div", { class: "cards" });
	const none = h("p", { class: "empty", hidden: true });
	const queue = h("ol", { class: "rows" });
	const more = h("p", { class: "dim" });
	const runners = h("ul", { class: "rows" });
	const room = h("div");
	const recent = h("ul", { class: "rows" });
	const noneEnded = h("p", { class: "dim", hidden: true }, "None yet.");
	const last = h("div");
	const warning = h("div");
	const version = h("p", { class: "dim" });
	const redraw = throttle(200, () => {
		for (const el of running.children)
			el.update();
	});

	const el = h("div", { class: "overview" }, h("h1", { tabindex: -1 }, "Overview"), warning, tiles,
		h("section", { "aria-labelledby": "o-running" }, h("h2", { id: "o-running" }, "Running"), none, running),
		h("div", { class: "halves" },
			h("section", { class: "card", "aria-labelledby": "o-queue" }, h("h2", { id: "o-queue" }, "Queue"), queue, more),
			h("div", {},
				h("section", { class: "card", "aria-labelledby": "o-runners" }, h("h2", { id: "o-runners" }, "Runners"), runners),
				h("section", { class: "card", "aria-labelledby": "o-disk" }, h("h2", { id: "o-disk" }, "Disk"), room))),
		h("section", { class: "card", "aria-labelledby": "o-recent" }, h("h2", { id: "o-recent" }, "Recently finished"), last, recent, noneEnded), version);

	return {
		el,
		title: "Overview",
		close: redraw.cancel,
		event(what) {
			if (what === "progress" || what === "stage")
				redraw();
		},
		async refresh() {
			const [status, run, wait, done, where] = await Promise.all([
				get("/v1/status"), get("/v1/jobs?state=running&limit=50"), get(`/v1/jobs?state=queued&limit=${QUEUE_SHOWN}`),
				get(`/v1/jobs?state=done,failed,cancelled&limit=${STRIP}`), get("/v1/runners"),
			]);
			const shown = turns(wait).slice(0, 12);
			const rest = status.jobs.queued - shown.length;

			warning.replaceChildren(status.stopping ? h("p", { class: "warning" }, icon("away"), "The daemon is stopping. Queued jobs start when it is started again.") : "");
			keyed(tiles, ["running", "queued", "done", "failed", "cancelled"].map((s) => [s, status.jobs[s]]), ([s]) => s, ([s, n]) => tile(s, n));
			keyed(running, run.jobs.map(({ progress, stage, ...job }) => job), (j) => j.id, (j) => card(run.jobs.find((full) => full.id === j.id)));
			none.hidden = run.jobs.length > 0;
			none.replaceChildren("No running jobs. ", h("a", { href: "#/new" }, "Submit a job"));
			keyed(queue, shown, ({ job }) => job.id, waiting);
			more.replaceChildren(rest > 0 ? h("a", { href: "#/jobs?state=queued" }, `${plural(rest, "more job")}`) : shown.length ? "" : "No queued jobs.");
			keyed(runners, where.runners, (r) => r.name, runner);
			room.replaceChildren(...disk(status.disk));
			last.replaceChildren(...strip(done.jobs));
			keyed(recent, done.jobs.slice(0, RECENT), (j) => j.id, ended);
			version.replaceChildren(`colconv ${status.version}, up for `, time(status.started, "since"));
			noneEnded.hidden = done.jobs.length > 0;
		},
	};
}
