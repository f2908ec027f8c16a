# The Hub's client.
noinst_LIBRARIES += libhub.a
libhub_a_SOURCES = \
	daemon/hub/address.c daemon/hub/address.h \
	daemon/hub/blob.c daemon/hub/blob.h \
	daemon/hub/cache.c daemon/hub/cache.h \
	daemon/hub/env.c daemon/hub/env.h \
	daemon/hub/hub.c daemon/hub/hub.h \
	daemon/hub/listing.c daemon/hub/listing.h \
	daemon/hub/transfer.c daemon/hub/transfer.h
HUB_LIBS = libhub.a $(NET_LIBS) $(CHECKPOINT_LIBS) $(SPEC_LIBS) $(BASE_LIBS)
