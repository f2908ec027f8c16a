/* The parity report (daemon/parity/report.h) as a table. */
#ifndef CLIENT_PARITY_H
#define CLIENT_PARITY_H

#include <stdio.h>

#include "base/json.h"

int parity_read(const char *path, json_t **ret, struct err *e);
int parity_print(const json_t *report, FILE *f, struct err *e);

#endif
