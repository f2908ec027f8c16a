# Unit tests: one cmocka program a module, tests/unit/test_NAME.c. Each folder's own
# local.mk in tests/unit says what it links; `make check` runs tests/run.
include tests/unit/local.mk
include tests/fault/local.mk
