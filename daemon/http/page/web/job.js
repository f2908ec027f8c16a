/* One job: its facts, timeline, log, files and parity report. */
import { follow, get, post, remedy, request, token } from "./api.js";
import { fetchCommand, fetchRequests, filesPath } from "./command.js";
import { at, badge, bytes, clock, cosine, count, duration, h, keyed, name, note, now, plural, show, small, throttle, time, visible } from "./dom.js";
import { why } from "./overview.js";
import { report } from "./parity.js";
import { stages } from "./rates.js";

const LINES = 2000; /* of the log that the page shows */
const BLOB_MAX = 256e6; /* largest file to download with a token: the page holds it in memory meanwhile */
const ended = (job) => ["done", "failed", "cancelled"].includes(job.state);

const pair = (term, ...what) => (what[0] === null ? null : h("div", {}, h("dt", {}, term), h("dd", {}, what)));

function facts(job) {
	const s = job.spec;
	const options = Object.keys(s).filter((k) => typeof s[k] === "string" && !["model", "revision", "base"].includes(k)).map((k) => `${k.replace("_", " ")} ${s[k]}`);

	return h("dl", { class: "facts" },
		pair("Graphs", (s.variants ?? []).join(", ")), pair("Options", options.join(", ")),
		pair("Revision", s.revision ? name(s.revision) : null), pair("Base", s.base ? name(s.base) : null),
		pair("Submitted", time(job.created), job.owner ? [" by ", name(job.owner)] : ""),
		pair("Attempt", job.attempt ? `${job.attempt} of ${job.attempts_max}` : "not started", job.runner ? [" on ", name(job.runner)] : ""),
		pair("Took", job.usage ? `${duration(job.usage.seconds)}, ${duration(job.usage.cpu_seconds)} of CPU time, peak resident memory ${bytes(job.usage.peak_rss_bytes)} with mapped files` : null),
		pair("Labels", Object.keys(s.labels ?? {}).length ? Object.entries(s.labels).map(([k, v]) => h("a", { class: "label", href: `#/jobs?${new URLSearchParams({ label: `${k}=${v}` })}` }, name(`${k}=${v}`))) : null),
		pair("Model", job.result ? `${job.result.architecture}, ${plural(job.result.parameters, "parameter")}; ${job.result.graphs.map((g) => `${g.variant}: ${count(g.nodes)} nodes`).join(", ")}` : null));
}

/* The attempts of the job, from its events: each with its time in the queue and its stages. */
function attempts(events, job) {
	const out = [];
	let one = null;
	let open = null;
	const close = (t) => {
		if (open)
			open.end = t;
		open = null;
	};
	const begin = (label, t) => {
		close(t);
		open = { label, start: t, end: null };
		one.stages.push(open);
	};

	for (const { event, data, at: iso } of events) {
		if (event === "stage" && one) {
			begin(data.stage, at(iso));
		} else if (event === "state") {
			close(at(iso));
			if (data.state === "queued") {
				one = { queued: at(iso), start: null, end: null, number: null, stages: [], how: "" };
				out.push(one);
			} else if (data.state === "running") {
				one ??= out[out.push({ queued: null, stages: [] }) - 1];
				Object.assign(one, { start: at(iso), number: data.attempt });
				begin("start", at(iso));
				continue;
			}
			const ran = data.state === "queued" ? out.at(-2) : one;

			if (ran) {
				ran.end ??= at(iso);
				ran.how ||= data.state === "queued" ? data.reason ?? "" : data.reason ? `${data.state}: ${data.reason}` : data.state;
			}
		}
	}
	if (open && ended(job))
		close(at(job.ended));
	return out;
}

