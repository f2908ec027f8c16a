/* The speed of running stages, measured over the progress events of the last 15 s. */
import { amount, duration, h, name } from "./dom.js";

const WINDOW = 15000; /* ms that a rate is computed from */
const known = new Map(); /* job: its stage, newest progress and samples */

export function heard(event, data) {
	const id = data.job;

	if (event === "removed" || (event === "state" && data.state !== "running")) {
		known.delete(id);
	} else if (event === "stage") {
		known.set(id, { stage: data.stage, samples: [] });
	} else if (event === "progress") {
		let k = known.get(id);

		if (!k || k.stage !== data.stage || k.progress?.done > data.done)
			known.set(id, (k = { stage: data.stage, samples: [] }));
		k.progress = data;
		k.samples.push([performance.now(), data.done]);
		while (k.samples.length > 2 && k.samples[0][0] < performance.now() - WINDOW)
			k.samples.shift();
	}
}

/* The progress of a running job. The stream of events is newer than the loaded job, so it wins. */
function newest(job) {
	const k = known.get(job.id);

	return { stage: k?.stage ?? job.stage, progress: k ? k.progress : job.progress, samples: k?.samples ?? [] };
}

function speed(samples) {
	if (samples.length < 2)
		return 0;
	const [[t0, d0], [t1, d1]] = [samples[0], samples.at(-1)];

	return t1 - t0 < 700 ? 0 : ((d1 - d0) * 1000) / (t1 - t0);
}

const STAGES = ["resolve", "trace", "export", "reference", "parity"];
const stagesOf = (job) => (job.spec.parity === false ? STAGES.slice(0, 3) : STAGES);

function words({ progress, samples }) {
	if (!progress)
		return "";
	const rate = speed(samples);
	const out = [progress.total ? `${amount(progress.done, progress.unit)} of ${amount(progress.total, progress.unit)}` : amount(progress.done, progress.unit)];

	if (rate > 0)
		out.push(`${amount(rate < 10 && progress.unit !== "bytes" ? Number(rate.toFixed(1)) : rate, progress.unit)}/s`);
	if (rate > 0 && progress.total > progress.done)
		out.push(`${duration((progress.total - progress.done) / rate)} left`);
	return out.join(" · ");
}

/* The stages of a running job: finished, current with its progress, and next. show(job) updates it. */
export function stages() {
	const steps = h("ol", { class: "steps" });
	const fillBar = h("div");
	const bar = h("div", { class: "track", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, fillBar);
	const figures = h("p", { class: "figures" });
	const el = h("div", { class: "stages" }, steps, bar, figures);

	return {
		el,
		show(job) {
			const n = newest(job);
			const all = stagesOf(job);
			const at = all.indexOf(n.stage);
			const part = n.progress?.total ? Math.min(1, n.progress.done / n.progress.total) : null;

			steps.replaceChildren(...all.map((s, i) => h("li", { class: i < at ? "past" : i === at ? "now" : "", "aria-current": i === at ? "step" : null }, s)));
			bar.setAttribute("aria-label", n.stage ? `${n.stage} of job ${job.id}` : `job ${job.id}`);
			bar.classList.toggle("unknown", part === null);
			if (part === null)
				bar.removeAttribute("aria-valuenow");
			else
				bar.setAttribute("aria-valuenow", Math.round(part * 100));
			fillBar.style.width = part === null ? "" : `${part * 100}%`;
			figures.replaceChildren(h("span", {}, n.progress ? words(n) : n.stage ? "begins" : "starting"), n.progress?.detail ? name(n.progress.detail, { class: "name detail" }) : "");
		},
	};
}
