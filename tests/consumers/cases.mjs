// What the JavaScript scripts share: cases of the original's embeddings, and the table of differences (see cases.py).
import { readFileSync, readdirSync, existsSync, writeSync } from "node:fs";
import { basename, join } from "node:path";

const LIMIT = 1e-4;
const ARRAYS = { F32: Float32Array, I64: BigInt64Array };
export const WORDS = { F32: "float32", I64: "int64" };

/** [[artifact, checkpoint]...] of the command line */
export function pairs() {
  const paths = process.argv.slice(2);
  return paths.flatMap((path, i) => (i % 2 ? [] : [[path, paths[i + 1]]]));
}

/** {name: {dtype, dims, data}} of a safetensors file */
export function tensors(path) {
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE(0));
  const found = {};
  for (const [name, entry] of Object.entries(JSON.parse(file.subarray(8, 8 + length)))) {
    if (name === "__metadata__") continue;
    const [from, to] = entry.data_offsets;
    const bytes = file.buffer.slice(file.byteOffset + 8 + length + from, file.byteOffset + 8 + length + to);
    found[name] = { dtype: entry.dtype, dims: entry.shape, data: new ARRAYS[entry.dtype](bytes) };
  }
  return found;
}

/** [{name, inputs, want}...] of the cases beside a checkpoint */
export function cases(checkpoint) {
  return readdirSync(checkpoint).filter((name) => name.startsWith("case-")).sort().map((name) => {
    const all = tensors(join(checkpoint, name));
    const inputs = Object.entries(all).filter(([key]) => key.startsWith("in.")).map(([key, value]) => [key.slice(3), value]);
    return { name, inputs: Object.fromEntries(inputs), want: all["out.embeddings"] };
  });
}

const zeros = (dtype, dims, fill = 0) => {
  const data = new ARRAYS[dtype](dims.reduce((a, b) => a * b, 1));
  return { dtype, dims, data: fill ? data.fill(dtype === "I64" ? BigInt(fill) : fill) : data };
};

/** The inputs that a graph declares ({name: shape}, free sizes are not numbers), of those of a case; null where it cannot take it. */
export function feedsOf(variant, inputs, declared) {
  const pictures = "pixel_values" in inputs;
  if (variant === (pictures ? "text" : "image")) return null;
  const feeds = {};
  for (const name of Object.keys(declared)) if (name in inputs) feeds[name] = inputs[name];
  const rows = inputs.input_ids.dims[0];
  if (pictures && "pixel_attention_mask" in declared && !feeds.pixel_attention_mask) {
    const [images, tiles, , ...side] = feeds.pixel_values.dims;
    feeds.pixel_attention_mask = zeros("I64", [images, tiles, ...side], 1);
  }
  if (!pictures) {
    // One blank picture a row: the graph ignores it.
    const shape = declared.pixel_values;
    if (shape?.length === 3) feeds.pixel_values = zeros("F32", [1, 4, shape[2]]);
    if (shape?.length === 4) feeds.pixel_values = zeros("F32", [rows, ...shape.slice(1)]);
    if (shape?.length === 5) feeds.pixel_values = zeros("F32", [rows, 1, ...shape.slice(2)]);
    if (declared.image_grid_thw) feeds.image_grid_thw = { dtype: "I64", dims: [1, 3], data: BigInt64Array.from([1n, 2n, 2n]) };
    if (declared.pixel_attention_mask)
      feeds.pixel_attention_mask = zeros("I64", [rows, 1, ...declared.pixel_attention_mask.slice(2)], 1);
  }
  return feeds;
}

export function graphs(artifact) {
  const folder = existsSync(join(artifact, "onnx")) ? join(artifact, "onnx") : artifact;
  return readdirSync(folder).filter((name) => name.endsWith(".onnx") && !/^(page|preprocess)/.test(name)).sort()
    .map((name) => ({ path: join(folder, name), name, variant: name === "model.onnx" ? "unified" : basename(name, ".onnx") }));
}

export function difference(got, want) {
  if (String(got.dims) !== String(want.dims)) return Infinity;
  let worst = 0;
  want.data.forEach((value, i) => { const d = Math.abs(got.data[i] - value); worst = d <= worst ? worst : Number.isNaN(d) ? Infinity : d; });
  return worst;
}

export class Table {
  constructor(...versions) { this.failed = false; writeSync(1, `versions: ${versions.join(", ")}\n`); }
  row(what, differences, limit = LIMIT) {
    const worst = Math.max(...differences), good = differences.length > 0 && worst <= limit;
    this.failed ||= !good;
    writeSync(1, `${good ? "ok  " : "FAIL"}  ${what}: ${differences.length} compared, largest difference ${worst.toExponential(1)}\n`);
  }
  exit() { process.exit(this.failed ? 1 : 0); }
}
