// onnxruntime-node and onnxruntime-web (WebAssembly), as CONSUMER says: every graph of an artifact.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Table, WORDS, cases, difference, feedsOf, graphs, pairs } from "./cases.mjs";

const name = process.env.CONSUMER;
const require = createRequire(join(process.env.CONSUMER_PACKAGES, "package.json"));
const ort = require(name);
const table = new Table(`${name} ${ort.env.versions[name.endsWith("web") ? "web" : "node"]}`, `node ${process.version}`);
ort.env.logLevel = "error";

const open = (path) => name === "onnxruntime-web"
  ? ort.InferenceSession.create(readFileSync(path), { executionProviders: ["wasm"] })
  : ort.InferenceSession.create(path);

for (const [artifact, checkpoint] of pairs()) {
  for (const graph of graphs(artifact)) {
    const session = await open(graph.path);
    const declared = Object.fromEntries(session.inputMetadata.map((input) => [input.name, input.shape]));
    const differences = [];
    for (const { inputs, want } of cases(checkpoint)) {
      const feeds = feedsOf(graph.variant, inputs, declared);
      if (!feeds) continue;
      const tensors = Object.entries(feeds).map(([key, value]) => [key, new ort.Tensor(WORDS[value.dtype], value.data, value.dims)]);
      const output = await session.run(Object.fromEntries(tensors));
      differences.push(difference(Object.values(output)[0], want));
    }
    table.row(`${basename(checkpoint)} ${graph.variant}`, differences);
  }
}
table.exit();
