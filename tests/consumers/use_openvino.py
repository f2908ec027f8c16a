"""OpenVINO reads the graphs as they are; one compiled model takes all cases, pictures of several sizes and texts alone."""
import openvino

from cases import Table, arguments, cases, feeds_of, graphs, variant_of

table = Table(f"openvino {openvino.__version__}")
core = openvino.Core()


def size(dimension):
    return dimension.get_length() if dimension.is_static else None


def outputs(variant, model, checkpoint):
    declared = {i.any_name: [size(d) for d in i.partial_shape] for i in model.inputs}
    for _, inputs, want in cases(checkpoint):
        feeds = feeds_of(variant, inputs, declared)
        if feeds:
            yield model(feeds)[0], want


for artifact, checkpoint in arguments():
    for path in graphs(artifact):
        # The plugin may choose bfloat16 where the processor has it: the comparison is of float32.
        model = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        table.row(f"{checkpoint.name} {variant_of(path)}", outputs(variant_of(path), model, checkpoint))
table.exit()
