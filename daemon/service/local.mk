bin_PROGRAMS += colconvd
colconvd_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) $(SYSTEMD_CFLAGS) -DSYSCONFDIR='"$(sysconfdir)"'
colconvd_SOURCES = daemon/service/attempt.c daemon/service/closed.c daemon/service/conf.c daemon/service/conf_print.c \
	daemon/service/counters.c daemon/service/dispatch.c daemon/service/hub_token.c daemon/service/journal.c \
	daemon/service/keeper.c daemon/service/main.c daemon/service/notifier.c daemon/service/sd.c daemon/service/service.c daemon/service/settings.c \
	daemon/service/start.c
colconvd_LDADD = libhttp.a libcheckpoint.a $(RUNNER_LIBS) $(QUEUE_LIBS) $(MHD_LIBS) $(SYSTEMD_LIBS)

# The settings are the operator's: an upgrade leaves them alone, and so does uninstall once they were changed.
EXTRA_DIST += etc/colconvd.conf
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(sysconfdir)"
	test -e "$(DESTDIR)$(sysconfdir)/colconvd.conf" || \
		$(INSTALL_DATA) $(srcdir)/etc/colconvd.conf "$(DESTDIR)$(sysconfdir)/colconvd.conf"
uninstall-local: uninstall-settings
uninstall-settings:
	! cmp -s $(srcdir)/etc/colconvd.conf "$(DESTDIR)$(sysconfdir)/colconvd.conf" || \
		rm -f "$(DESTDIR)$(sysconfdir)/colconvd.conf"
.PHONY: uninstall-settings

# The page of the settings is the program's own.
nodist_man_MANS = daemon/service/colconvd.conf.5
CLEANFILES += $(nodist_man_MANS)
daemon/service/colconvd.conf.5: colconvd$(EXEEXT)
	$(AM_V_GEN)./colconvd$(EXEEXT) --print-manual > $@.tmp && mv $@.tmp $@
EXTRA_DIST += etc/prometheus-rules.yml
