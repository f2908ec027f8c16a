# Each harness: its line in check_PROGRAMS, its file with main.c, the libraries under test, its corpus.
# For longer, by hand: tests/fuzz/fuzz_NAME --runs 10000000 tests/fuzz/corpus/NAME
check_PROGRAMS += tests/fuzz/fuzz_safetensors
tests_fuzz_fuzz_safetensors_SOURCES = tests/fuzz/fuzz_safetensors.c tests/fuzz/main.c
tests_fuzz_fuzz_safetensors_LDADD = $(CHECKPOINT_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_tokenizer
tests_fuzz_fuzz_tokenizer_SOURCES = tests/fuzz/fuzz_tokenizer.c tests/fuzz/main.c
tests_fuzz_fuzz_tokenizer_LDADD = $(TOKENIZER_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_picture
tests_fuzz_fuzz_picture_SOURCES = tests/fuzz/fuzz_picture.c tests/fuzz/main.c
tests_fuzz_fuzz_picture_LDADD = $(PICTURE_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_adapter
tests_fuzz_fuzz_adapter_SOURCES = tests/fuzz/fuzz_adapter.c tests/fuzz/main.c
tests_fuzz_fuzz_adapter_LDADD = $(CHECKPOINT_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_pattern
tests_fuzz_fuzz_pattern_SOURCES = tests/fuzz/fuzz_pattern.c tests/fuzz/main.c
tests_fuzz_fuzz_pattern_LDADD = $(CHECKPOINT_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_index
tests_fuzz_fuzz_index_SOURCES = tests/fuzz/fuzz_index.c tests/fuzz/main.c
tests_fuzz_fuzz_index_LDADD = $(CHECKPOINT_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/main.c
nodist_EXTRA_tests_fuzz_fuzz_config_SOURCES = dummy.cxx
tests_fuzz_fuzz_config_LDADD = $(MODEL_LIBS) $(BASE_LIBS) $(TORCH_LIBS)

EXTRA_DIST += $(wildcard $(srcdir)/tests/fuzz/corpus/*/*)
