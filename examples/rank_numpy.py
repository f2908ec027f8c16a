"""Ranks pages for a query with ONNX Runtime alone: no torch, no transformers.

    pip install onnxruntime numpy pillow tokenizers
    colconvctl convert CHECKPOINT -o ARTIFACT --variants text,page
    python rank_numpy.py ARTIFACT "How much did revenue grow?" page-1.png page-2.png
"""
import json
import pathlib
import sys

import numpy
import onnxruntime
import tokenizers
from PIL import Image

folder, text, *pages = pathlib.Path(sys.argv[1]), *sys.argv[2:]
facts = json.loads((folder / "manifest.json").read_text())["additional_metadata"]


def load(graph):
    return onnxruntime.InferenceSession(folder / facts["graphs"][graph]["file"], providers=["CPUExecutionProvider"])


def score(query, page):
    """MaxSim: for each vector of the query its best match among those of the page. One vector each: the cosine."""
    return (query @ page.T).max(axis=1).sum() if query.ndim == 2 else query @ page


# The query: the model's own prompt around the text, which the manifest has, and the ids by the artifact's tokenizer.json.
prompt = facts["processing"]["prompt"]["query"].replace("{text}", text)
tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
ids = numpy.array([tokenizer.encode(prompt, add_special_tokens=False).ids])
query = load("text").run(None, {"input_ids": ids, "attention_mask": numpy.ones_like(ids)})[0][0]

# The pages: this graph takes the picture itself, as bytes in red, green and blue.
model = load("page")
scores = {page: score(query, model.run(None, {"image": numpy.asarray(Image.open(page).convert("RGB"))})[0][0]) for page in pages}

for page in sorted(scores, key=scores.get, reverse=True):
    print(f"{scores[page]:.4f}  {page}")
