noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	daemon/base/architecture.c daemon/base/architecture.h daemon/base/architectures.def \
	daemon/base/banned.h \
	daemon/base/buf.c daemon/base/buf.h \
	daemon/base/err.c daemon/base/err.h daemon/base/errors.def \
	daemon/base/frame.c daemon/base/frame.h \
	daemon/base/fs.c daemon/base/fs.h \
	daemon/base/json.c daemon/base/json.h \
	daemon/base/log.c daemon/base/log.h \
	daemon/base/loop.c daemon/base/loop.h \
	daemon/base/proc.c daemon/base/proc.h \
	daemon/base/repo.c daemon/base/repo.h \
	daemon/base/profile.c daemon/base/profile.h daemon/base/profiles.def \
	daemon/base/rng.h \
	daemon/base/sha256.c daemon/base/sha256.h \
	daemon/base/str.c daemon/base/str.h \
	daemon/base/util.h \
	daemon/base/variant.c daemon/base/variant.h daemon/base/variants.def
BASE_LIBS = libbase.a $(JANSSON_LIBS) $(CRYPTO_LIBS) -lm
