/*
 * The form for a new job. The help and the choices of its fields come from the daemon (/v1/models). Beside it stand the
 * command and the request that do the same. With ?like=ID it begins with the options of an earlier job.
 */
import { get, post } from "./api.js";
import { submitCommand, submitRequest } from "./command.js";
import { h, name, note, visible } from "./dom.js";

/* The input fields: [name, label, attributes of the input]. Their help, words and ranges come from the daemon. */
const MODEL = ["model", "Model", { required: true, placeholder: "/srv/models/colqwen2-v1.0-hf" }];
const SOURCE = [["revision", "Revision"], ["base", "Base"]];
const FIRST = ["profile", "target"]; /* the choices that are not under Advanced */
const SHARD = ["shard_size", "Shard size"];
const PROMPTS = ["prompts", "Prompts"];
const DIM = ["dim", "Width of the embeddings", { inputmode: "numeric" }];
const QUEUE = [["priority", "Priority", { inputmode: "numeric" }], ["timeout", "Time limit in seconds", { inputmode: "numeric" }], ["attempts", "Attempts", { inputmode: "numeric" }]];
const LIMITS = [["parity.max_abs", "Largest difference", { inputmode: "decimal" }], ["parity.min_cosine", "Smallest cosine", { inputmode: "decimal" }], ["parity.min_top5", "Smallest top-5 agreement", { inputmode: "decimal" }], ["parity.seed", "Seed", { inputmode: "numeric" }]];
const WHOLE = new Set(["dim", "priority", "timeout", "attempts", "parity.seed"]);

