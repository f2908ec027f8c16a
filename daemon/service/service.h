/* The daemon as a whole, from its start to its end. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "settings.h"

/* Until it is told to stop. `settings` is taken; the command line is for SIGHUP. */
int service_run(struct settings *settings, int argc, char **argv, struct err *e);

#endif
