noinst_LIBRARIES += librunner.a
librunner_a_SOURCES = \
	daemon/runner/child.c daemon/runner/child.h \
	daemon/runner/lines.c daemon/runner/lines.h \
	daemon/runner/runner.c daemon/runner/runner.h
RUNNER_LIBS = librunner.a libproto.a $(PROTOBUF_C_LIBS) $(BASE_LIBS)
