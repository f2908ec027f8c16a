# Messages, generated from the .proto files beside this one.
noinst_LIBRARIES += libproto.a
libproto_a_CPPFLAGS = $(AM_CPPFLAGS)
# Generated code: not held to our warnings.
libproto_a_CFLAGS = -std=gnu11 $(SANITIZE) $(PROTOBUF_C_CFLAGS)
nodist_libproto_a_SOURCES = proto/worker.pb-c.c proto/worker.pb-c.h proto/onnx.pb-c.c proto/onnx.pb-c.h
PROTO_FILES = proto/worker.proto proto/onnx.proto
EXTRA_DIST += $(PROTO_FILES) proto/api.md proto/openapi.json proto/manifest.schema.json
BUILT_SOURCES += $(nodist_libproto_a_SOURCES)
CLEANFILES += $(nodist_libproto_a_SOURCES)

proto/%.pb-c.c proto/%.pb-c.h: proto/%.proto
	$(AM_V_GEN)$(MKDIR_P) proto && $(PROTOC_C) -I$(dir $<) --c_out=proto $<
