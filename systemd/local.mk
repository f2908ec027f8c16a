# Below the prefix, where systemd looks when that is /usr or /usr/local.
EXTRA_DIST += systemd/colconvd.service.in systemd/colconvd.socket systemd/sysusers.conf systemd/tmpfiles.conf

if SYSTEMD
unitdir = $(prefix)/lib/systemd/system
nodist_unit_DATA = systemd/colconvd.service
unit_DATA = systemd/colconvd.socket
dist_doc_DATA = systemd/gpu.conf
CLEANFILES += systemd/colconvd.service

systemd/colconvd.service: systemd/colconvd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && \
		sed -e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' $(srcdir)/$@.in > $@.tmp && mv $@.tmp $@

install-data-hook:
	$(MKDIR_P) "$(DESTDIR)$(prefix)/lib/sysusers.d" "$(DESTDIR)$(prefix)/lib/tmpfiles.d"
	$(INSTALL_DATA) $(srcdir)/systemd/sysusers.conf "$(DESTDIR)$(prefix)/lib/sysusers.d/colconv.conf"
	$(INSTALL_DATA) $(srcdir)/systemd/tmpfiles.conf "$(DESTDIR)$(prefix)/lib/tmpfiles.d/colconv.conf"
uninstall-hook:
	rm -f "$(DESTDIR)$(prefix)/lib/sysusers.d/colconv.conf" "$(DESTDIR)$(prefix)/lib/tmpfiles.d/colconv.conf"
endif
