noinst_LIBRARIES += libtokenizer.a
libtokenizer_a_CFLAGS = $(AM_CFLAGS) $(ONIGURUMA_CFLAGS) $(UTF8PROC_CFLAGS)
libtokenizer_a_SOURCES = \
	daemon/tokenizer/added.c daemon/tokenizer/added.h \
	daemon/tokenizer/bpe.c daemon/tokenizer/bpe.h \
	daemon/tokenizer/chars.c daemon/tokenizer/chars.h \
	daemon/tokenizer/load.c \
	daemon/tokenizer/normal.c daemon/tokenizer/normal.h \
	daemon/tokenizer/parts.h \
	daemon/tokenizer/split.c daemon/tokenizer/split.h \
	daemon/tokenizer/tokenizer.c daemon/tokenizer/tokenizer.h \
	daemon/tokenizer/vocab.c daemon/tokenizer/vocab.h
TOKENIZER_LIBS = libtokenizer.a $(BASE_LIBS) $(ONIGURUMA_LIBS) $(UTF8PROC_LIBS)
EXTRA_DIST += daemon/tokenizer/README.md
