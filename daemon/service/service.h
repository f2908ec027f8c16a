/* The daemon as a whole, from its start to its end. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "settings.h"

/* Runs until it is told to stop. Takes `settings`; the command line is needed to reload them on SIGHUP. */
int service_run(struct settings *settings, int argc, char **argv, struct err *e);

#endif
