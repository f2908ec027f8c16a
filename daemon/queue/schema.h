/* The tables, and how an older database becomes the newest. */
#ifndef QUEUE_SCHEMA_H
#define QUEUE_SCHEMA_H

#include "db.h"

/*
 * In one transaction, after a copy of an older database to PATH.VERSION. E_BAD_DATABASE for a newer version, and for a
 * database that is not ours; nothing is changed then, nor when there is no room for the copy.
 */
int schema_migrate(struct store *s, struct err *e);

#endif
