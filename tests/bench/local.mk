# make bench BENCH='convert memory': see tests/bench/run.
EXTRA_DIST += tests/bench/run tests/bench/conversion.py tests/bench/machine.py tests/bench/service.py

EXTRA_PROGRAMS += tests/bench/load tests/bench/bare_sqlite
CLEANFILES += $(EXTRA_PROGRAMS)
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD = $(BASE_LIBS)
tests_bench_bare_sqlite_SOURCES = tests/bench/bare_sqlite.c
tests_bench_bare_sqlite_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_bench_bare_sqlite_LDADD = $(BASE_LIBS) $(SQLITE_LIBS)

bench: all tests/tools/mkcheckpoint tests/bench/load tests/bench/bare_sqlite
	@COLCONV_BUILD=$(abs_builddir) $(PYTHON) $(srcdir)/tests/bench/run $(BENCH)

.PHONY: bench
