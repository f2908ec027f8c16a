noinst_LIBRARIES += libworker.a
libworker_a_SOURCES = daemon/worker/card.c daemon/worker/card_example.c daemon/worker/cases.c daemon/worker/confine.c \
	daemon/worker/licence.c daemon/worker/manifest.c daemon/worker/page.c daemon/worker/parity.c daemon/worker/pictures.c \
	daemon/worker/processing.c daemon/worker/processor.c daemon/worker/program_files.c daemon/worker/reference.c \
	daemon/worker/rounded.c daemon/worker/recipe.c daemon/worker/report.c daemon/worker/source.c daemon/worker/sources.c daemon/worker/stages.c \
	daemon/worker/warnings.c
WORKER_LIBS = libworker.a $(MODEL_LIBS) $(HUB_LIBS) $(ONNX_LIBS) $(DOCUMENT_LIBS) $(SPEC_LIBS)

bin_PROGRAMS += colconv-worker
colconv_worker_SOURCES = daemon/worker/main.c
# The C++ linker: libtorch is C++.
nodist_EXTRA_colconv_worker_SOURCES = dummy.cxx
colconv_worker_LDADD = $(WORKER_LIBS) $(TORCH_LIBS) -lpthread
