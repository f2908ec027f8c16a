# The client. All but main.c and the commands is a library, so that tests can link it.
noinst_LIBRARIES += libclient.a
libclient_a_SOURCES = \
	client/bar.c client/bar.h \
	client/cli.c client/cli.h client/commands.def \
	client/complete.c client/complete.h \
	client/fact.c client/fact.h \
	client/fetch.c client/fetch.h \
	client/follow.c client/follow.h \
	client/guess.c client/guess.h \
	client/hint.c client/hint.h client/hints.def \
	client/history.c client/history.h \
	client/http.c client/http.h \
	client/interrupt.c client/interrupt.h \
	client/job.c client/job.h \
	client/job_options.c client/job_options.h client/job_options.def \
	client/listing.c client/listing.h \
	client/option.c client/option.h \
	client/parity.c client/parity.h \
	client/settings.c client/settings.h client/settings.def \
	client/sse.c client/sse.h \
	client/table.c client/table.h \
	client/text.c client/text.h \
	client/verify.c client/verify.h \
	client/worker.c client/worker.h \
	client/clock.h
libclient_a_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"$(sysconfdir)"'
libclient_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
CLIENT_LIBS = libclient.a libonnxread.a $(SPEC_LIBS) $(CURL_LIBS)

bin_PROGRAMS += colconvctl
colconvctl_SOURCES = client/main.c \
	client/cmd_api.c \
	client/cmd_artifacts.c \
	client/cmd_change.c \
	client/cmd_config.c \
	client/cmd_convert.c \
	client/cmd_events.c \
	client/cmd_fetch.c \
	client/cmd_history.c \
	client/cmd_inspect.c \
	client/cmd_list.c \
	client/cmd_logs.c \
	client/cmd_models.c \
	client/cmd_parity.c \
	client/cmd_purge.c \
	client/cmd_runners.c \
	client/cmd_show.c \
	client/cmd_status.c \
	client/cmd_submit.c \
	client/cmd_version.c \
	client/cmd_watch.c
colconvctl_LDADD = $(CLIENT_LIBS)

dist_man_MANS += client/colconvctl.1 client/colconvctl.conf.5 client/colconv-api.7

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = client/completion/colconvctl
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = client/completion/_colconvctl
