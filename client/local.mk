# The client, in three wings. All but main.c and the commands is a library, so that tests can link it.
noinst_LIBRARIES += libclient.a
libclient_a_SOURCES = client/net/http.c client/net/interrupt.c client/net/sse.c client/show/bar.c client/show/fact.c \
	client/show/job.c client/show/log_line.c client/show/parity.c client/show/remedy.c client/show/table.c \
	client/show/text.c client/cmd/cli.c client/cmd/confirm.c client/cmd/exported.c client/cmd/fetch.c client/cmd/follow.c client/cmd/guess.c client/cmd/history.c \
	client/cmd/job_options.c client/cmd/known.c client/cmd/like.c client/cmd/listing.c client/cmd/mistyped.c client/cmd/option.c client/cmd/settings.c \
	client/cmd/signature.c client/cmd/tree.c client/cmd/verify.c client/cmd/worker.c
libclient_a_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"$(sysconfdir)"'
CLIENT_LIBS = libclient.a libonnxread.a libhub.a $(NET_LIBS) $(SPEC_LIBS)

bin_PROGRAMS += colconvctl
colconvctl_SOURCES = client/cmd/main.c client/cmd/cmd_api.c client/cmd/cmd_artifacts.c client/cmd/cmd_change.c \
	client/cmd/cmd_complete.c client/cmd/cmd_config.c client/cmd/cmd_convert.c client/cmd/cmd_embed.c \
	client/cmd/cmd_events.c client/cmd/cmd_fetch.c client/cmd/cmd_history.c client/cmd/cmd_inspect.c client/cmd/cmd_list.c \
	client/cmd/cmd_logs.c client/cmd/cmd_models.c client/cmd/cmd_parity.c client/cmd/cmd_purge.c client/cmd/cmd_push.c client/cmd/cmd_runners.c \
	client/cmd/cmd_show.c client/cmd/cmd_sign.c client/cmd/cmd_status.c client/cmd/cmd_submit.c client/cmd/cmd_verify.c client/cmd/cmd_version.c client/cmd/cmd_watch.c
colconvctl_LDADD = $(CLIENT_LIBS)

dist_man_MANS += client/colconvctl.1 client/colconvctl.conf.5 client/colconv-api.7

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = client/completion/colconvctl
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = client/completion/_colconvctl
