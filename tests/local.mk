# Unit tests: one cmocka program a module, tests/unit/test_NAME.c. Each folder's own
# local.mk in tests/unit says what it links; `make check` runs tests/run.
include tests/unit/local.mk
include tests/api/local.mk
include tests/fault/local.mk
include tests/fuzz/local.mk
include tests/warm/local.mk

# What runs under pytest, and its data.
EXTRA_DIST += tests/run tests/programs.py tests/schedule.py $(wildcard $(addprefix $(srcdir)/tests/, \
	*/*.h api/*.py fault/*.py golden/*.py page/*.py golden/README.md golden/*/*.json golden/*/*.safetensors golden/*/*.png golden/*/*.py golden/peft/*/* golden/*/adapters/* golden/*/[0-9]_*/* golden/pictures/* \
	docs/*.py lint/*.py \
	original/*.py original/README.md original/requirements.txt \
	consumers/*.py consumers/*.mjs consumers/README.md consumers/run consumers/requirements/*.txt \
	contract/*.py contract/README.md contract/requirements.txt contract/spectral.yaml fuzz/*.py))

RUN_TESTS = COLCONV_BUILD=$(abs_builddir) $(PYTHON) $(srcdir)/tests/run

# make check T='base tests/api/test_jobs.py' runs these alone.
check-local:
	@$(RUN_TESTS) --programs='$(check_PROGRAMS)' $(T)

clean-local:
	rm -rf tests/logs demo build-asan

# For tests/run by hand.
check-programs:
	@echo $(check_PROGRAMS)

.PHONY: check-programs
