noinst_LIBRARIES += libspec.a
libspec_a_SOURCES = \
	daemon/spec/architecture.c daemon/spec/architecture.h daemon/spec/architectures.def \
	daemon/spec/field.c daemon/spec/field.h daemon/spec/fields.def \
	daemon/spec/frame.c daemon/spec/frame.h \
	daemon/spec/kind.c daemon/spec/kind.h \
	daemon/spec/manifest.c daemon/spec/manifest.h \
	daemon/spec/profile.c daemon/spec/profile.h daemon/spec/profiles.def \
	daemon/spec/repo.c daemon/spec/repo.h \
	daemon/spec/roots.c daemon/spec/roots.h \
	daemon/spec/rule.c daemon/spec/rule.h \
	daemon/spec/spec.c daemon/spec/spec.h \
	daemon/spec/states.def \
	daemon/spec/variant.c daemon/spec/variant.h daemon/spec/variants.def
SPEC_LIBS = libspec.a libproto.a $(BASE_LIBS) $(PROTOBUF_C_LIBS)
