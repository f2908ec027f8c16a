noinst_LIBRARIES += librunner.a
librunner_a_SOURCES = daemon/runner/cgroup.c daemon/runner/child.c daemon/runner/environment.c daemon/runner/gpus.c \
	daemon/runner/lines.c daemon/runner/messages.c daemon/runner/resources.c daemon/runner/runner.c daemon/runner/spawn.c \
	daemon/runner/strays.c

# Runners to read and change.
examplesdir = $(docdir)/examples
dist_examples_SCRIPTS = etc/runners/isolated

RUNNER_LIBS = librunner.a $(SPEC_LIBS) -ldl
