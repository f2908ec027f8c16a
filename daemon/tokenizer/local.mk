noinst_LIBRARIES += libtokenizer.a
libtokenizer_a_CFLAGS = $(AM_CFLAGS) $(ONIGURUMA_CFLAGS) $(UTF8PROC_CFLAGS)
libtokenizer_a_SOURCES = daemon/tokenizer/added.c daemon/tokenizer/bpe.c daemon/tokenizer/chars.c daemon/tokenizer/load.c \
	daemon/tokenizer/normal.c daemon/tokenizer/split.c daemon/tokenizer/tokenizer.c daemon/tokenizer/vocab.c
TOKENIZER_LIBS = libtokenizer.a $(BASE_LIBS) $(ONIGURUMA_LIBS) $(UTF8PROC_LIBS)
