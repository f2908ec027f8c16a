# Each test program: its line in check_PROGRAMS, its _SOURCES and its _LDADD (the libraries under test first).
UNIT_LIBS = $(BASE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/unit/test.h
tests_unit_test_base_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_graph
tests_unit_test_graph_SOURCES = tests/unit/test_graph.c
tests_unit_test_graph_LDADD = libgraph.a $(UNIT_LIBS)
