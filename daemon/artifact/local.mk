noinst_LIBRARIES += libartifact.a
libartifact_a_SOURCES = daemon/artifact/layout.c daemon/artifact/list.c daemon/artifact/publish.c daemon/artifact/purge.c \
	daemon/artifact/share.c daemon/artifact/stage.c daemon/artifact/trash.c
