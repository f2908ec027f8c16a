/*
 * Draws the parity report as pictures, with the numbers beside them.
 *
 * Each run has two histograms over the report's bins: tokens by 1 - cosine, and elements by absolute difference.
 * Both axes are logarithmic, so that one bad token among thousands is visible. All runs have the same x axis, so that
 * they can be compared.
 */
import { cosine, count, h, icon, name, plural, small, svg, visible } from "./dom.js";

const WIDTH = 240;
const HEIGHT = 70;
const CEILING = 14; /* y of the tallest column; the count of values above the limit is written over it */
const FLOOR = 54; /* y of the base line; the labels of the axis are below it */
const SCORES = ["original", "onnx"];

const edge = (x) => x.toExponential(0).replace("e+", "e");

/* First and last bin to draw: every bin that some run uses, and the bin of the limit. */
function span(runs, counts, edges, limit) {
	let from = edges.findIndex((e) => e >= limit);
	let to = from = Math.max(1, from < 0 ? edges.length : from);

	for (const r of runs)
		r[counts].forEach((n, i) => {
			if (n && i)
				from = Math.min(from, i);
			if (n)
				to = Math.max(to, i);
		});
	return { from: Math.max(1, from - 1), to: Math.min(edges.length, to + 2) };
}

/* Equal values have a column of their own at the left: a logarithmic axis has no place for 0. */
function histogram(counts, edges, limit, { from, to }, what) {
	const bins = to - from + 2;
	const w = WIDTH / bins;
	const x = (i) => (i === 0 ? 0 : (i - from + 1) * w);
	const top = Math.log1p(Math.max(1, ...counts));
	const below = edges.findLastIndex((e) => e <= limit * (1 + 1e-9));
	const part = below + 1 < edges.length && limit > 0 && below >= 0 ? Math.log(limit / edges[below]) / Math.log(edges[below + 1] / edges[below]) : 0;
	const line = x(below + 1) + Math.max(0, part) * w;
	let over = 0;
	let all = 0;

	const bars = counts.map((n, i) => {
		const above = i > 0 && edges[i - 1] >= limit * (1 - 1e-9);
		const height = n ? Math.max(2, (Math.log1p(n) / top) * (FLOOR - CEILING)) : 0;

		all += n;
		over += above ? n : 0;
		return n ? svg("rect", { class: above ? "column over" : "column", x: x(i) + 0.5, y: FLOOR - height, width: Math.max(1, w - 1), height },
			svg("title", {}, `${i === 0 ? `below ${edge(edges[0])}` : `${edge(edges[i - 1])} to ${i < edges.length ? edge(edges[i]) : "any"}`}: ${plural(n, what)}`)) : "";
	});
	const decades = [];

	for (let i = from; i <= to; i++)
		if (/^1e/.test(edge(edges[i - 1])) && x(i) > 22 && x(i) < WIDTH - 14 && Math.abs(x(i) - line) > 30)
			decades.push(i);
	const each = Math.ceil(decades.length / 5);
	const words = over ? `${count(over)} of ${plural(all, what)} above the limit` : `all ${plural(all, what)} within the limit`;

	return svg("svg", { class: "histogram", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${words}, ${edge(limit)}` },
		svg("path", { class: "axis", d: `M0 ${FLOOR}H${WIDTH}` }), bars,
		svg("path", { class: "limit", d: `M${line} ${over ? CEILING - 2 : 4}V${FLOOR + 4}` }),
		over ? svg("text", { class: "above", x: WIDTH, y: 10, "text-anchor": "end" }, `${count(over)} above`) : "",
		svg("text", { x: 0, y: HEIGHT - 3 }, "0"),
		svg("text", { class: "at", x: Math.min(line, WIDTH - 14), y: HEIGHT - 3, "text-anchor": "middle" }, small(Number(limit.toPrecision(6)))),
		decades.filter((_, i) => i % each === 0).map((i) => svg("text", { x: x(i), y: HEIGHT - 3, "text-anchor": "middle" }, edge(edges[i - 1]))));
}

function run(r, report, spans) {
	const pictures = r.abs_counts && r.cosine_counts;
	const cell = (label, text) => h("td", { class: "number", "data-label": label }, text ?? "–");

	return h("tr", { class: r.passed ? "" : "bad" },
		h("th", { scope: "row" }, name(r.name), h("span", { class: "dim" }, r.model, r.pixels ? ` with ${r.pixels === "none" ? "no pixels" : "pixels of zeros"}` : ""),
			h("span", { class: `badge ${r.passed ? "done" : "failed"}` }, icon(r.passed ? "done" : "failed"), r.passed ? "pass" : "fail"),
			r.message ? h("span", { class: "why" }, visible(r.message)) : ""),
		h("td", { class: "picture", "data-label": "1 − cosine, tokens" }, pictures ? histogram(r.cosine_counts, report.edges, 1 - report.limits.min_cosine, spans.cosine, "token") : "–"),
		h("td", { class: "picture", "data-label": "Absolute difference, elements" }, pictures ? histogram(r.abs_counts, report.edges, report.limits.max_abs, spans.abs, "element") : "–"),
		cell("Tokens", r.tokens === undefined ? null : count(r.tokens)), cell("Min cosine", r.min_cosine === undefined ? null : cosine(r.min_cosine)), cell("Max abs", r.max_abs === undefined ? null : small(r.max_abs)),
		cell("Mean abs", r.mean_abs === undefined ? null : small(r.mean_abs)), cell("NaN", r.nan === undefined ? null : count(r.nan)));
}

/* One square per score. paint(row, column) gives its colour; a dot marks the best document of each query. */
function matrix(title, scores, paint, best, read) {
	const rows = scores.length;
	const columns = scores[0].length;
	const cells = [];

	for (let q = 0; q < rows; q++)
		for (let d = 0; d < columns; d++) {
			const r = svg("rect", { x: d, y: q, width: 1, height: 1 });

			r.style.fill = paint(q, d);
			cells.push(r);
			if (best && scores[q][d] === Math.max(...scores[q]))
				cells.push(svg("circle", { cx: d + 0.5, cy: q + 0.5, r: 0.13 }));
		}
	const picture = svg("svg", { class: "matrix", viewBox: `0 0 ${columns} ${rows}`, role: "img", "aria-label": `${title}: ${plural(rows, "query", "queries")} by ${plural(columns, "document")}; the numbers are in the table below` }, cells);

	picture.addEventListener("pointermove", (event) => {
		const box = picture.getBoundingClientRect();

		read(Math.min(rows - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * rows))), Math.min(columns - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * columns))));
	});
	picture.addEventListener("pointerleave", () => read(null));
	return h("figure", {}, h("figcaption", {}, title), picture);
}

const mix = (a, b, part) => `color-mix(in oklab, var(${b}) ${(100 * part).toFixed(1)}%, var(${a}))`;

function legend(from, to, steps) {
	const el = h("p", { class: "legend dim" }, from, h("span", { "aria-hidden": "true" }, steps.map((fill) => {
		const i = h("i");

		i.style.background = fill;
		return i;
	})), to);

	return el;
}

function ranking(k) {
	const head = h("h3", {}, `MaxSim: queries by ${k.queries_model}, documents by ${k.documents_model}`);
	const said = h("p", {}, k.kept ? `${plural(k.queries, "query", "queries")} over ${plural(k.documents, "document")}: same order for every query` : `${plural(k.swapped, "pair")} of documents ${k.swapped === 1 ? "changes" : "change"} order`, `; largest change of a score: ${small(k.max_score_change)}.`);

	if (!SCORES.every((s) => k[s]?.length && k[s][0].length))
		return h("div", { class: "ranking" }, head, said);
	/* A long query has larger scores than a short one. Each query has its own colour scale, so that both show contrast. */
	const scales = k.original.map((row, q) => {
		const low = Math.min(...row, ...k.onnx[q]);

		return { low, range: Math.max(...row, ...k.onnx[q]) - low || 1 };
	});
	const change = (q, d) => k.onnx[q][d] - k.original[q][d];
	const most = k.max_score_change || 1;
	const sequential = (p) => mix("--heat-low", "--heat-high", p);
	const diverging = (p) => mix("--heat-none", p < 0 ? "--heat-less" : "--heat-more", Math.abs(p));
	const readout = h("p", { class: "readout dim" });
	const signed = (x) => `${x > 0 ? "+" : ""}${small(x)}`;
	const read = (q, d) => (readout.textContent = q === null ? "Point at a square to see its scores. A dot marks the best document of each query." : `query ${q + 1}, document ${d + 1}: original ${k.original[q][d].toFixed(5)}, ONNX ${k.onnx[q][d].toFixed(5)}, difference ${signed(change(q, d))}`);

	read(null);
	return h("div", { class: "ranking" }, head, said,
		h("div", { class: "matrices" },
			matrix("Original", k.original, (q, d) => sequential((k.original[q][d] - scales[q].low) / scales[q].range), true, read),
			matrix("ONNX", k.onnx, (q, d) => sequential((k.onnx[q][d] - scales[q].low) / scales[q].range), true, read),
			matrix("Difference", k.onnx.map((row, q) => row.map((_, d) => change(q, d))), (q, d) => diverging(change(q, d) / most), false, read)),
		h("div", { class: "legends" }, legend("lowest score of the query", "highest", [0, 0.25, 0.5, 0.75, 1].map(sequential)), legend(signed(-k.max_score_change), signed(k.max_score_change), [-1, -0.5, 0, 0.5, 1].map(diverging))),
		readout,
		h("details", {}, h("summary", {}, "The scores as a table"),
			h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "MaxSim scores" }, h("table", {}, h("caption", { class: "dim" }, "Original, and the difference of ONNX under it"),
				h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Query"), k.original[0].map((_, d) => h("th", { scope: "col", class: "number" }, `doc ${d + 1}`)))),
				h("tbody", {}, k.original.map((row, q) => h("tr", {}, h("th", { scope: "row" }, q + 1), row.map((s, d) => h("td", { class: "number" }, s.toFixed(4), h("br"), h("span", { class: "dim" }, signed(change(q, d))))))))))));
}

/* Many runs that pass as one: their counts are added, and of their figures the worst is shown. */
function folded(runs) {
	const add = (key) => runs.map((r) => r[key]).reduce((a, b) => a.map((n, i) => n + b[i]));
	const all = (key) => runs.map((r) => r[key] ?? 0);

	return {
		name: `${count(runs.length)} runs that pass`, model: [...new Set(runs.map((r) => r.model))].join(", "), passed: true, cosine_counts: add("cosine_counts"), abs_counts: add("abs_counts"),
		tokens: all("tokens").reduce((a, b) => a + b), min_cosine: Math.min(...all("min_cosine")), max_abs: Math.max(...all("max_abs")), mean_abs: Math.max(...all("mean_abs")), nan: Math.max(...all("nan")),
	};
}

const table = (runs, r, spans, caption) =>
	h("div", { class: "scroll" }, h("table", { class: "runs" }, h("caption", { class: "hidden" }, caption),
		h("thead", {}, h("tr", {}, ["Case and graph", "1 − cosine, tokens", "Absolute difference, elements", "Tokens", "Min cosine", "Max abs", "Mean abs", "NaN"].map((t, i) => h("th", { scope: "col", class: i > 2 ? "number" : "" }, t)))),
		h("tbody", {}, runs.map((c) => run(c, r, spans)))));

export function report(r) {
	const edges = r.edges ?? [];
	const drawn = r.cases.filter((c) => c.abs_counts && c.cosine_counts);
	const passed = drawn.filter((c) => c.passed);
	const open = r.cases.filter((c) => !passed.includes(c)).sort((a, b) => a.passed - b.passed);
	const fold = passed.length > 1;
	const loss = 1 - r.limits.min_cosine;
	const spans = { cosine: span(drawn, "cosine_counts", edges, loss), abs: span(drawn, "abs_counts", edges, r.limits.max_abs) };

	return h("div", { class: "parity" },
		h("p", { class: "sum" }, h("span", { class: `badge ${r.passed ? "done" : "failed"}` }, icon(r.passed ? "done" : "failed"), r.passed ? "pass" : "fail"),
			` ${count(r.cases.filter((c) => c.passed).length)} of ${plural(r.cases.length, "run")} passed. Worst absolute difference ${small(r.worst.max_abs)}, allowed ${small(r.limits.max_abs)}; worst cosine ${cosine(r.worst.min_cosine)}, allowed ${r.limits.min_cosine}. ONNX Runtime `, name(r.onnxruntime), "."),
		Object.entries(r.outputs ?? {}).map(([key, o]) => h("p", { class: "sum" }, "Output ", name(key),
			o.worst.differing === undefined ? `: worst absolute difference ${small(o.worst.max_abs)}, worst cosine ${cosine(o.worst.min_cosine)}.` : `: ${count(o.worst.differing)} elements differ.`)),
		h("p", { class: "dim key" }, "Both axes are logarithmic. The dashed line is the limit; values above it are red and counted. Column 0 counts values that are equal or differ by less than 1e-16."),
		table(fold ? [...open, folded(passed)] : r.cases, r, spans, "Runs of the cases"),
		fold ? h("details", {}, h("summary", {}, "The runs that pass, one by one"), table(passed, r, spans, "Runs that pass")) : "",
		r.ranking.map(ranking));
}
