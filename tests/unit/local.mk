# Each test program: its line in check_PROGRAMS, its _SOURCES and its _LDADD (the libraries under test first).
UNIT_LIBS = $(BASE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/unit/test.h
tests_unit_test_base_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_spec
tests_unit_test_spec_SOURCES = tests/unit/test_spec.c
tests_unit_test_spec_LDADD = $(SPEC_LIBS) $(CMOCKA_LIBS)

CLIENT_TESTS = tests/unit/test_bar tests/unit/test_options tests/unit/test_sse tests/unit/test_table
check_PROGRAMS += $(CLIENT_TESTS)
tests_unit_test_bar_SOURCES = tests/unit/test_bar.c tests/unit/test.h
tests_unit_test_bar_LDADD = libclient.a $(UNIT_LIBS)
tests_unit_test_options_SOURCES = tests/unit/test_options.c tests/unit/test.h
tests_unit_test_options_LDADD = libclient.a $(UNIT_LIBS)
tests_unit_test_sse_SOURCES = tests/unit/test_sse.c tests/unit/test.h
tests_unit_test_sse_LDADD = libclient.a $(UNIT_LIBS)
tests_unit_test_table_SOURCES = tests/unit/test_table.c tests/unit/test.h
tests_unit_test_table_LDADD = libclient.a $(UNIT_LIBS)
