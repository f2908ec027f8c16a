noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = daemon/base/base64.c daemon/base/buf.c daemon/base/conf_file.c daemon/base/ec_key.c daemon/base/elem.c daemon/base/err.c daemon/base/folder.c \
	daemon/base/fs.c daemon/base/helper.c daemon/base/json.c daemon/base/log.c daemon/base/loop.c daemon/base/map.c \
	daemon/base/proc.c daemon/base/pulse.c daemon/base/sha256.c daemon/base/str.c
BASE_LIBS = libbase.a $(JANSSON_LIBS) $(CRYPTO_LIBS) -lm
