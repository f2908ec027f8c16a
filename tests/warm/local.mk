# For the tests of values: the programs, with a colconv-worker that starts at once (server.c says how).
noinst_PROGRAMS += tests/warm/server tests/warm/colconv-worker
tests_warm_server_SOURCES = tests/warm/server.c tests/warm/warm.h
nodist_EXTRA_tests_warm_server_SOURCES = dummy.cxx
tests_warm_server_LDADD = $(colconv_worker_LDADD)
tests_warm_colconv_worker_SOURCES = tests/warm/worker.c tests/warm/warm.h

# A program looks for the others in its own folder.
WARM_LINKS = tests/warm/colconvctl tests/warm/colconv-parity tests/warm/colconv-embed
noinst_DATA = $(WARM_LINKS)
CLEANFILES += $(WARM_LINKS)
$(WARM_LINKS): tests/warm/%: %
	$(AM_V_GEN)$(MKDIR_P) $(@D) && ln -f $< $@
