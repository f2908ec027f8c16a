# HTTP requests and downloads, for the Hub's client and for colconvctl. Nothing else uses libcurl.
noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	daemon/net/digest.c daemon/net/digest.h \
	daemon/net/download.c daemon/net/download.h \
	daemon/net/exchange.c daemon/net/exchange.h \
	daemon/net/part.c daemon/net/part.h \
	daemon/net/url.c daemon/net/url.h \
	daemon/net/wire.c daemon/net/wire.h
libnet_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
EXTRA_DIST += daemon/net/README.md
NET_LIBS = libnet.a $(BASE_LIBS) $(CURL_LIBS)