function timeline(events, job) {
	return attempts(events, job).map((one) => {
		const waited = one.queued === null ? 0 : ((one.start ?? one.end ?? now()) - one.queued) / 1000;
		const end = one.end ?? now();
		const last = ended(job) && one.number === job.attempt ? new Map(job.stages.map((s) => [s.name, s])) : new Map();

		if (one.start === null)
			return h("p", { class: "dim" }, one.end === null ? `In the queue for ${duration(waited)}.` : `In the queue for ${duration(waited)}, then ${one.how}.`);
		return h("table", { class: "line" },
			h("caption", {}, `Attempt ${one.number}`, h("span", { class: "dim" }, ` started ${clock(new Date(one.start).toISOString())} after ${duration(waited)} in the queue, ${one.end === null ? `running for ${duration((end - one.start) / 1000)}` : `took ${duration((end - one.start) / 1000)}${one.how ? `, ${one.how}` : ""}`}`)),
			h("thead", { class: "hidden" }, h("tr", {}, ["Stage", "When", "Took", "Memory"].map((t) => h("th", { scope: "col" }, t)))),
			h("tbody", {}, one.stages.map((s) => {
				const bar = h("div", { class: s.end === null ? "seg now" : "seg" });
				const width = Math.max(1, end - one.start);

				bar.style.marginLeft = `${(100 * (s.start - one.start)) / width}%`;
				bar.style.width = `${(100 * ((s.end ?? end) - s.start)) / width}%`;
				return h("tr", {}, h("th", { scope: "row" }, name(s.label)), h("td", { class: "lane" }, bar), h("td", { class: "number" }, duration(((s.end ?? end) - s.start) / 1000)),
					h("td", { class: "number dim" }, last.has(s.label) ? bytes(last.get(s.label).peak_anon_bytes) : ""));
			})));
	});
}

/* A line may begin with its level as the journal has it: "<3>" is an error, "<4>" a warning. */
function logLine({ at: iso, data }) {
	const [, level, words] = /^(?:<([0-7])>)?(.*)$/s.exec(data.line);
	const grave = level <= 3 ? "error" : level === "4" ? "warning" : "";

	return h("div", { class: grave }, h("span", { class: "dim" }, iso ? clock(iso) : ""), " ", grave ? `${grave}: ` : "", visible(words));
}

function logBox() {
	const box = h("div", { class: "log", role: "log", "aria-live": "off", "aria-label": "Log of the job", tabindex: 0 });
	let waiting = [];
	const draw = throttle(100, () => {
		const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 40;

		box.append(...waiting.slice(-LINES).map(logLine));
		waiting = [];
		while (box.childElementCount > LINES)
			box.firstChild.remove();
		if (follows)
			box.scrollTop = box.scrollHeight;
	});

	return {
		box,
		add(event) {
			waiting.push(event);
			draw();
		},
	};
}

async function save(id, file) {
	const blob = await (await request(filesPath(id, file))).blob();
	const a = h("a", { href: URL.createObjectURL(blob), download: file });

	a.click();
	setTimeout(() => URL.revokeObjectURL(a.href), 60000);
}

/* A link when no token is needed. Otherwise the page fetches the file, or leaves a large one to colconvctl. */
function download(id, f) {
	const href = filesPath(id, f.name);

	if (!token())
		return h("a", { href, download: f.name }, name(f.name));
	if (f.size > BLOB_MAX)
		return name(f.name);
	return h("a", { href, onclick: (event) => {
		event.preventDefault();
		save(id, f.name).catch((e) => note(e.message, true));
	} }, name(f.name));
}

/* `remove` is what the button does that removes the files. */
function files(id, list, remove) {
	const large = token() && list.some((f) => f.size > BLOB_MAX);
	const links = list.map((f) => download(id, f));
	const all = () => links.forEach((a) => a.click());

	return [
		h("table", { class: "files" }, h("caption", { class: "hidden" }, "Files of the artifact"),
			h("thead", {}, h("tr", {}, ["File", "Size", "SHA-256"].map((t) => h("th", { scope: "col" }, t)))),
			h("tbody", {}, list.map((f, i) => h("tr", {}, h("th", { scope: "row" }, links[i]), h("td", { class: "number" }, bytes(f.size)), h("td", {}, h("code", { class: "hash" }, f.sha256)))))),
		h("p", { class: "dim" }, large ? "A browser cannot send your access token with a large download. " : "", "To download in a terminal, with resume and a check of the hashes:"),
		h("pre", { class: "command", tabindex: 0 }, fetchCommand(id)),
		h("details", {}, h("summary", {}, "The same with curl"), h("pre", { class: "command", tabindex: 0 }, fetchRequests(id, list))),
		h("p", { class: "actions" }, large ? "" : h("button", { type: "button", onclick: all }, `Download all (${bytes(list.reduce((n, f) => n + f.size, 0))})`),
			h("button", { type: "button", onclick: remove }, "Remove the files")),
	];
}

