noinst_LIBRARIES += libcheckpoint.a
libcheckpoint_a_SOURCES = \
	daemon/checkpoint/adapter.c daemon/checkpoint/adapter.h \
	daemon/checkpoint/adapter_config.c daemon/checkpoint/adapter_config.h \
	daemon/checkpoint/adapter_find.c daemon/checkpoint/adapter_find.h \
	daemon/checkpoint/checkpoint.c daemon/checkpoint/checkpoint.h \
	daemon/checkpoint/convert.c daemon/checkpoint/convert.h \
	daemon/checkpoint/config.c daemon/checkpoint/config.h \
	daemon/checkpoint/config_scope.c daemon/checkpoint/config_scope.h \
	daemon/checkpoint/header.c daemon/checkpoint/header.h \
	daemon/checkpoint/index.c daemon/checkpoint/index.h \
	daemon/checkpoint/names.c daemon/checkpoint/names.h \
	daemon/checkpoint/processor.def \
	daemon/checkpoint/require.c \
	daemon/checkpoint/pattern.c daemon/checkpoint/pattern.h \
	daemon/checkpoint/pattern_parse.c daemon/checkpoint/pattern_private.h \
	daemon/checkpoint/safetensors.c daemon/checkpoint/safetensors.h \
	daemon/checkpoint/scan.c daemon/checkpoint/scan.h \
	daemon/checkpoint/sniff.c daemon/checkpoint/sniff.h \
	daemon/checkpoint/stwriter.c daemon/checkpoint/stwriter.h \
	daemon/checkpoint/weight.c daemon/checkpoint/weight.h \
	daemon/checkpoint/weight_init.c
CHECKPOINT_LIBS = libcheckpoint.a $(BASE_LIBS)
EXTRA_DIST += daemon/checkpoint/README.md
