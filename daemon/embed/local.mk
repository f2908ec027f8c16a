noinst_LIBRARIES += libembed.a
libembed_a_SOURCES = daemon/embed/artifact.c daemon/embed/embedder.c daemon/embed/output.c
EMBED_LIBS = libembed.a $(PARITY_LIBS) $(DOCUMENT_LIBS)

bin_PROGRAMS += colconv-embed
colconv_embed_SOURCES = daemon/embed/main.c
colconv_embed_LDADD = $(EMBED_LIBS) -ldl
