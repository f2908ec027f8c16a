noinst_LIBRARIES += libonnx.a
libonnx_a_SOURCES = \
	daemon/onnx/convert.c daemon/onnx/convert.h \
	daemon/onnx/extdata.c daemon/onnx/extdata.h \
	daemon/onnx/onnx.h
ONNX_LIBS = libonnx.a libproto.a libcheckpoint.a libgraph.a $(PROTOBUF_C_LIBS) $(BASE_LIBS) -lpthread
