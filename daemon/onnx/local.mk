noinst_LIBRARIES += libonnx.a
libonnx_a_SOURCES = \
	daemon/onnx/dump.c \
	daemon/onnx/emit.c daemon/onnx/emit.h daemon/onnx/emit_private.h \
	daemon/onnx/emit_graph.c \
	daemon/onnx/emit_init.c \
	daemon/onnx/extdata.c daemon/onnx/extdata.h \
	daemon/onnx/job.c daemon/onnx/onnx.h \
	daemon/onnx/lower.h \
	daemon/onnx/lower_control.c \
	daemon/onnx/lower_elementwise.c \
	daemon/onnx/lower_layer.c \
	daemon/onnx/lower_shape.c \
	daemon/onnx/tally.c daemon/onnx/tally.h
ONNX_LIBS = libonnx.a libproto.a libcheckpoint.a libgraph.a $(PROTOBUF_C_LIBS) $(BASE_LIBS) -lpthread
