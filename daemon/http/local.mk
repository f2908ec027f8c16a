# The only user of libmicrohttpd.
noinst_LIBRARIES += libhttp.a
libhttp_a_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS)
libhttp_a_SOURCES = \
	daemon/http/api.h daemon/http/api_file.c daemon/http/api_job.c daemon/http/api_list.c daemon/http/api_misc.c daemon/http/api_submit.c \
	daemon/http/listen.c daemon/http/listen.h \
	daemon/http/reply.c daemon/http/reply.h \
	daemon/http/request.c daemon/http/request.h \
	daemon/http/route.c daemon/http/route.h daemon/http/routes.def \
	daemon/http/server.c daemon/http/server.h \
	daemon/http/stream.c daemon/http/stream.h
