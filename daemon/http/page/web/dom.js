/*
 * Makes elements, and formats numbers and times.
 *
 * Text from the daemon becomes a text node or the value of an attribute here, never markup. The page's policy
 * (require-trusted-types-for) makes the browser refuse code that turns strings into markup.
 */

function fill(el, props, children) {
	for (const [name, value] of Object.entries(props)) {
		if (value === undefined || value === null || value === false)
			continue;
		if (typeof value === "function")
			el.addEventListener(name.slice(2), value);
		else
			el.setAttribute(name, value === true ? "" : value);
	}
	el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
	return el;
}

export const h = (tag, props = {}, ...children) => fill(document.createElement(tag), props, children);
export const svg = (tag, props = {}, ...children) =>
	fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);

const SHAPES = {
	queued: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 4.500V8l2.500 1.500",
	running: "M5 3l8 5-8 5z",
	done: "M3 8.500l3.500 3.500L13 4.500",
	failed: "M4 4l8 8M12 4l-8 8",
	cancelled: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM4 12l8-8",
	live: "M2 8h3l2-5 2.500 10L11.500 8H14",
	away: "M2 2l12 12M3 8a7 7 0 0 1 3-2.500M13 8a7 7 0 0 0-3.500-2.700M8 12.500v.5",
	sun: "M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
	moon: "M13 9.500A5.500 5.500 0 0 1 6.500 3 5.500 5.500 0 1 0 13 9.500z",
	auto: "M2 3h12v8H2zM6 14h4M8 11v3",
};

export const icon = (name) => svg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: SHAPES[name] }));

export const badge = (state) => h("span", { class: `badge ${state}` }, icon(state), state);

/* Text from outside, isolated so that its direction does not affect the text around it. */
export const name = (text, props) => h("bdi", { class: "name", ...props }, visible(text));

/* Shows a mark in place of each character that str_char_visible() of the daemon hides, except tabs and newlines. */
// eslint-disable-next-line no-control-regex
export const visible = (text) => String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb]/g, "\ufffd");

/*
 * Shows the items in their order. An item whose key was shown before, and that did not change, keeps its element and
 * the keyboard focus in it. make(item) gives the element of a new or changed item.
 */
export function keyed(parent, items, key, make) {
	const old = parent.keyed ?? new Map();
	const now = new Map();
	let at = parent.firstChild;

	for (const item of items) {
		const k = key(item);
		const text = JSON.stringify(item);
		const was = old.get(k);
		let el = was?.el;

		if (!was || was.text !== text) {
			el = make(item);
			if (was) {
				const focused = was.el.contains(document.activeElement) && document.activeElement.getAttribute("href");

				was.el.replaceWith(el);
				if (at === was.el)
					at = el;
				if (focused)
					[...el.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused)?.focus();
			}
		}
		if (el === at)
			at = at.nextSibling;
		else
			parent.insertBefore(el, at);
		now.set(k, { el, text });
	}
	for (const [k, { el }] of old)
		if (!now.has(k))
			el.remove();
	parent.keyed = now;
}

/* Limits calls of fn to one in `ms`. The last call is never lost: it runs when the time is over. */
export function throttle(ms, fn) {
	let timer = 0;
	let last = -Infinity;

	const wrapped = () => {
		if (timer)
			return;
		timer = setTimeout(() => {
			timer = 0;
			last = performance.now();
			fn();
		}, Math.max(0, last + ms - performance.now()));
	};
	wrapped.cancel = () => clearTimeout(timer);
	return wrapped;
}

const whole = new Intl.NumberFormat("en");
export const count = (n) => whole.format(n);
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export function bytes(n) {
	let unit = 0;

	while (n >= 999.5 && unit < 5) {
		n /= 1000;
		unit++;
	}
	return `${n.toFixed(unit === 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2)} ${["B", "kB", "MB", "GB", "TB", "PB"][unit]}`;
}

export const amount = (n, unit) => (unit === "bytes" ? bytes(n) : unit ? `${count(Math.round(n))} ${unit}` : count(Math.round(n)));

export function duration(s) {
	const two = (n) => String(Math.floor(n)).padStart(2, "0");

	if (s < 9.95)
		return `${Math.max(0, s).toFixed(1)} s`;
	if (s < 59.5)
		return `${Math.round(s)} s`;
	if (s < 3600)
		return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
	if (s < 86400)
		return `${Math.floor(s / 3600)} h ${two((s % 3600) / 60)} min`;
	return `${Math.floor(s / 86400)} d ${two((s % 86400) / 3600)} h`;
}

/* A past time in one unit: "3 min". */
const coarse = (s) => (s < 60 ? `${Math.round(s)} s` : s < 3600 ? `${Math.floor(s / 60)} min` : s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} days`);

/* "1.2e-6", or "0.034" when the number is easy to read without an exponent. */
export const small = (x) => (x === 0 ? "0" : Math.abs(x) >= 0.01 && Math.abs(x) < 1000 ? String(Number(x.toPrecision(3))) : x.toExponential(1).replace(".0e", "e"));

/* A cosine very close to 1 is written as "1 − 4.2e-9": in decimals it would be a row of nines. */
export const cosine = (x) => (x === 1 ? "1" : x > 0.99999 ? `1 − ${small(1 - x)}` : x.toFixed(6));

/* The clock of the daemon's host may differ from this one; each answer has its time in Date. */
let skew = 0;
export const clockSet = (date) => {
	if (!Number.isNaN(Date.parse(date)))
		skew = Math.abs(Date.parse(date) - Date.now()) > 2000 ? Date.parse(date) - Date.now() : 0;
};
export const now = () => Date.now() + skew;
export const at = (iso) => Date.parse(iso);
const said = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
export const clock = (iso) => new Date(iso).toTimeString().slice(0, 8);

const KINDS = {
	ago: (ms) => (ms < 5000 ? "just now" : `${coarse(ms / 1000)} ago`),
	since: (ms) => duration(ms / 1000),
	until: (ms) => (ms < 0 ? duration(-ms / 1000) : "a moment"),
};

/* A time that tick() keeps up to date. The kinds: ago "3 min ago", since "3 min 04 s", until "54 s". */
export function time(iso, kind = "ago") {
	const el = h("time", { datetime: iso, "data-kind": kind, title: said.format(new Date(iso)) });

	el.textContent = KINDS[kind](now() - at(iso));
	return el;
}

export function tick() {
	for (const el of document.querySelectorAll("time[data-kind]")) {
		const text = KINDS[el.dataset.kind](now() - at(el.dateTime));

		if (text !== el.textContent)
			el.textContent = text;
	}
}

let noteTimer = 0;

/* Shows a message at the lower edge for some seconds. */
export function note(text, bad = false) {
	const box = document.getElementById("notes");

	box.replaceChildren(h("p", { class: bad ? "bad" : "" }, visible(text)));
	clearTimeout(noteTimer);
	noteTimer = setTimeout(() => box.replaceChildren(), bad ? 12000 : 5000);
}

/* Shows a dialog of index.html; the value of the button that closed it. */
export function show(dialog) {
	return new Promise((resolve) => {
		dialog.returnValue = "no";
		dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
		dialog.showModal();
	});
}
