"""Ranks pages for a query with the processor of transformers, which needs torch; the model itself runs in ONNX Runtime.

    pip install onnxruntime transformers torch pillow
    colconvctl convert CHECKPOINT -o ARTIFACT
    python rank_transformers.py ARTIFACT "How much did revenue grow?" page-1.png page-2.png

For ColQwen2; other families have a processor of their own (ColPaliProcessor, ...).
"""
import json
import pathlib
import sys

import numpy
import onnxruntime
from PIL import Image
from transformers import ColQwen2Processor

folder, text, *pages = pathlib.Path(sys.argv[1]), *sys.argv[2:]
facts = json.loads((folder / "manifest.json").read_text())["additional_metadata"]
processor = ColQwen2Processor.from_pretrained(folder)


def embed(model, batch):
    """The vectors of each row, without those of padding."""
    inputs = {i.name: numpy.asarray(batch[i.name]) for i in model.get_inputs()}
    return [rows[mask == 1] for rows, mask in zip(model.run(None, inputs)[0], inputs["attention_mask"])]


def load(graph):
    return onnxruntime.InferenceSession(folder / facts["graphs"][graph]["file"], providers=["CPUExecutionProvider"])


# Prompts differ between training libraries, and a wrong one lowers retrieval without any error: take the manifest's.
prompt = facts["processing"]["prompt"]["query"].replace("{text}", text)
(query,) = embed(load("text"), processor.tokenizer([prompt], add_special_tokens=False, return_tensors="np"))

# All pages in one call, of any sizes.
images = [Image.open(page).convert("RGB") for page in pages]
vectors = embed(load("image"), processor(images=images, return_tensors="pt"))

scores = {page: (query @ rows.T).max(axis=1).sum() for page, rows in zip(pages, vectors)}  # MaxSim
for page in sorted(scores, key=scores.get, reverse=True):
    print(f"{scores[page]:.4f}  {page}")
