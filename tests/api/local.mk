# What pytest runs in tests/api: the daemon over real HTTP, with a worker that follows a script.
check_PROGRAMS += tests/api/fake_worker
tests_api_fake_worker_SOURCES = tests/api/fake_worker.c
tests_api_fake_worker_LDADD = libproto.a $(BASE_LIBS) $(PROTOBUF_C_LIBS)
