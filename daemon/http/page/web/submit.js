/* A form for a job: the words of its fields are the daemon's own (/v1/models). */
import { get, post } from "./api.js";
import { h, name, note, visible } from "./dom.js";

/* Fields that have no words: [name, label, help, attributes of the input]. */
const MODEL = ["model", "Model", "A folder on the daemon's host, or OWNER/NAME on the Hugging Face Hub", { required: true, placeholder: "/srv/models/colqwen2-v1.0-hf" }];
const SOURCE = [
	["revision", "Revision", "Of OWNER/NAME: a branch, a tag or a commit", {}],
	["base", "Base", "Of an adapter; empty: where the adapter says", {}],
];
const QUEUE = [
	["priority", "Priority", "-100 to 100; higher begins first", { inputmode: "numeric", placeholder: "0" }],
	["timeout", "Time limit in seconds", "For one attempt; empty: the daemon's", { inputmode: "numeric" }],
	["attempts", "Attempts", "When it fails for a reason that may pass", { inputmode: "numeric", placeholder: "3" }],
];
const LIMITS = [
	["parity.max_abs", "Largest difference", "Of an element; empty: by the dtype", { inputmode: "decimal", placeholder: "1e-4" }],
	["parity.min_cosine", "Smallest cosine", "Of a token; empty: by the dtype", { inputmode: "decimal", placeholder: "0.99999" }],
	["parity.seed", "Seed", "Of the cases that are made", { inputmode: "numeric" }],
];
const HELP = {
	adapter: "In a folder that holds a model too: put on it, or left out",
	variants: "Text and image share their weights; unified is both in one graph",
	dtype: "fp16 is for GPUs",
	storage: "bf16: half the disk, the same numbers",
	layout: "Where the weights are",
	profile: "Who loads the graphs",
	positions: "Of image tokens",
	mask_mode: "What a token sees",
};
const DEFAULT_GRAPHS = ["text", "image"];
const WHOLE = new Set(["priority", "timeout", "attempts", "parity.seed"]);

/* What the daemon blames ("labels.team", "reference[1]") to the field that is shown. */
const shown = (field) => (field.startsWith("parity.") ? field : field.split(/[.[]/)[0]);

/* The same form sent twice makes one job. */
function key() {
	return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

function wrap(id, label, help, control) {
	control.setAttribute("id", `f-${id}`);
	control.setAttribute("name", id);
	control.setAttribute("aria-describedby", `h-${id} e-${id}`);
	return h("div", { class: "field", "data-field": id }, h("label", { for: `f-${id}` }, label), control,
		h("p", { class: "help", id: `h-${id}` }, help), h("p", { class: "error", id: `e-${id}` }));
}

const text = ([id, label, help, attributes]) => wrap(id, label, help, h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...attributes }));
const area = (id, label, help) => wrap(id, label, help, h("textarea", { rows: 2, spellcheck: "false" }));
const title = (id) => id[0].toUpperCase() + id.slice(1).replace("_", " ");

function choice(id, words) {
	return wrap(id, title(id), HELP[id] ?? "", h("select", {}, words.map((w, i) => h("option", { value: w }, i || w === "default" ? w : `${w} (default)`))));
}

function checks(id, words) {
	return h("fieldset", { class: "field", "data-field": id, tabindex: -1 }, h("legend", {}, title(id)),
		words.map((w) => h("label", { class: "check" }, h("input", { type: "checkbox", name: id, value: w, checked: DEFAULT_GRAPHS.includes(w) }), w)),
		h("p", { class: "help", id: `h-${id}` }, HELP[id]), h("p", { class: "error", id: `e-${id}` }));
}

const lines = (s) => s.split("\n").map((l) => l.trim()).filter(Boolean);
const number = (s) => (/^[-+]?[0-9.]+(e[-+]?[0-9]+)?$/i.test(s) && Number.isFinite(Number(s)) ? Number(s) : s); /* what is none is sent as it is, for the daemon to say */

