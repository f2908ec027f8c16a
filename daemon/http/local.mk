# The only user of libmicrohttpd.
noinst_LIBRARIES += libhttp.a
libhttp_a_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) -DEMBED_TOP='"$(top_srcdir)"'
libhttp_a_SOURCES = \
	daemon/http/access.c daemon/http/access.h \
	daemon/http/api.h daemon/http/api_events.c daemon/http/api_file.c daemon/http/api_history.c daemon/http/api_job.c \
	daemon/http/api_list.c daemon/http/api_misc.c daemon/http/api_ops.c daemon/http/api_page.c daemon/http/api_remove.c \
	daemon/http/api_submit.c \
	daemon/http/conn.c daemon/http/conn.h \
	daemon/http/embed.c daemon/http/embed.h daemon/http/embedded.def \
	daemon/http/feed.c \
	daemon/http/head.c daemon/http/head.h \
	daemon/http/listen.c daemon/http/listen.h \
	daemon/http/metrics.c daemon/http/metrics.h \
	daemon/http/param.c daemon/http/param.h \
	daemon/http/range.c daemon/http/range.h \
	daemon/http/reply.c daemon/http/reply.h \
	daemon/http/request.c daemon/http/request.h \
	daemon/http/route.c daemon/http/route.h daemon/http/routes.def \
	daemon/http/server.c daemon/http/server.h \
	daemon/http/stream.c daemon/http/stream.h \
	daemon/http/token.c daemon/http/token.h \
	daemon/http/wait.c daemon/http/wait.h

PAGE_FILES = $(addprefix $(top_srcdir)/daemon/http/page/, index.html icon.svg page.css theme.js main.js dom.js api.js rates.js \
	overview.js jobs.js job.js parity.js submit.js)
EXTRA_DIST += $(PAGE_FILES)

# What the program carries (embedded.def): the assembler reads it, of which the compiler's lists of dependencies know nothing.
daemon/http/libhttp_a-embed.$(OBJEXT): $(top_srcdir)/proto/openapi.json $(PAGE_FILES)
