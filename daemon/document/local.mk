noinst_LIBRARIES += libdocument.a
libdocument_a_SOURCES = \
	daemon/document/document.c daemon/document/document.h \
	daemon/document/inputs.c daemon/document/inputs.h \
	daemon/document/spec_json.c
DOCUMENT_LIBS = libdocument.a $(TOKENIZER_LIBS) $(PICTURE_LIBS)
EXTRA_DIST += daemon/document/README.md
