"""ONNX Runtime's quantize_dynamic with its defaults: it must take each graph, and what it makes must point where the original did."""
import logging
import pathlib
import tempfile

import numpy
import onnxruntime
from onnxruntime.quantization import quantize_dynamic

from cases import Table, arguments, cases, feeds_of, graphs, variant_of

MEAN = 0.9  # of the cosines; int8 in matrices of some dozens of rows costs far more than in those of a real model

logging.disable(logging.WARNING)  # it proposes its pre-processing, for each graph
table = Table(f"onnxruntime {onnxruntime.__version__}")


def cosines(variant, session, checkpoint):
    """The mean of each case, over its real tokens."""
    declared = {i.name: i.shape for i in session.get_inputs()}
    for _, inputs, want in cases(checkpoint):
        feeds = feeds_of(variant, inputs, declared)
        if feeds:
            (got,) = session.run(None, feeds)
            yield (got * want).sum(-1)[(want != 0).any(-1)].mean(), numpy.float32(1)


for artifact, checkpoint in arguments():
    for path in graphs(artifact):
        with tempfile.TemporaryDirectory() as folder:
            small = pathlib.Path(folder) / path.name
            quantize_dynamic(path, small)
            session = onnxruntime.InferenceSession(str(small))
            table.row(f"{checkpoint.name} {variant_of(path)}, 1 - mean cosine", cosines(variant_of(path), session, checkpoint), 1 - MEAN)
table.exit()
