noinst_LIBRARIES += libgraph.a
libgraph_a_SOURCES = daemon/graph/arena.c daemon/graph/check.c daemon/graph/dims.c daemon/graph/dump.c daemon/graph/graph.c \
	daemon/graph/infer.c
