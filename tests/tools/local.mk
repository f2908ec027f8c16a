noinst_PROGRAMS += tests/tools/mkcheckpoint
tests_tools_mkcheckpoint_SOURCES = \
	tests/tools/mkcheckpoint.c tests/tools/mkcheckpoint.h \
	tests/tools/mkcheckpoint_colpali.c \
	tests/tools/mkcheckpoint_colqwen2.c \
	tests/tools/mkcheckpoint_fill.c
tests_tools_mkcheckpoint_LDADD = $(CHECKPOINT_LIBS)
