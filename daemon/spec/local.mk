noinst_LIBRARIES += libspec.a
libspec_a_SOURCES = daemon/spec/architecture.c daemon/spec/class.c daemon/spec/field.c daemon/spec/frame.c daemon/spec/head.c daemon/spec/input_name.c daemon/spec/kind.c \
	daemon/spec/manifest.c daemon/spec/profile.c daemon/spec/repo.c daemon/spec/repository.c daemon/spec/roots.c daemon/spec/rule.c \
	daemon/spec/spec.c daemon/spec/told.c daemon/spec/variant.c
SPEC_LIBS = libspec.a libproto.a $(BASE_LIBS) $(PROTOBUF_C_LIBS)
