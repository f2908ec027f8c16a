# make bench BENCH='convert memory': see tests/bench/run.
EXTRA_DIST += tests/bench/run tests/bench/conversion.py tests/bench/crowd.py tests/bench/daemon.py \
	tests/bench/machine.py tests/bench/many.py tests/bench/original.py tests/bench/picture.py tests/bench/qwen3_5.py tests/bench/rounded.py \
	tests/bench/service.py tests/bench/targets.py

EXTRA_PROGRAMS += tests/bench/load tests/bench/flood tests/bench/bare_sqlite tests/bench/claim
CLEANFILES += $(EXTRA_PROGRAMS)
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD = $(BASE_LIBS)
tests_bench_flood_SOURCES = tests/bench/flood.c
tests_bench_bare_sqlite_SOURCES = tests/bench/bare_sqlite.c
tests_bench_bare_sqlite_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_bench_bare_sqlite_LDADD = $(BASE_LIBS) $(SQLITE_LIBS)

tests_bench_claim_SOURCES = tests/bench/claim.c
tests_bench_claim_LDADD = $(QUEUE_LIBS)

bench: all
	@$(MAKE) $(AM_MAKEFLAGS) $(EXTRA_PROGRAMS)
	@COLCONV_BUILD=$(abs_builddir) $(PYTHON) $(srcdir)/tests/bench/run $(BENCH)

.PHONY: bench
