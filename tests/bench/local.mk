# make bench BENCH='convert memory': see tests/bench/run.
EXTRA_DIST += tests/bench/run tests/bench/conversion.py tests/bench/machine.py

bench: all tests/tools/mkcheckpoint
	@COLCONV_BUILD=$(abs_builddir) $(PYTHON) $(srcdir)/tests/bench/run $(BENCH)

.PHONY: bench