function headline(job, help) {
	if (job.state === "failed")
		return h("div", { class: "verdict bad" }, h("strong", {}, `Failed: ${job.reason}`), h("p", {}, visible(job.message ?? "")), help ? h("p", { class: "remedy" }, h("strong", {}, "What to do: "), help) : "");
	if (job.state === "queued" && job.reason)
		return h("div", { class: "verdict" }, h("strong", {}, `Last attempt failed: ${job.reason}`), h("p", {}, visible(job.message ?? "")));
	if (job.state === "queued")
		return h("div", { class: "verdict" }, h("strong", {}, why(job, null)));
	if (job.state === "done" && job.result)
		return h("div", { class: "verdict good" }, h("strong", {}, job.result.parity_checked ? "Pass: same embeddings as the original" : "Converted without a parity check"),
			job.result.parity_checked ? h("p", {}, `largest difference ${small(job.result.max_abs)}, smallest cosine ${cosine(job.result.min_cosine)}`) : "");
	return null;
}

async function sure(title, text, action) {
	document.getElementById("sure-title").textContent = title;
	document.getElementById("sure-why").textContent = text;
	document.getElementById("sure-ok").textContent = action;
	return (await show(document.getElementById("sure"))) === "ok";
}

export function job(query, id) {
	const title = h("h1", { tabindex: -1 }, `Job ${id}`);
	const state = h("span");
	const model = h("p", { class: "lead" });
	const verdict = h("div", { role: "status" });
	const actions = h("p", { class: "actions" });
	const again = h("a", { class: "button", href: `#/new?like=${id}` }, "Submit again");
	const about = h("div");
	const live = stages();
	const line = h("div", { class: "lines" });
	const log = logBox();
	const fileBox = h("section", { class: "card", "aria-labelledby": "j-files", hidden: true });
	const parityBox = h("section", { class: "card", "aria-labelledby": "j-parity", hidden: true });
	const el = h("div", { class: "job" }, h("div", { class: "title" }, title, state, h("div", { class: "actions" }, actions, again)), model, verdict, live.el,
		h("section", { class: "card" }, about),
		h("section", { class: "card", "aria-labelledby": "j-line" }, h("h2", { id: "j-line" }, "Timeline"), line),
		fileBox, parityBox,
		h("section", { class: "card", "aria-labelledby": "j-log" }, h("h2", { id: "j-log" }, "Log"), log.box));
	let current = null;
	let shownEnd = ""; /* the state and attempt whose files and report are shown */
	let stop = null;
	let gone = false;
	const events = [];
	let newest = 0;

	function take(event) {
		if (event.id <= newest)
			return;
		newest = event.id;
		if (event.event === "log")
			log.add(event);
		else
			events.push(event);
	}

	/* Loads the events after the last known one; one run at a time. */
	let loading = null;
	const history = () => (loading ??= (async () => {
		let next = newest;

		while (next !== null && !gone) {
			const page = await get(`/v1/jobs/${id}/history?limit=1000&after=${next}`);

			page.events.forEach(take);
			next = page.next;
		}
	})().finally(() => (loading = null)));

	/* Follows the log of a running job as it is written. */
	function listen() {
		stop ??= follow(`/v1/jobs/${id}/events`, newest, {
			event(what, data) {
				if (what === "log")
					pull();
			},
			lost() {
				if (current && ended(current))
					quiet();
			},
		});
	}

	function quiet() {
		stop?.();
		stop = null;
	}

	const pull = throttle(250, () => history().then(drawLine).catch(() => {}));
	const drawLine = () => current && line.replaceChildren(...timeline(events, current));

	async function act(verb, path, what) {
		try {
			if (verb === "DELETE")
				await request(path, { method: verb });
			else
				await post(path);
			note(what);
			if (verb === "DELETE" && path === `/v1/jobs/${id}`)
				location.hash = "#/jobs";
			else
				await view.refresh();
		} catch (e) {
			note(e.status === 403 ? `Your access token does not allow this: ${e.message}` : e.message, true);
		}
	}

	async function removeFiles() {
		if (await sure(`Remove the files of job ${id}?`, "The job stays, with its log and its options.", "Remove"))
			act("DELETE", `/v1/jobs/${id}/files`, `Job ${id}: files removed.`);
	}

	function buttons(j) {
		const list = [];

		if (!ended(j))
			list.push(["Cancel", j.cancel_requested, () => act("POST", `/v1/jobs/${id}/cancel`, `Job ${id}: stopping.`)]);
		if (j.state === "failed" || j.state === "cancelled")
			list.push(["Retry", false, () => act("POST", `/v1/jobs/${id}/retry`, `Job ${id}: queued again.`)]);
		if (ended(j))
			list.push(["Delete", false, async () => {
				if (await sure(`Delete job ${id}?`, "This also deletes its log, its report and its files.", "Delete"))
					act("DELETE", `/v1/jobs/${id}`, `Job ${id}: deleted.`);
			}]);
		keyed(actions, list.map(([text, off]) => [text, off]), ([text]) => text, ([text, off]) => h("button", { type: "button", disabled: off, onclick: list.find(([t]) => t === text)[2] }, text));
	}

	async function results(j) {
		const key = ended(j) ? `${j.state} ${j.attempt} ${j.artifact?.removed}` : "";

		if (key === shownEnd)
			return;
		shownEnd = key;
		fileBox.hidden = parityBox.hidden = true;
		if (j.state === "done" && j.artifact) {
			fileBox.replaceChildren(h("h2", { id: "j-files" }, "Files"), j.artifact.removed ? h("p", { class: "dim" }, "Removed ", time(j.artifact.removed), ".") : "",
				j.artifact.cached ? h("p", { class: "dim" }, "Made by ", h("a", { href: `#/job/${j.artifact.made_by}` }, `job ${j.artifact.made_by}`), " from the same sources with the same options.") : "");
			if (!j.artifact.removed)
				fileBox.append(...files(id, (await get(`/v1/jobs/${id}/files`)).files, removeFiles));
			fileBox.hidden = false;
		}
		if ((j.state === "done" && j.result?.parity_checked && !j.artifact?.removed) || (j.state === "failed" && j.reason === "parity")) {
			const r = await get(`/v1/jobs/${id}/parity`).catch((e) => (e.status ? null : Promise.reject(e)));

			parityBox.replaceChildren(h("h2", { id: "j-parity" }, "Parity"), r ? report(r) : h("p", { class: "dim" }, "No report."));
			parityBox.hidden = false;
		}
	}

	function draw(j, help) {
		state.replaceChildren(badge(j.state));
		model.replaceChildren(name(j.spec.model));
		const said = headline(j, help);

		if (said?.textContent !== verdict.textContent)
			verdict.replaceChildren(said ?? "");
		about.replaceChildren(facts(j));
		live.el.hidden = j.state !== "running";
		if (j.state === "running")
			live.show(j);
		buttons(j);
	}

	const redraw = throttle(150, () => current?.state === "running" && live.show(current));
	const view = {
		el,
		title: `Job ${id}`,
		event(what, data) {
			if (data.job !== current?.id)
				return;
			if (what === "progress" || what === "stage")
				redraw();
			if (what === "stage")
				pull();
		},
		tick() {
			if (current && !ended(current))
				drawLine();
		},
		close() {
			gone = true;
			quiet();
			pull.cancel();
			redraw.cancel();
		},
		async refresh() {
			let j;

			try {
				j = await get(`/v1/jobs/${id}`);
			} catch (e) {
				if (e.status !== 404)
					throw e;
				this.close();
				el.replaceChildren(title, h("p", { class: "empty" }, `Job ${id} does not exist, or was deleted. `, h("a", { href: "#/jobs" }, "Go to the list")));
				return;
			}
			current = j;
			draw(j, j.state === "failed" ? await remedy(j) : "");
			if (j.event > newest || !newest)
				await history();
			drawLine();
			if (gone)
				return;
			if (ended(j))
				quiet();
			else
				listen();
			await results(j);
		},
	};

	return view;
}
