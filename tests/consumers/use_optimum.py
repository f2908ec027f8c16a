"""optimum-onnx: ORTModelForCustomTasks loads the folder as it is."""
import importlib.metadata
import json

import onnxruntime
import torch
from optimum.onnxruntime import ORTModelForCustomTasks
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from cases import Table, arguments, cases, feeds_of

table = Table(*(f"{name} {importlib.metadata.version(name)}" for name in ("optimum-onnx", "optimum", "transformers", "onnxruntime")))


def outputs(model, checkpoint, make):
    declared = {i.name: i.shape for i in model.session.get_inputs()}
    for _, inputs, want in cases(checkpoint):
        given = {name: make(value) for name, value in feeds_of("unified", inputs, declared).items()}
        yield next(iter(model(**given).values())), want


for artifact, checkpoint in arguments():
    kind = json.loads((artifact / "config.json").read_text())["model_type"]
    if kind not in CONFIG_MAPPING:  # transformers 4, which optimum-onnx 0.1.0 asks for
        print(f"--    {checkpoint.name}: this version of transformers does not know the model_type '{kind}'")
        continue
    model = ORTModelForCustomTasks.from_pretrained(artifact, provider="CPUExecutionProvider")
    table.row(f"{checkpoint.name} numpy", outputs(model, checkpoint, lambda value: value))
    table.row(f"{checkpoint.name} torch", outputs(model, checkpoint, lambda value: torch.from_numpy(value.copy())))
table.exit()
