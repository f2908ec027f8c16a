/* The tables, and how an older database becomes the newest. */
#ifndef QUEUE_SCHEMA_H
#define QUEUE_SCHEMA_H

#include "db.h"

/* In one transaction. E_BAD_DATABASE for a newer version, and for a database that is not ours. */
int schema_migrate(struct store *s, struct err *e);

#endif