/* From a field in an error ("labels.team", "reference[1]") to the field of the form. */
const shown = (field) => (field.startsWith("parity.") ? field : field.split(/[.[]/)[0]);

/* The Idempotency-Key: sending an unchanged form twice makes one job. */
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

const area = (id, label, help) => wrap(id, label, help, h("textarea", { rows: 2, spellcheck: "false" }));
const TITLES = { profile: "Target library", target: "Ops", variants: "Graphs" };
const title = (id) => TITLES[id] ?? id[0].toUpperCase() + id.slice(1).replace("_", " ");

function text(fields, [id, label, attributes]) {
	const { help, minimum, maximum, default: initial } = fields.get(id);
	const range = maximum <= Number.MAX_SAFE_INTEGER ? `; from ${minimum} to ${maximum}` : "";

	return wrap(id, label, help + range, h("input", { type: "text", autocomplete: "off", spellcheck: "false", placeholder: initial, ...attributes }));
}

function choice({ name: id, help, words }) {
	return wrap(id, title(id), help, h("select", {}, words.map((w, i) => h("option", { value: w }, i || w === "default" ? w : `${w} (default)`))));
}

function checks({ name: id, help, words, default: initial }) {
	return h("fieldset", { class: "field", "data-field": id, tabindex: -1 }, h("legend", {}, title(id)),
		words.map((w) => h("label", { class: "check" }, h("input", { type: "checkbox", name: id, value: w, checked: initial.includes(w) }), w)),
		h("p", { class: "help", id: `h-${id}` }, help), h("p", { class: "error", id: `e-${id}` }));
}

/* The fields by name. The help begins with a capital letter, and needs no "parity:" below that heading. */
function fieldsOf(list) {
	const sentence = (s) => s[0].toUpperCase() + s.slice(1);

	return new Map(list.map((f) => [f.name, { ...f, help: sentence(f.help.replace(/^parity: /i, "")) }]));
}

const lines = (s) => s.split("\n").map((l) => l.trim()).filter(Boolean);
const number = (s) => (/^[-+]?[0-9.]+(e[-+]?[0-9]+)?$/i.test(s) && Number.isFinite(Number(s)) ? Number(s) : s); /* other text is sent as it is, and the daemon says what is wrong */

/* The job as the API expects it, without the fields that have their default. */
function body(form, choices) {
	const data = new FormData(form);
	const of = (id) => (data.get(id) ?? "").trim();
	const out = { model: of("model") };

	for (const id of ["revision", "base", "shard_size", "prompts"])
		if (of(id) && (id !== "shard_size" || of("layout") === "sharded"))
			out[id] = of(id);
	out.variants = data.getAll("variants");
	if (data.getAll("outputs").join() !== "embeddings")
		out.outputs = data.getAll("outputs");
	for (const { name: id, words } of choices)
		if (of(id) && of(id) !== words[0])
			out[id] = of(id);
	for (const id of ["dim", "priority", "timeout", "attempts"])
		if (of(id))
			out[id] = number(of(id));
	if (!data.has("cache"))
		out.cache = false;
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

/* Gives the form the options of an earlier job. A field that has its default stays empty and shows it. */
function load(form, spec, fields) {
	const text = { labels: (v) => Object.entries(v).map(([k, w]) => `${k}=${w}`).join("\n"), reference: (v) => v.join("\n") };

	for (const control of form.elements) {
		const id = control.name;
		const value = id.startsWith("parity.") ? spec.parity?.[id.slice(7)] : spec[id];

		if (id === "check")
			control.checked = spec.parity !== false;
		else if (id === "cache")
			control.checked = spec.cache !== false;
		else if (value === undefined || value === null)
			continue;
		else if (control.type === "checkbox")
			control.checked = value.includes(control.value);
		else if (value !== fields.get(id)?.default)
			control.value = text[id]?.(value) ?? value;
	}
	/* The limits follow the type of the numbers: those of the earlier job would be wrong for another type. */
	for (const id of ["dtype", "storage"])
		form.elements[id]?.addEventListener("change", () => {
			for (const [limit] of LIMITS)
				if (limit !== "parity.seed" && form.elements[limit].value === String(spec.parity?.[limit.slice(7)]))
					form.elements[limit].value = "";
			form.dispatchEvent(new Event("input"));
		});
}

export function submit(query) {
	const el = h("div", {}, h("h1", { tabindex: -1 }, "New job"));
	let form = null;

	function draw({ models, fields: list }, like) {
		const fields = fieldsOf(list);
		const choices = [...fields.values()].filter((f) => f.words && !Array.isArray(f.default));
		const inputs = (rows) => rows.map((row) => text(fields, row));
		const check = h("input", { type: "checkbox", name: "check", checked: true });
		const limits = h("div", { class: "fields" }, inputs(LIMITS));
		const shard = text(fields, SHARD);
		const [first, others] = [FIRST.map((id) => choices.find((c) => c.name === id)).filter(Boolean), choices.filter((c) => !FIRST.includes(c.name))];
		const command = h("pre", { class: "command", tabindex: 0, "aria-label": "Command" });
		const asked = h("pre", { class: "command", tabindex: 0, "aria-label": "Request" });
		const sum = h("p", { class: "error sum", role: "alert" });
		const send = h("button", { class: "primary" }, "Submit");
		let idempotency = key();

		form = h("form", { novalidate: true, class: "submit" },
			h("section", { class: "card" }, text(fields, MODEL),
				h("p", { class: "dim" }, "Supported: ", models.map((m, i) => [i ? ", " : "", name(m.name), ` (${m.variants.join(", ")})`]), "."),
				checks(fields.get("variants")), h("div", { class: "fields" }, first.map(choice))),
			h("details", { class: "card", open: like }, h("summary", {}, "Advanced"),
				h("section", {}, h("h2", {}, "Source"), h("div", { class: "fields" }, inputs(SOURCE))),
				h("section", {}, h("h2", {}, "Output"), checks(fields.get("outputs")), h("div", { class: "fields" }, others.map(choice), shard, text(fields, PROMPTS), text(fields, DIM))),
				h("section", {}, h("h2", {}, "Parity"), h("label", { class: "check" }, check, fields.get("parity").help), limits,
					area("reference", "Your own cases", `${fields.get("reference").help}: one path on the daemon's host per line`)),
				h("section", {}, h("h2", {}, "Queue"), h("div", { class: "fields" }, inputs(QUEUE)),
					h("label", { class: "check" }, h("input", { type: "checkbox", name: "cache", checked: true }), fields.get("cache").help), area("labels", "Labels", `${fields.get("labels").help}: one NAME=VALUE per line`))),
			sum, h("p", { class: "actions" }, send),
			h("section", { class: "card same", "aria-label": "The same in a terminal" }, h("h2", {}, "The same in a terminal"), command, asked));
		if (like)
			load(form, like.spec, fields);
		const changed = () => {
			idempotency = key();
			limits.hidden = !check.checked;
			shard.hidden = form.elements.layout?.value !== "sharded";
			const job = body(form, choices);

			command.textContent = submitCommand(job);
			asked.textContent = submitRequest(job);
		};

		form.addEventListener("input", changed);
		form.addEventListener("submit", async (event) => {
			event.preventDefault();
			clear(sum);
			send.disabled = true;
			try {
				const job = await post("/v1/jobs", body(form, choices), { "Idempotency-Key": idempotency });

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
			if (form)
				return;
			const id = query.get("like");
			const [models, like] = await Promise.all([get("/v1/models"), /^[1-9][0-9]*$/.test(id) ? get(`/v1/jobs/${id}`).catch((e) => (e.status === 404 ? null : Promise.reject(e))) : null]);

			if (!form)
				el.append(id ? h("p", { class: "dim" }, like ? `With the options of job ${id}.` : `There is no job ${id}: these are the defaults.`) : "", draw(models, like));
		},
	};
}
