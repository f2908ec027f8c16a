EXTRA_DIST += tests/tools/demo

# A tiny checkpoint through the whole of it: daemon, worker, parity, artifact.
demo: all
	@COLCONV_BUILD=$(abs_builddir) sh $(srcdir)/tests/tools/demo

.PHONY: demo

noinst_PROGRAMS += tests/tools/mkcheckpoint
tests_tools_mkcheckpoint_SOURCES = tests/tools/mkcheckpoint.c tests/tools/mkcheckpoint_adapter.c \
	tests/tools/mkcheckpoint_collfm2.c tests/tools/mkcheckpoint_colgemma3.c tests/tools/mkcheckpoint_colidefics3.c tests/tools/mkcheckpoint_colmodernvbert.c \
	tests/tools/mkcheckpoint_colnanovdr.c tests/tools/mkcheckpoint_colministral3.c tests/tools/mkcheckpoint_granitevisionemb.c tests/tools/mkcheckpoint_colpali.c tests/tools/mkcheckpoint_colqwen3_5.c tests/tools/mkcheckpoint_config.c tests/tools/mkcheckpoint_fill.c tests/tools/mkcheckpoint_nemotron_vl.c tests/tools/mkcheckpoint_neomme.c tests/tools/mkcheckpoint_qwen.c \
	tests/tools/mkcheckpoint_tensors.c
tests_tools_mkcheckpoint_CPPFLAGS = $(AM_CPPFLAGS) -DEMBED_TOP='"$(top_srcdir)"'
nodist_EXTRA_tests_tools_mkcheckpoint_SOURCES = dummy.cxx
tests_tools_mkcheckpoint_LDADD = $(MODEL_LIBS) $(CHECKPOINT_LIBS) $(TORCH_LIBS) -lpthread

# The assembler reads these files, which the compiler's lists of dependencies do not name.
MKCHECKPOINT_SIZES = $(wildcard $(top_srcdir)/tests/tools/sizes/*.json)
EXTRA_DIST += $(MKCHECKPOINT_SIZES)
$(tests_tools_mkcheckpoint_OBJECTS): $(MKCHECKPOINT_SIZES)

noinst_PROGRAMS += tests/tools/pymatch
tests_tools_pymatch_SOURCES = tests/tools/pymatch.c
tests_tools_pymatch_LDADD = $(CHECKPOINT_LIBS)

noinst_PROGRAMS += tests/tools/hubget
tests_tools_hubget_SOURCES = tests/tools/hubget.c
tests_tools_hubget_LDADD = $(HUB_LIBS)

check_PROGRAMS += tests/tools/tokens
tests_tools_tokens_SOURCES = tests/tools/tokens.c
tests_tools_tokens_LDADD = $(TOKENIZER_LIBS)

check_PROGRAMS += tests/tools/pixels
tests_tools_pixels_SOURCES = tests/tools/pixels.c
tests_tools_pixels_LDADD = $(PICTURE_LIBS)
