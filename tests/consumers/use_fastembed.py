"""fastembed's ColPali and ColModernVBERT, by specific_model_path; the original is transformers' class with what fastembed feeds."""
import json

import fastembed
import numpy
import onnxruntime
import torch
import transformers
from fastembed.late_interaction_multimodal.colmodernvbert import ColModernVBERT
from fastembed.late_interaction_multimodal.colpali import ColPali

from cases import GOLDEN, Table, arguments

MODELS = {"colpali": (ColPali, "Qdrant/colpali-v1.3-fp16"), "colmodernvbert": (ColModernVBERT, "Qdrant/colmodernvbert")}
TEXTS = ["How much did revenue grow in 2025?", "x", "Quel est le résultat net — 2024 ? 売上高"]
PAGES = sorted((GOLDEN / "e2e-colidefics3").glob("page-*.png"))

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
table = Table(f"fastembed {fastembed.__version__}", f"onnxruntime {onnxruntime.__version__}",
              f"transformers {transformers.__version__}")


class Recorder:
    """A session that remembers what it was fed."""

    def __init__(self, session):
        self.session, self.fed = session, []

    def __getattr__(self, name):
        return getattr(self.session, name)

    def run(self, names, feeds):
        self.fed.append(feeds)
        return self.session.run(names, feeds)


def original(checkpoint, fed, pictures):
    """Embeddings of each row's real tokens."""
    name = json.loads((checkpoint / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, name).from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager").eval()
    for feeds in fed:
        given = {key: torch.from_numpy(numpy.asarray(value)) for key, value in feeds.items() if pictures or key != "pixel_values"}
        if name.startswith("ColPali"):  # as its processor does: full attention, for which the model was trained
            given["token_type_ids"] = torch.zeros_like(given["input_ids"])
        with torch.no_grad():
            rows = model(**given).embeddings.numpy()
        yield from (row[mask == 1] for row, mask in zip(rows, feeds["attention_mask"]))


def compared(embedded, checkpoint, recorder, pictures):
    """fastembed's ColPali leaves the rows of padding in; they are zeros."""
    wanted = list(original(checkpoint, recorder.fed, pictures))
    assert len(wanted) == len(embedded)
    for got, want in zip(embedded, wanted):
        yield got[numpy.abs(got).sum(-1) > 0], want


for artifact, checkpoint in arguments():
    kind = json.loads((artifact / "config.json").read_text())["model_type"]
    cls, name = MODELS[kind]
    model = cls(name, specific_model_path=str(artifact), providers=["CPUExecutionProvider"])
    session = model.model
    for what, embed, inputs in (("texts", model.embed_text, TEXTS), ("pages", model.embed_image, PAGES)):
        model.model = recorder = Recorder(session)
        embedded = list(embed(inputs))
        table.row(f"{cls.__name__} {what}, in {len(recorder.fed)} call",
                  compared(embedded, checkpoint, recorder, what == "pages"))
table.exit()
