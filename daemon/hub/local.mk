# The Hub's client.
noinst_LIBRARIES += libhub.a
libhub_a_SOURCES = daemon/hub/address.c daemon/hub/blob.c daemon/hub/cache.c daemon/hub/call.c daemon/hub/env.c daemon/hub/hub.c \
	daemon/hub/listing.c daemon/hub/push.c daemon/hub/transfer.c
HUB_LIBS = libhub.a $(NET_LIBS) $(CHECKPOINT_LIBS) $(SPEC_LIBS) $(BASE_LIBS)
