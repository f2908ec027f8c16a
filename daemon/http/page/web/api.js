/* Requests to the daemon, with the caller's token, and its streams of events. */
import { clockSet, show } from "./dom.js";

const KEY = "colconv.token";
const SILENCE = 40000; /* ms: the daemon says something at least every 15 s */

const $ = (id) => document.getElementById(id);
let declined = false; /* the person cancelled: do not ask again until they press "Access token" */
let asking = null;

export const token = () => sessionStorage.getItem(KEY);

export async function askToken(why) {
	const field = $("ask-token");

	$("ask-why").textContent = why;
	$("ask-forget").hidden = !token();
	field.value = "";
	const said = await show($("ask"));
	const value = field.value.trim();

	field.value = "";
	if (said === "forget")
		sessionStorage.removeItem(KEY);
	if (said === "ok" && value)
		sessionStorage.setItem(KEY, value);
	declined = !(said === "ok" && value);
	return !declined;
}

/* Several requests may be refused at the same time for want of a token: ask the person only once. */
async function tokenAfter(used) {
	if (token() !== used)
		return true;
	if (declined)
		return false;
	asking ??= askToken(used ? "The daemon does not accept this token." : "").finally(() => (asking = null));
	return asking;
}

/* A problem document (RFC 9457). Status 0: there was no answer. */
export class Problem extends Error {
	constructor(doc, status) {
		super(String(doc.detail ?? `The daemon answered with status ${status}.`));
		this.code = doc.code;
		this.field = doc.field;
		this.status = status;
	}
}

async function problem(answer) {
	let doc = {};

	try {
		doc = await answer.json();
	} catch {
		/* not a problem document */
	}
	return new Problem(doc ?? {}, answer.status);
}

export async function request(path, { method = "GET", headers = {}, body, signal } = {}) {
	for (;;) {
		const used = token();
		const all = { ...headers };
		let answer;

		if (used)
			all.Authorization = `Bearer ${used}`;
		if (body !== undefined)
			all["Content-Type"] = "application/json";
		try {
			answer = await fetch(path, { method, headers: all, body, signal, cache: "no-store", redirect: "error" });
		} catch (e) {
			throw signal?.aborted ? e : new Problem({ detail: "The daemon does not answer." }, 0);
		}
		if (answer.ok) {
			clockSet(answer.headers.get("Date"));
			return answer;
		}
		if (answer.status === 401)
			$("token").hidden = false;
		if (answer.status !== 401 || !(await tokenAfter(used)))
			throw await problem(answer);
	}
}

export const get = async (path) => (await request(path)).json();
export const post = async (path, body, headers) =>
	(await request(path, { method: "POST", body: body === undefined ? undefined : JSON.stringify(body), headers })).json();

let remedies = null;

/* What a person can do about a failed job, by its reason (/v1/errors). Loaded when it is first needed. */
export async function remedy(job) {
	remedies ??= get("/v1/errors").then(({ errors }) => new Map(errors.map((e) => [e.code, e.remedy])));
	try {
		return ((await remedies).get(job.reason) ?? "").replaceAll("{id}", job.id).replaceAll("{command}", "");
	} catch (e) {
		remedies = null;
		throw e;
	}
}

/* Parses the body of an event stream (SSE), and calls on(name, data, id) for each event. */
async function events(body, heard, on) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	let event = {};

	for (;;) {
		const { value, done } = await reader.read();

		if (done)
			return;
		heard();
		const lines = (rest + value).split("\n");

		rest = lines.pop();
		for (const line of lines) {
			const colon = line.indexOf(":");

			if (line === "" || line === "\r") {
				if (event.data !== undefined)
					on(event.event, JSON.parse(event.data), event.id);
				event = {};
			} else if (colon > 0) {
				event[line.slice(0, colon)] = line.slice(colon + 1).trim();
			}
		}
	}
}

/*
 * Follows a stream of events from the event after `last` (null: only new ones), and reconnects whenever the connection
 * breaks. A page in a hidden tab disconnects after 10 s, because a browser opens only six connections to one host.
 *
 * Calls on.event(name, data), on.open() and on.lost(problem). Returns the function that stops it.
 */
export function follow(path, last, on) {
	let control = null;
	let timer = 0;
	let tries = 0;
	let over = false;
	let left = false; /* the person went to another page; the browser keeps this one for the back button */

	async function run() {
		const mine = (control = new AbortController());
		let silence = 0;
		const heard = () => {
			clearTimeout(silence);
			silence = setTimeout(() => mine.abort(), SILENCE);
		};

		try {
			heard();
			const headers = last === null ? {} : { "Last-Event-ID": String(last) };
			const answer = await request(path, { headers, signal: mine.signal });

			tries = 0;
			on.open?.();
			await events(answer.body, heard, (name, data, id) => {
				last = id ?? last;
				if (!over)
					on.event(name, data);
			});
			again();
		} catch (e) {
			again(e);
		} finally {
			clearTimeout(silence);
			if (control === mine)
				control = null;
		}
	}

	function again(e) {
		if (over || left || document.hidden)
			return;
		on.lost?.(e);
		if (!over)
			timer = setTimeout(run, Math.min(5000, 250 * 2 ** tries++) * (0.75 + Math.random() / 2));
	}

	function seen() {
		clearTimeout(timer);
		if (!document.hidden && !control)
			run();
		else if (document.hidden)
			timer = setTimeout(() => control?.abort(), 10000);
	}

	function leave() {
		left = true;
		clearTimeout(timer);
		control?.abort();
	}

	function back(event) {
		left = false;
		if (event.persisted && !control)
			run();
	}

	document.addEventListener("visibilitychange", seen);
	addEventListener("pagehide", leave);
	addEventListener("pageshow", back);
	run();
	return () => {
		over = true;
		clearTimeout(timer);
		document.removeEventListener("visibilitychange", seen);
		removeEventListener("pagehide", leave);
		removeEventListener("pageshow", back);
		control?.abort();
	};
}
