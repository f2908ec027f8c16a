/* Ranks pages for a query in Node.js.
 *
 *     npm install onnxruntime-node @huggingface/transformers
 *     colconvctl convert CHECKPOINT -o ARTIFACT --variants text,page
 *     node rank.mjs ARTIFACT "How much did revenue grow?" page-1.png page-2.png
 */
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { AutoTokenizer, RawImage, env } from "@huggingface/transformers";
import * as ort from "onnxruntime-node";

const [artifact, text, ...pages] = process.argv.slice(2);
const folder = resolve(artifact);
const facts = JSON.parse(readFileSync(join(folder, "manifest.json"))).additional_metadata;
const load = (graph) => ort.InferenceSession.create(join(folder, facts.graphs[graph].file));

/** The rows of an output [1, tokens, dim]; of [1, dim] there is one. */
const rows = ({ data, dims }) => {
	const dim = dims.at(-1);
	return Array.from({ length: data.length / dim }, (_, i) => data.subarray(i * dim, (i + 1) * dim));
};
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
/** MaxSim; with one vector each it is the cosine. */
const score = (query, page) => query.reduce((sum, q) => sum + Math.max(...page.map((p) => dot(q, p))), 0);

// The query: the model's own prompt around the text, and ids by the artifact's tokenizer.
env.localModelPath = dirname(folder);
env.allowRemoteModels = false;
const tokenizer = await AutoTokenizer.from_pretrained(folder.slice(dirname(folder).length + 1));
const prompt = facts.processing.prompt.query.replace("{text}", () => text);
const ids = BigInt64Array.from(tokenizer.encode(prompt, { add_special_tokens: false }), BigInt);
const tensor = (data) => new ort.Tensor("int64", data, [1, data.length]);
const texts = await load("text");
const query = rows((await texts.run({ input_ids: tensor(ids), attention_mask: tensor(ids.map(() => 1n)) }))[texts.outputNames[0]]);

// The pages: this graph takes the picture itself, as bytes in red, green and blue.
const model = await load("page");
const scores = [];
for (const page of pages) {
	const { data, width, height } = (await RawImage.read(page)).rgb();
	const image = new ort.Tensor("uint8", Uint8Array.from(data), [height, width, 3]);
	scores.push([score(query, rows((await model.run({ image }))[model.outputNames[0]])), page]);
}
for (const [value, page] of scores.sort(([a], [b]) => b - a)) console.log(`${value.toFixed(4)}  ${page}`);
