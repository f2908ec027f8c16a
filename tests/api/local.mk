# What pytest runs in tests/api: the daemon over real HTTP, with a worker that follows a script.
check_PROGRAMS += tests/api/fake_worker
tests_api_fake_worker_SOURCES = tests/api/fake_worker.c
tests_api_fake_worker_LDADD = $(SPEC_LIBS)

# A library that is opened at run time: a "program" that is linked as one.
check_PROGRAMS += tests/api/libnvidia-ml.so.1
tests_api_libnvidia_ml_so_1_SOURCES = tests/api/fake_nvml.c
tests_api_libnvidia_ml_so_1_CFLAGS = $(AM_CFLAGS) -fPIC -fno-sanitize=all
tests_api_libnvidia_ml_so_1_LDFLAGS = -shared
