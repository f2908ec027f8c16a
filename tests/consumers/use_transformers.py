"""transformers' own loader of exported models, and its own classes on the same checkpoint where it has one."""
import numpy
import onnxruntime
import torch
import transformers
from transformers.exporters import ExportedModel

from cases import Table, arguments, cases, feeds_of

table = Table(f"transformers {transformers.__version__}", f"torch {torch.__version__}", f"onnxruntime {onnxruntime.__version__}")


def first(output):
    """An output of the class, or a dict where the class has no output of its own."""
    return next(iter(output.values())).numpy()


def calls(model, checkpoint):
    """Each case with everything that a processor gives; a text call has a blank picture."""
    declared = {i.name: i.shape for i in onnxruntime.InferenceSession(str(artifact / "model.onnx")).get_inputs()}
    for _, inputs, want in cases(checkpoint):
        feeds = feeds_of("unified", inputs, declared)
        yield model(**{name: torch.from_numpy(numpy.array(value)) for name, value in feeds.items()}), want, inputs


for artifact, checkpoint in arguments():
    model = ExportedModel.from_pretrained(artifact)
    found = list(calls(model, checkpoint))
    name = type(found[0][0]).__name__
    table.row(f"{checkpoint.name} ExportedModel gives {name}", [(first(output), want) for output, want, _ in found])
table.exit()
