/* The tables, and the upgrade of a database of an older version. */
#ifndef QUEUE_SCHEMA_H
#define QUEUE_SCHEMA_H

#include "db.h"

/*
 * Upgrade in one transaction, after copying the old database to PATH.VERSION. E_BAD_DATABASE: the database is of a
 * newer version, or was not made by colconv. On that error, and when the copy does not fit on the disk, the database
 * is left as it was.
 */
int schema_migrate(struct store *s, struct err *e);

#endif
