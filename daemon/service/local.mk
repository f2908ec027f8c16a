bin_PROGRAMS += colconvd
colconvd_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) $(SYSTEMD_CFLAGS) -DSYSCONFDIR='"$(sysconfdir)"'
colconvd_SOURCES = \
	daemon/service/conf.c daemon/service/conf.h daemon/service/settings.def \
	daemon/service/dispatch.c daemon/service/dispatch.h \
	daemon/service/journal.c daemon/service/journal.h \
	daemon/service/main.c \
	daemon/service/sd.c daemon/service/sd.h
colconvd_LDADD = libhttp.a $(RUNNER_LIBS) $(QUEUE_LIBS) $(MHD_LIBS) $(SYSTEMD_LIBS)

dist_sysconf_DATA = etc/colconvd.conf
