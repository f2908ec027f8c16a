# The job's description alone: the client links it, without the database.
noinst_LIBRARIES += libspec.a
libspec_a_SOURCES = daemon/queue/spec.c daemon/queue/spec.h daemon/queue/spec.def
SPEC_LIBS = libspec.a libproto.a $(BASE_LIBS) $(PROTOBUF_C_LIBS)
