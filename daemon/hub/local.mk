# The Hub's client. Nothing else in a worker uses libcurl.
noinst_LIBRARIES += libhub.a
libhub_a_SOURCES = \
	daemon/hub/address.c daemon/hub/address.h \
	daemon/hub/blob.c daemon/hub/blob.h \
	daemon/hub/cache.c daemon/hub/cache.h \
	daemon/hub/digest.c daemon/hub/digest.h \
	daemon/hub/env.c daemon/hub/env.h \
	daemon/hub/hop.c daemon/hub/hop.h \
	daemon/hub/hub.c daemon/hub/hub.h \
	daemon/hub/listing.c daemon/hub/listing.h \
	daemon/hub/transfer.c daemon/hub/transfer.h \
	daemon/hub/url.c daemon/hub/url.h
libhub_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
HUB_LIBS = libhub.a $(CHECKPOINT_LIBS) $(SPEC_LIBS) $(CURL_LIBS)
