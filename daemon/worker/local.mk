noinst_LIBRARIES += libworker.a
libworker_a_SOURCES = \
	daemon/worker/card.c daemon/worker/card.h \
	daemon/worker/card_example.c daemon/worker/card_example.h \
	daemon/worker/cases.c daemon/worker/cases.h \
	daemon/worker/confine.c daemon/worker/confine.h \
	daemon/worker/licence.c daemon/worker/licence.h \
	daemon/worker/manifest.c daemon/worker/manifest.h \
	daemon/worker/page.c daemon/worker/page.h \
	daemon/worker/parity.c daemon/worker/parity.h \
	daemon/worker/pictures.c daemon/worker/pictures.h \
	daemon/worker/processing.c daemon/worker/processing.h \
	daemon/worker/processor.c daemon/worker/processor.h \
	daemon/worker/program_files.c daemon/worker/program_files.h \
	daemon/worker/reference.c daemon/worker/reference.h \
	daemon/worker/rounded.c daemon/worker/rounded.h \
	daemon/worker/report.c daemon/worker/report.h \
	daemon/worker/source.c daemon/worker/source.h \
	daemon/worker/sources.c daemon/worker/sources.h \
	daemon/worker/stages.c daemon/worker/stages.h \
	daemon/worker/warnings.c daemon/worker/warnings.h
WORKER_LIBS = libworker.a $(MODEL_LIBS) $(HUB_LIBS) $(ONNX_LIBS) $(DOCUMENT_LIBS) $(SPEC_LIBS)

bin_PROGRAMS += colconv-worker
colconv_worker_SOURCES = daemon/worker/main.c
# The C++ linker: libtorch is C++.
nodist_EXTRA_colconv_worker_SOURCES = dummy.cxx
colconv_worker_LDADD = $(WORKER_LIBS) $(TORCH_LIBS) -lpthread
