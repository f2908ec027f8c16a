# Each harness: its line here, its file with main.c, the libraries under test, its corpus.
# For longer, by hand: tests/fuzz/fuzz_NAME --runs 10000000 tests/fuzz/corpus/NAME
check_LIBRARIES += libfuzz.a
libfuzz_a_SOURCES = tests/fuzz/main.c tests/fuzz/scratch.c
check_PROGRAMS += tests/fuzz/fuzz_adapter tests/fuzz/fuzz_config tests/fuzz/fuzz_events tests/fuzz/fuzz_index tests/fuzz/fuzz_messages \
	tests/fuzz/fuzz_onnx tests/fuzz/fuzz_pattern tests/fuzz/fuzz_picture tests/fuzz/fuzz_range tests/fuzz/fuzz_safetensors \
	tests/fuzz/fuzz_settings tests/fuzz/fuzz_spec tests/fuzz/fuzz_tokenizer

tests_fuzz_fuzz_adapter_LDADD = libfuzz.a $(CHECKPOINT_LIBS)
tests_fuzz_fuzz_events_LDADD = libfuzz.a libclient.a $(BASE_LIBS)
tests_fuzz_fuzz_index_LDADD = libfuzz.a $(CHECKPOINT_LIBS)
tests_fuzz_fuzz_messages_LDADD = libfuzz.a $(RUNNER_LIBS)
tests_fuzz_fuzz_onnx_LDADD = libfuzz.a $(ONNX_LIBS)
tests_fuzz_fuzz_pattern_LDADD = libfuzz.a $(CHECKPOINT_LIBS)
tests_fuzz_fuzz_picture_LDADD = libfuzz.a $(PICTURE_LIBS)
tests_fuzz_fuzz_range_LDADD = libfuzz.a libhttp.a $(BASE_LIBS)
tests_fuzz_fuzz_safetensors_LDADD = libfuzz.a $(CHECKPOINT_LIBS)
tests_fuzz_fuzz_settings_LDADD = libfuzz.a libhttp.a $(BASE_LIBS)
tests_fuzz_fuzz_spec_LDADD = libfuzz.a $(SPEC_LIBS)
tests_fuzz_fuzz_tokenizer_LDADD = libfuzz.a $(TOKENIZER_LIBS)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c
nodist_EXTRA_tests_fuzz_fuzz_config_SOURCES = dummy.cxx
tests_fuzz_fuzz_config_LDADD = libfuzz.a $(MODEL_LIBS) $(BASE_LIBS) $(TORCH_LIBS)

EXTRA_DIST += $(wildcard $(srcdir)/tests/fuzz/corpus/*/*)
