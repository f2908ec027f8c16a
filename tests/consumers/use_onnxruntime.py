"""ONNX Runtime's Python package, of any version: every graph of an artifact, and pictures through page.onnx and preprocess.onnx."""
import numpy
import onnxruntime

from cases import Table, arguments, arrays, cases, feeds_of, graphs, picture, pages_and_queries, variant_of

table = Table(f"onnxruntime {onnxruntime.__version__}", f"numpy {numpy.__version__}")
quiet = onnxruntime.SessionOptions()
quiet.log_severity_level = 3


def load(path):
    return onnxruntime.InferenceSession(str(path), quiet, providers=["CPUExecutionProvider"])


def outputs(variant, session, checkpoint):
    declared = {i.name: i.shape for i in session.get_inputs()}
    for _, inputs, want in cases(checkpoint):
        feeds = feeds_of(variant, inputs, declared)
        if feeds:
            yield session.run(None, feeds)[0], want


def pages(session, checkpoint):
    for path, want in pages_and_queries(checkpoint)[0]:
        yield session.run(None, {"image": picture(path)})[0][0], want


def queries(session, checkpoint):
    content = arrays(checkpoint / "e2e.safetensors")
    for number, (_, want) in enumerate(pages_and_queries(checkpoint)[1]):
        ids = content[f"ids.query.{number}"][None]
        inputs = {"input_ids": ids, "attention_mask": numpy.ones_like(ids)}
        yield session.run(None, feeds_of("text", inputs, {i.name: i.shape for i in session.get_inputs()}))[0][0], want


def prepared_pages(prepare, session, checkpoint):
    """preprocess.onnx, and then the graph that takes its outputs."""
    names = [o.name for o in prepare.get_outputs()]
    for path, want in pages_and_queries(checkpoint)[0]:
        yield session.run(None, dict(zip(names, prepare.run(None, {"image": picture(path)}))))[0][0], want


for artifact, checkpoint in arguments():
    whole = (checkpoint / "e2e.json").exists()
    for path in graphs(artifact):
        session, what = load(path), f"{checkpoint.name} {variant_of(path)}"
        if not whole:
            table.row(what, outputs(variant_of(path), session, checkpoint))
        if whole and variant_of(path) != "image" and pages_and_queries(checkpoint)[1]:
            table.row(f"{what}, queries", queries(session, checkpoint))
        if whole and variant_of(path) != "text":
            table.row(f"{what} after preprocess, pages", prepared_pages(load(artifact / "preprocess.onnx"), session, checkpoint))
    if whole:
        table.row(f"{checkpoint.name} page, pages", pages(load(artifact / "page.onnx"), checkpoint))
table.exit()
