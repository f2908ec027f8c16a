noinst_LIBRARIES += libartifact.a
libartifact_a_SOURCES = \
	daemon/artifact/artifact.h \
	daemon/artifact/layout.c daemon/artifact/layout.h \
	daemon/artifact/list.c \
	daemon/artifact/publish.c \
	daemon/artifact/purge.c \
	daemon/artifact/stage.c \
	daemon/artifact/trash.c
