# What reads ONNX files: colconvctl links it too.
noinst_LIBRARIES += libonnxread.a
libonnxread_a_SOURCES = daemon/onnx/dump.c daemon/onnx/inspect.c daemon/onnx/read.c daemon/onnx/release.c daemon/onnx/runtime.c daemon/onnx/tally.c

noinst_LIBRARIES += libonnx.a
libonnx_a_SOURCES = daemon/onnx/dump.c daemon/onnx/emit.c daemon/onnx/emit_block.c daemon/onnx/emit_graph.c daemon/onnx/emit_half.c \
	daemon/onnx/emit_init.c daemon/onnx/emit_model.c daemon/onnx/extdata.c daemon/onnx/extdata_write.c daemon/onnx/extra.c \
	daemon/onnx/export.c daemon/onnx/front.c daemon/onnx/front_naflex.c daemon/onnx/front_padded.c daemon/onnx/front_resize.c daemon/onnx/front_size.c \
	daemon/onnx/lower_attention.c daemon/onnx/lower_blocks.c daemon/onnx/lower_control.c daemon/onnx/lower_delta.c daemon/onnx/lower_elementwise.c daemon/onnx/lower_layer.c daemon/onnx/lower_ort.c daemon/onnx/lower_rounded.c \
	daemon/onnx/lower_shape.c daemon/onnx/quantize.c daemon/onnx/rounding.c daemon/onnx/target.c
ONNX_LIBS = libonnx.a libonnxread.a libproto.a libcheckpoint.a libgraph.a $(PICTURE_LIBS) $(PROTOBUF_C_LIBS) $(BASE_LIBS) -lpthread
