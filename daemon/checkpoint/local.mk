noinst_LIBRARIES += libcheckpoint.a
libcheckpoint_a_SOURCES = daemon/checkpoint/adapter.c daemon/checkpoint/adapter_config.c daemon/checkpoint/adapter_find.c \
	daemon/checkpoint/adapter_task.c \
	daemon/checkpoint/checkpoint.c daemon/checkpoint/convert.c daemon/checkpoint/config.c daemon/checkpoint/config_scope.c \
	daemon/checkpoint/glance.c daemon/checkpoint/header.c daemon/checkpoint/index.c daemon/checkpoint/modules.c daemon/checkpoint/names.c daemon/checkpoint/require.c \
	daemon/checkpoint/pattern.c daemon/checkpoint/pattern_parse.c daemon/checkpoint/safetensors.c daemon/checkpoint/scan.c \
	daemon/checkpoint/sniff.c daemon/checkpoint/stack.c daemon/checkpoint/stwriter.c daemon/checkpoint/weight.c daemon/checkpoint/weight_init.c
CHECKPOINT_LIBS = libcheckpoint.a $(BASE_LIBS)
