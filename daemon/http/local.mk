# The only user of libmicrohttpd.
noinst_LIBRARIES += libhttp.a
libhttp_a_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) -DEMBED_TOP='"$(top_srcdir)"'
libhttp_a_SOURCES = daemon/http/core/access.c daemon/http/core/conn.c daemon/http/core/embed.c daemon/http/core/etag.c \
	daemon/http/core/head.c daemon/http/core/listen.c daemon/http/core/param.c daemon/http/core/range.c \
	daemon/http/core/reply.c daemon/http/core/request.c daemon/http/core/route.c daemon/http/core/share.c \
	daemon/http/core/server.c daemon/http/core/token.c daemon/http/live/live.c daemon/http/live/stream.c \
	daemon/http/live/wait.c daemon/http/api/api.c daemon/http/api/artifact.c daemon/http/api/catalog.c \
	daemon/http/api/events.c daemon/http/api/file.c daemon/http/api/history.c daemon/http/api/job.c daemon/http/api/preflight.c \
	daemon/http/api/runner.c daemon/http/api/status.c daemon/http/api/list.c daemon/http/api/misc.c \
	daemon/http/api/remove.c daemon/http/api/submit.c daemon/http/api/metrics.c daemon/http/api/routes.c daemon/http/api/tar.c \
	daemon/http/page/page.c

PAGE_FILES = $(addprefix $(top_srcdir)/daemon/http/page/web/, index.html icon.svg page.css theme.js main.js dom.js api.js rates.js \
	overview.js jobs.js job.js storage.js parity.js command.js submit.js)
EXTRA_DIST += $(PAGE_FILES)

# The assembler reads these files, which the compiler's lists of dependencies do not name.
daemon/http/api/libhttp_a-misc.$(OBJEXT): $(top_srcdir)/proto/openapi.json
daemon/http/page/libhttp_a-page.$(OBJEXT): $(PAGE_FILES)
