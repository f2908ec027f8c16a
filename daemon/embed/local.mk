noinst_LIBRARIES += libembed.a
libembed_a_SOURCES = \
	daemon/embed/artifact.c daemon/embed/artifact.h \
	daemon/embed/embedder.c daemon/embed/embedder.h \
	daemon/embed/output.c daemon/embed/output.h
EMBED_LIBS = libembed.a $(PARITY_LIBS) $(DOCUMENT_LIBS)

bin_PROGRAMS += colconv-embed
colconv_embed_SOURCES = daemon/embed/main.c
colconv_embed_LDADD = $(EMBED_LIBS) -ldl
EXTRA_DIST += daemon/embed/README.md
