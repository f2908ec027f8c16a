noinst_LIBRARIES += libdocument.a
libdocument_a_SOURCES = daemon/document/document.c daemon/document/inputs.c daemon/document/spec_json.c
DOCUMENT_LIBS = libdocument.a $(TOKENIZER_LIBS) $(PICTURE_LIBS)