/* The job as the API takes it; what is left at its default is left out. */
function body(form, options) {
	const data = new FormData(form);
	const of = (id) => (data.get(id) ?? "").trim();
	const out = { model: of("model") };

	for (const id of ["revision", "base", "shard_size"])
		if (of(id) && (id !== "shard_size" || of("layout") === "sharded"))
			out[id] = of(id);
	for (const [id, words] of Object.entries(options))
		if (id === "variants")
			out.variants = data.getAll(id);
		else if (of(id) && of(id) !== words[0])
			out[id] = of(id);
	for (const id of ["priority", "timeout", "attempts"])
		if (of(id))
			out[id] = number(of(id));
	if (!data.has("check"))
		out.parity = false;
	else
		for (const [id] of LIMITS)
			if (of(id))
				(out.parity ??= {})[id.slice(7)] = number(of(id));
	if (lines(of("reference")).length)
		out.reference = lines(of("reference"));
	if (lines(of("labels")).length)
		out.labels = Object.fromEntries(lines(of("labels")).map((l) => [l.split("=")[0].trim(), l.split("=").slice(1).join("=").trim()]));
	return out;
}

export function submit() {
	const el = h("div", {}, h("h1", { tabindex: -1 }, "New job"));
	let form = null;

	function draw({ models, options }) {
		const { variants = [], ...words } = options;
		const check = h("input", { type: "checkbox", name: "check", checked: true });
		const limits = h("div", { class: "fields" }, LIMITS.map(text));
		const shard = text(["shard_size", "Shard size", "Largest data file, such as 2GB", {}]);
		const same = h("pre", { class: "command", tabindex: 0 });
		const sum = h("p", { class: "error sum", role: "alert" });
		const send = h("button", { class: "primary" }, "Submit");
		let idempotency = key();

		form = h("form", { novalidate: true, class: "submit" },
			h("section", { class: "card" }, h("h2", {}, "Source"), text(MODEL),
				h("p", { class: "dim" }, "It can convert ", models.map((m, i) => [i ? ", " : "", name(m.name), ` (${m.variants.join(", ")})`]), "."),
				h("details", {}, h("summary", {}, "A revision, or an adapter's base"), h("div", { class: "fields" }, SOURCE.map(text)))),
			h("section", { class: "card" }, h("h2", {}, "Graphs"), checks("variants", variants), h("div", { class: "fields" }, Object.entries(words).map(([id, w]) => choice(id, w)), shard)),
			h("section", { class: "card" }, h("h2", {}, "Parity"), h("label", { class: "check" }, check, "Publish only what gives the original's embeddings"), limits,
				h("details", {}, h("summary", {}, "Cases of your own"), area("reference", "Case files", "A path on the daemon's host on each line"))),
			h("section", { class: "card" }, h("h2", {}, "Queue"), h("div", { class: "fields" }, QUEUE.map(text)), area("labels", "Labels", "NAME=VALUE on each line")),
			h("details", {}, h("summary", {}, "The same as a request"), same),
			sum, h("p", { class: "actions" }, send));
		const changed = () => {
			idempotency = key();
			limits.hidden = !check.checked;
			shard.hidden = form.elements.layout?.value !== "sharded";
			same.textContent = `POST /v1/jobs\n${JSON.stringify(body(form, options), null, 1)}`;
		};

		form.addEventListener("input", changed);
		form.addEventListener("submit", async (event) => {
			event.preventDefault();
			clear(sum);
			send.disabled = true;
			try {
				const job = await post("/v1/jobs", body(form, options), { "Idempotency-Key": idempotency });

				note(`Job ${job.id} is queued.`);
				location.hash = `#/job/${job.id}`;
			} catch (e) {
				blame(e, sum);
			} finally {
				send.disabled = false;
			}
		});
		changed();
		return form;
	}

	function clear(sum) {
		sum.textContent = "";
		for (const e of form.querySelectorAll(".field .error"))
			e.textContent = "";
		for (const c of form.querySelectorAll("[aria-invalid]"))
			c.removeAttribute("aria-invalid");
	}

	/* The daemon's words beside the field that they are about, which gets the focus. */
	function blame(e, sum) {
		const id = e.field ? shown(e.field) : "";
		const field = [...form.querySelectorAll(".field")].find((f) => f.dataset.field === id);

		if (!field) {
			sum.textContent = visible(e.message);
			return;
		}
		const control = field.querySelector("input:not([type=checkbox]), select, textarea") ?? field;

		field.querySelector(".error").textContent = visible(e.message);
		if (control !== field)
			control.setAttribute("aria-invalid", "true");
		for (let up = field; up; up = up.parentElement.closest("details, [hidden]")) {
			if (up.tagName === "DETAILS")
				up.open = true;
			up.hidden = false;
		}
		control.focus();
	}

	return {
		el,
		title: "New job",
		async refresh() {
			if (!form)
				el.append(draw(await get("/v1/models")));
		},
	};
}
