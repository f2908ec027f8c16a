"""
sentence-transformers' MultiVectorEncoder with backend="onnx".

Its own loader for that backend needs optimum-onnx, which needs transformers 4 where sentence-transformers 6.2 needs transformers 5,
and knows no task "retrieval". The class Loaded takes its place: ONNX Runtime and nothing else.
The original is transformers' class in the same encoder.
"""
import json

import onnxruntime
import sentence_transformers
import torch
import transformers
from PIL import Image
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import transformer

from cases import GOLDEN, Table, arguments

TEXTS = ["How much did revenue grow in 2025?", "x", "Quel est le résultat net — 2024 ? 売上高"]
PAGES = [Image.open(path).convert("RGB") for path in sorted((GOLDEN / "e2e-colidefics3").glob("page-*.png"))]

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
onnxruntime.set_default_logger_severity(3)
table = Table(f"sentence-transformers {sentence_transformers.__version__}", f"transformers {transformers.__version__}",
              f"onnxruntime {onnxruntime.__version__}")


class Loaded(torch.nn.Module):
    """What sentence-transformers asks of a model: forward() and config."""

    def __init__(self, model_name_or_path, config, task_name, **options):
        super().__init__()
        self.config = config
        self.session = onnxruntime.InferenceSession(f"{model_name_or_path}/onnx/model.onnx")

    def forward(self, **features):
        names = {i.name for i in self.session.get_inputs() + self.session.get_overridable_initializers()}
        given = {name: value.numpy() for name, value in features.items() if name in names}
        return {"embeddings": torch.from_numpy(self.session.run(["embeddings"], given)[0])}


transformer.load_onnx_model = Loaded


def original(encoder, checkpoint):
    """The same encoder with transformers' class in it."""
    name = json.loads((checkpoint / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, name).from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager")
    encoder[0].model = model.eval()
    return encoder


def pairs(got, want):
    assert len(got) == len(want)
    return [(a.cpu().numpy(), b.cpu().numpy()) for a, b in zip(got, want)]


for artifact, checkpoint in arguments():
    encoder = MultiVectorEncoder(str(artifact), backend="onnx", device="cpu")
    queries, pages = encoder.encode_query(TEXTS), encoder.encode_document(PAGES)
    original(encoder, checkpoint)
    table.row(f"{checkpoint.name} queries, without pixels", pairs(queries, encoder.encode_query(TEXTS)))
    table.row(f"{checkpoint.name} pages", pairs(pages, encoder.encode_document(PAGES)))
table.exit()
