# HTTP requests and downloads, for the Hub's client and for colconvctl. Nothing else uses libcurl.
noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = daemon/net/digest.c daemon/net/download.c daemon/net/exchange.c daemon/net/part.c daemon/net/url.c \
	daemon/net/wire.c
libnet_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
NET_LIBS = libnet.a $(BASE_LIBS) $(CURL_LIBS)
