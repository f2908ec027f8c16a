noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	daemon/base/banned.h \
	daemon/base/buf.c daemon/base/buf.h \
	daemon/base/elem.c daemon/base/elem.h daemon/base/elems.def \
	daemon/base/conf_file.c daemon/base/conf_file.h \
	daemon/base/err.c daemon/base/err.h daemon/base/errors.def \
	daemon/base/folder.c daemon/base/folder.h \
	daemon/base/fs.c daemon/base/fs.h \
	daemon/base/helper.c daemon/base/helper.h \
	daemon/base/json.c daemon/base/json.h \
	daemon/base/log.c daemon/base/log.h \
	daemon/base/loop.c daemon/base/loop.h \
	daemon/base/map.c daemon/base/map.h \
	daemon/base/proc.c daemon/base/proc.h \
	daemon/base/pulse.c daemon/base/pulse.h \
	daemon/base/rng.h \
	daemon/base/sha256.c daemon/base/sha256.h \
	daemon/base/str.c daemon/base/str.h \
	daemon/base/util.h
BASE_LIBS = libbase.a $(JANSSON_LIBS) $(CRYPTO_LIBS) -lm
EXTRA_DIST += daemon/base/README.md
