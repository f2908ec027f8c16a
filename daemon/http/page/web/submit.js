/* The form for a new job. The choices of its fields come from the daemon (/v1/models). */
import { get, post } from "./api.js";
import { h, name, note, visible } from "./dom.js";

/* Fields without choices: [name, label, help, attributes of the input]. */
const MODEL = ["model", "Model", "A folder on the daemon's host, or OWNER/NAME on the Hugging Face Hub", { required: true, placeholder: "/srv/models/colqwen2-v1.0-hf" }];
const SOURCE = [
	["revision", "Revision", "Branch, tag or commit of the repository", {}],
	["base", "Base", "Base model of an adapter; empty: the one that the adapter names", {}],
];
const QUEUE = [
	["priority", "Priority", "-100 to 100; higher runs first", { inputmode: "numeric", placeholder: "0" }],
	["timeout", "Time limit in seconds", "For each attempt; empty: the daemon's default", { inputmode: "numeric" }],
	["attempts", "Attempts", "Retries included; only failures that may be temporary are retried", { inputmode: "numeric", placeholder: "3" }],
];
const LIMITS = [
	["parity.max_abs", "Largest difference", "For any element; empty: the default of the dtype", { inputmode: "decimal", placeholder: "1e-4" }],
	["parity.min_cosine", "Smallest cosine", "For any token; empty: the default of the dtype", { inputmode: "decimal", placeholder: "0.99999" }],
	["parity.seed", "Seed", "For the generated cases", { inputmode: "numeric" }],
];
const HELP = {
	adapter: "In a folder that also holds a model: apply it, or ignore it",
	variants: "Text and image share their weights; unified is both in one graph",
	dtype: "fp16 is for GPUs",
	storage: "bf16: half the disk, the same numbers",
	layout: "How the weights are stored",
	profile: "The library that will load the graphs",
	positions: "Position ids of image tokens",
	mask_mode: "Attention mask",
};
const DEFAULT_GRAPHS = ["text", "image"];
const WHOLE = new Set(["priority", "timeout", "attempts", "parity.seed"]);

/* From a field in an error ("labels.team", "reference[1]") to the field of the form. */
const shown = (field) => (field.startsWith("parity.") ? field : field.split(/[.[]/)[0]);

/* Sending the same form twice makes one job. */
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
const TITLES = { profile: "Target library", variants: "Graphs" };
const title = (id) => TITLES[id] ?? id[0].toUpperCase() + id.slice(1).replace("_", " ");

function choice(id, words) {
	return wrap(id, title(id), HELP[id] ?? "", h("select", {}, words.map((w, i) => h("option", { value: w }, i || w === "default" ? w : `${w} (default)`))));
}

function checks(id, words) {
	return h("fieldset", { class: "field", "data-field": id, tabindex: -1 }, h("legend", {}, title(id)),
		words.map((w) => h("label", { class: "check" }, h("input", { type: "checkbox", name: id, value: w, checked: DEFAULT_GRAPHS.includes(w) }), w)),
		h("p", { class: "help", id: `h-${id}` }, HELP[id]), h("p", { class: "error", id: `e-${id}` }));
}

const lines = (s) => s.split("\n").map((l) => l.trim()).filter(Boolean);
const number = (s) => (/^[-+]?[0-9.]+(e[-+]?[0-9]+)?$/i.test(s) && Number.isFinite(Number(s)) ? Number(s) : s); /* other text is sent as it is, and the daemon says what is wrong */

/* The job as the API expects it, without the fields that have their default. */
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
		const shard = text(["shard_size", "Shard size", "Largest data file, for example 2GB", {}]);
		const same = h("pre", { class: "command", tabindex: 0 });
		const sum = h("p", { class: "error sum", role: "alert" });
		const send = h("button", { class: "primary" }, "Submit");
		let idempotency = key();

		form = h("form", { novalidate: true, class: "submit" },
			h("section", { class: "card" }, h("h2", {}, "Source"), text(MODEL),
				h("p", { class: "dim" }, "Supported: ", models.map((m, i) => [i ? ", " : "", name(m.name), ` (${m.variants.join(", ")})`]), "."),
				h("details", {}, h("summary", {}, "Revision, base model"), h("div", { class: "fields" }, SOURCE.map(text)))),
			h("section", { class: "card" }, h("h2", {}, "Graphs"), checks("variants", variants), h("div", { class: "fields" }, Object.entries(words).map(([id, w]) => choice(id, w)), shard)),
			h("section", { class: "card" }, h("h2", {}, "Parity"), h("label", { class: "check" }, check, "Publish only if the embeddings match the original"), limits,
				h("details", {}, h("summary", {}, "Your own cases"), area("reference", "Case files", "One path on the daemon's host per line"))),
			h("section", { class: "card" }, h("h2", {}, "Queue"), h("div", { class: "fields" }, QUEUE.map(text)), area("labels", "Labels", "One NAME=VALUE per line")),
			h("details", {}, h("summary", {}, "Show the request"), same),
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

				note(`Job ${job.id}: queued.`);
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

	/* Shows the daemon's error beside the field that it is about, and moves the focus there. */
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
