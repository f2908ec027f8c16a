// @huggingface/transformers: PreTrainedModel on each graph of the folder onnx/, and AutoTokenizer for queries.
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Table, WORDS, cases, difference, feedsOf, graphs, pairs, tensors } from "./cases.mjs";

const require = createRequire(join(process.env.CONSUMER_PACKAGES, "package.json"));
const { PreTrainedModel, AutoTokenizer, Tensor, env } = require("@huggingface/transformers");
env.allowRemoteModels = false;
const table = new Table(`@huggingface/transformers ${env.version}`, `node ${process.version}`);
console.warn = () => {}; // AutoModel takes some of the families for generators with several parts; this class takes any graph

const tensor = (value) => new Tensor(WORDS[value.dtype], value.data, value.dims);
const run = async (model, feeds) => {
  const given = Object.entries(feeds).map(([key, value]) => [key, tensor(value)]);
  return Object.values(await model(Object.fromEntries(given)))[0];
};

async function* queries(checkpoint, tokenizer, prompt, model) {
  const original = tensors(join(checkpoint, "e2e.safetensors"));
  for (const [i, text] of JSON.parse(readFileSync(join(checkpoint, "e2e.json"))).queries.entries()) {
    const want = original[`query.${i}`];
    if (!want) continue;
    const inputs = tokenizer(prompt.replace("{text}", text), { add_special_tokens: false });
    const got = Object.values(await model(inputs))[0];
    yield difference({ dims: got.dims.slice(1), data: got.data }, want);
  }
}

for (const [artifact, checkpoint] of pairs()) {
  const options = { dtype: "fp32", local_files_only: true, use_external_data_format: true };
  const load = (name) => PreTrainedModel.from_pretrained(artifact, { ...options, model_file_name: name });
  for (const { name, variant } of graphs(artifact)) {
    const session = await load(basename(name, ".onnx"));
    const declared = Object.fromEntries(session.sessions.model.inputMetadata.map((input) => [input.name, input.shape]));
    const differences = [];
    for (const { inputs, want } of cases(checkpoint)) {
      const feeds = feedsOf(variant, inputs, declared);
      if (feeds) differences.push(difference(await run(session, feeds), want));
    }
    if (differences.length) table.row(`${basename(checkpoint)} ${variant}`, differences);
  }
  if (existsSync(join(checkpoint, "e2e.json"))) {
    const manifest = JSON.parse(readFileSync(join(artifact, "manifest.json"))).additional_metadata;
    const tokenizer = await AutoTokenizer.from_pretrained(artifact, options);
    const differences = [];
    for await (const d of queries(checkpoint, tokenizer, manifest.processing.prompt.query, await load("text"))) differences.push(d);
    if (differences.length) table.row(`${basename(checkpoint)} text, queries by AutoTokenizer`, differences);
  }
}
table.exit();
