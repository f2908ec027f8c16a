EXTRA_DIST += tests/tools/demo

# A tiny checkpoint through the whole of it: daemon, worker, parity, artifact.
demo: all tests/tools/mkcheckpoint
	@COLCONV_BUILD=$(abs_builddir) sh $(srcdir)/tests/tools/demo

.PHONY: demo
