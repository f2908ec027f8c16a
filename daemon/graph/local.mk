noinst_LIBRARIES += libgraph.a
libgraph_a_SOURCES = \
	daemon/graph/arena.c daemon/graph/arena.h \
	daemon/graph/check.c \
	daemon/graph/dims.c daemon/graph/dims.h daemon/graph/symbols.def \
	daemon/graph/dump.c \
	daemon/graph/graph.c daemon/graph/graph.h daemon/graph/ops.def \
	daemon/graph/infer.c
