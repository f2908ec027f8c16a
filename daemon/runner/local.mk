noinst_LIBRARIES += librunner.a
librunner_a_SOURCES = \
	daemon/runner/cgroup.c daemon/runner/cgroup.h \
	daemon/runner/child.c daemon/runner/child.h \
	daemon/runner/environment.c daemon/runner/environment.def daemon/runner/environment.h \
	daemon/runner/gpus.c daemon/runner/gpus.h \
	daemon/runner/lines.c daemon/runner/lines.h \
	daemon/runner/messages.c daemon/runner/messages.h \
	daemon/runner/resources.c daemon/runner/resources.h \
	daemon/runner/runner.c daemon/runner/runner.h \
	daemon/runner/spawn.c daemon/runner/spawn.h \
	daemon/runner/strays.c daemon/runner/strays.h

# Runners to read and change.
examplesdir = $(docdir)/examples
dist_examples_SCRIPTS = etc/runners/isolated

RUNNER_LIBS = librunner.a $(SPEC_LIBS) -ldl
