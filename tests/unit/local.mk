# Each test program: its line in check_PROGRAMS and its _LDADD (the libraries under test first); its _SOURCES where they are more
# than the .c file of its name.
UNIT_LIBS = $(BASE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_base
tests_unit_test_base_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_ec_key
tests_unit_test_ec_key_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_folder
tests_unit_test_folder_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_map
tests_unit_test_map_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_pulse
tests_unit_test_pulse_LDADD = $(UNIT_LIBS) -lpthread

check_PROGRAMS += tests/unit/test_spec
tests_unit_test_spec_LDADD = $(SPEC_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_fields
tests_unit_test_fields_LDADD = $(SPEC_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_loop
tests_unit_test_loop_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_lines
tests_unit_test_lines_LDADD = librunner.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_runner
tests_unit_test_runner_LDADD = $(RUNNER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_cgroup
tests_unit_test_cgroup_LDADD = $(RUNNER_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_listen
tests_unit_test_listen_LDADD = libhttp.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_conf
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c daemon/service/conf.c daemon/service/conf_print.c
tests_unit_test_conf_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"/nowhere"'
tests_unit_test_conf_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_job
tests_unit_test_job_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_store
tests_unit_test_store_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_event
tests_unit_test_event_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_list
tests_unit_test_list_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_schema
tests_unit_test_schema_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_schema_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_artifact
tests_unit_test_artifact_LDADD = libartifact.a libspec.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_recover
tests_unit_test_recover_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_retention
tests_unit_test_retention_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_graph
tests_unit_test_graph_LDADD = libgraph.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_compare
tests_unit_test_compare_LDADD = libparity.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_cases
tests_unit_test_cases_SOURCES = tests/unit/test_cases.c tests/unit/case_file.c
tests_unit_test_cases_LDADD = libparity.a libcheckpoint.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_report
tests_unit_test_report_LDADD = $(PARITY_LIBS) $(UNIT_LIBS) -ldl

check_PROGRAMS += tests/unit/test_ort
tests_unit_test_ort_SOURCES = tests/unit/test_ort.c tests/unit/case_file.c
tests_unit_test_ort_LDADD = $(PARITY_LIBS) $(UNIT_LIBS) -ldl

check_PROGRAMS += tests/unit/test_extdata
tests_unit_test_extdata_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pwrite
tests_unit_test_extdata_LDADD = $(ONNX_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_quantize
tests_unit_test_quantize_LDADD = $(ONNX_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_onnx_file
tests_unit_test_onnx_file_LDADD = $(ONNX_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_onnx_lower
tests_unit_test_onnx_lower_LDADD = $(ONNX_LIBS) $(UNIT_LIBS)
CLIENT_TESTS = tests/unit/test_bar tests/unit/test_options tests/unit/test_sse tests/unit/test_table

check_PROGRAMS += $(CLIENT_TESTS)
tests_unit_test_bar_LDADD = libclient.a $(UNIT_LIBS)
tests_unit_test_options_LDADD = libclient.a $(SPEC_LIBS) $(UNIT_LIBS)
tests_unit_test_sse_LDADD = libclient.a $(UNIT_LIBS)
tests_unit_test_table_LDADD = libclient.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_ops
tests_unit_test_ops_SOURCES = tests/unit/test_ops.c
nodist_EXTRA_tests_unit_test_ops_SOURCES = dummy.cxx
tests_unit_test_ops_LDADD = libparity.a libtrace.a libtorch_shim.a libonnx.a libonnxread.a libgraph.a libcheckpoint.a libproto.a $(PICTURE_LIBS) \
	$(UNIT_LIBS) $(PROTOBUF_C_LIBS) $(TORCH_LIBS) -ldl -lpthread

check_PROGRAMS += tests/unit/test_delta
tests_unit_test_delta_SOURCES = tests/unit/test_delta.c
nodist_EXTRA_tests_unit_test_delta_SOURCES = dummy.cxx
tests_unit_test_delta_LDADD = $(tests_unit_test_ops_LDADD)

check_PROGRAMS += tests/unit/test_peft
tests_unit_test_peft_SOURCES = tests/unit/test_peft.c
nodist_EXTRA_tests_unit_test_peft_SOURCES = dummy.cxx
tests_unit_test_peft_LDADD = libtrace.a libtorch_shim.a libgraph.a libcheckpoint.a \
	$(UNIT_LIBS) $(TORCH_LIBS) -lpthread

check_PROGRAMS += tests/unit/test_tiles
tests_unit_test_tiles_SOURCES = tests/unit/test_tiles.c
nodist_EXTRA_tests_unit_test_tiles_SOURCES = dummy.cxx
tests_unit_test_tiles_LDADD = libparity.a $(MODEL_LIBS) $(ONNX_LIBS) $(UNIT_LIBS) $(TORCH_LIBS) -ldl -lpthread

check_PROGRAMS += tests/unit/test_lockstep
tests_unit_test_lockstep_SOURCES = tests/unit/test_lockstep.c
nodist_EXTRA_tests_unit_test_lockstep_SOURCES = dummy.cxx
tests_unit_test_lockstep_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(TORCH_LIBS)

check_PROGRAMS += tests/unit/test_guards
tests_unit_test_guards_SOURCES = tests/unit/test_guards.c
nodist_EXTRA_tests_unit_test_guards_SOURCES = dummy.cxx
tests_unit_test_guards_LDADD = libparity.a $(MODEL_LIBS) $(ONNX_LIBS) $(UNIT_LIBS) $(TORCH_LIBS) -ldl -lpthread

check_PROGRAMS += tests/unit/test_inspect
tests_unit_test_inspect_LDADD = libonnxread.a libproto.a $(UNIT_LIBS) $(PROTOBUF_C_LIBS)

check_PROGRAMS += tests/unit/test_safetensors
tests_unit_test_safetensors_LDADD = libcheckpoint.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_names
tests_unit_test_names_LDADD = libcheckpoint.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_adapter
tests_unit_test_adapter_LDADD = libcheckpoint.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_pattern
tests_unit_test_pattern_LDADD = libcheckpoint.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_adapter_find
tests_unit_test_adapter_find_LDADD = libcheckpoint.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_checkpoint
tests_unit_test_checkpoint_LDADD = libcheckpoint.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_config
tests_unit_test_config_SOURCES = tests/unit/test_config.c
nodist_EXTRA_tests_unit_test_config_SOURCES = dummy.cxx
tests_unit_test_config_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(TORCH_LIBS)

check_PROGRAMS += tests/unit/test_config_tiles
tests_unit_test_config_tiles_SOURCES = tests/unit/test_config_tiles.c
nodist_EXTRA_tests_unit_test_config_tiles_SOURCES = dummy.cxx
tests_unit_test_config_tiles_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(TORCH_LIBS)

check_PROGRAMS += tests/unit/test_config_lfm2
tests_unit_test_config_lfm2_SOURCES = tests/unit/test_config_lfm2.c
nodist_EXTRA_tests_unit_test_config_lfm2_SOURCES = dummy.cxx
tests_unit_test_config_lfm2_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(TORCH_LIBS)

check_PROGRAMS += tests/unit/test_colqwen3_5
tests_unit_test_colqwen3_5_SOURCES = tests/unit/test_colqwen3_5.c
nodist_EXTRA_tests_unit_test_colqwen3_5_SOURCES = dummy.cxx
tests_unit_test_colqwen3_5_LDADD = libparity.a $(MODEL_LIBS) $(ONNX_LIBS) $(UNIT_LIBS) $(TORCH_LIBS) -ldl -lpthread

check_PROGRAMS += tests/unit/test_config_neomme
tests_unit_test_config_neomme_SOURCES = tests/unit/test_config_neomme.c
nodist_EXTRA_tests_unit_test_config_neomme_SOURCES = dummy.cxx
tests_unit_test_config_neomme_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(TORCH_LIBS)

check_PROGRAMS += tests/unit/test_config_gemma3
tests_unit_test_config_gemma3_SOURCES = tests/unit/test_config_gemma3.c
nodist_EXTRA_tests_unit_test_config_gemma3_SOURCES = dummy.cxx
tests_unit_test_config_gemma3_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(TORCH_LIBS)

check_PROGRAMS += tests/unit/test_config_refusals
EXTRA_DIST += $(wildcard $(srcdir)/tests/unit/refusals/*.json)
tests_unit_test_config_refusals_SOURCES = tests/unit/test_config_refusals.c
nodist_EXTRA_tests_unit_test_config_refusals_SOURCES = dummy.cxx
tests_unit_test_config_refusals_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(TORCH_LIBS)

check_PROGRAMS += tests/unit/test_config_ministral3
tests_unit_test_config_ministral3_SOURCES = tests/unit/test_config_ministral3.c
nodist_EXTRA_tests_unit_test_config_ministral3_SOURCES = dummy.cxx
tests_unit_test_config_ministral3_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(TORCH_LIBS)

check_PROGRAMS += tests/unit/test_config_granite
tests_unit_test_config_granite_SOURCES = tests/unit/test_config_granite.c
nodist_EXTRA_tests_unit_test_config_granite_SOURCES = dummy.cxx
tests_unit_test_config_granite_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(TORCH_LIBS)

check_PROGRAMS += tests/unit/test_model
tests_unit_test_model_SOURCES = tests/unit/test_model.c
nodist_EXTRA_tests_unit_test_model_SOURCES = dummy.cxx
tests_unit_test_model_LDADD = $(MODEL_LIBS) $(UNIT_LIBS) $(TORCH_LIBS)

check_PROGRAMS += tests/unit/test_hub
tests_unit_test_hub_LDADD = $(HUB_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_range
tests_unit_test_range_LDADD = libhttp.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_token
tests_unit_test_token_LDADD = libhttp.a $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_confine
tests_unit_test_confine_SOURCES = tests/unit/test_confine.c daemon/worker/confine.c
tests_unit_test_confine_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_sources
tests_unit_test_sources_SOURCES = tests/unit/test_sources.c \
	daemon/worker/processor.c daemon/worker/sources.c
tests_unit_test_sources_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/daemon
tests_unit_test_sources_LDADD = libcheckpoint.a $(UNIT_LIBS) -lpthread

check_PROGRAMS += tests/unit/test_prepare
tests_unit_test_prepare_LDADD = $(PICTURE_LIBS) $(CHECKPOINT_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_front
tests_unit_test_front_LDADD = libparity.a $(ONNX_LIBS) $(PICTURE_LIBS) $(SPEC_LIBS) $(CMOCKA_LIBS) -ldl
