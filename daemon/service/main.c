/*
 * colconvd: one thread and one event loop for the API, the queue and the workers.
 *
 * Exit status: 0 after SIGTERM or SIGINT, else that of the error (base/errors.def).
 */
#include "config.h"
#include "service.h"

static int
act(int argc, char **argv, struct err *e)
{
	enum conf_action action;
	struct settings settings;
	int r;

	r = settings_load(argc, argv, &settings, &action, e);
	if (r < 0)
		return r;
	switch (action) {
	case CONF_RUN:
		return service_run(&settings, argc, argv, e);
	case CONF_CHECK:
		settings_warn(&settings);
		break;
	case CONF_PRINT:
		conf_print_file(stdout);
		break;
	case CONF_MANUAL:
		conf_print_manual(stdout);
		break;
	case CONF_HELP:
		conf_print_help(stdout);
		break;
	case CONF_VERSION:
		(void)printf("colconvd %s\n", PACKAGE_VERSION);
		break;
	}
	settings_release(&settings);
	return 0;
}

int
main(int argc, char **argv)
{
	struct err e = ERR_INIT;

	log_setup(LOG_LEVEL_INFO);
	if (act(argc, argv, &e) < 0)
		log_err("colconvd: %s", e.msg);
	return err_exit_status(e.code);
}
