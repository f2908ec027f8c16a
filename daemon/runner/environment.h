/* Which variables of the daemon's environment a worker gets: environment.def. */
#ifndef RUNNER_ENVIRONMENT_H
#define RUNNER_ENVIRONMENT_H

#include "base/util.h"

bool environment_passes(const char *variable); /* "NAME=value" */

#endif
