# Programs in which calls of the C library fail on purpose.
check_PROGRAMS += tests/fault/test_queue
tests_fault_test_queue_SOURCES = tests/fault/test_queue.c
tests_fault_test_queue_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
tests_fault_test_queue_LDADD = $(QUEUE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/fault/test_manifest
tests_fault_test_manifest_SOURCES = tests/fault/test_manifest.c
nodist_EXTRA_tests_fault_test_manifest_SOURCES = dummy.cxx
tests_fault_test_manifest_LDADD = $(WORKER_LIBS) $(CMOCKA_LIBS) $(TORCH_LIBS) -lpthread

# Faults in exported graphs, each found by a case of parity.
check_PROGRAMS += tests/fault/test_graph_faults
tests_fault_test_graph_faults_SOURCES = tests/fault/test_graph_faults.c
nodist_EXTRA_tests_fault_test_graph_faults_SOURCES = dummy.cxx
tests_fault_test_graph_faults_LDADD = libparity.a $(WORKER_LIBS) $(CMOCKA_LIBS) $(TORCH_LIBS) -ldl -lpthread

# make soak SOAK='--kills 2000 --seed 7': see tests/fault/soak.py.
soak: all
	@$(MAKE) $(AM_MAKEFLAGS) tests/api/fake_worker
	@COLCONV_BUILD=$(abs_builddir) $(PYTHON) $(srcdir)/tests/fault/soak.py --real-slots 1 $(SOAK)

.PHONY: soak
