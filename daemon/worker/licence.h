/* The licence that a checkpoint's model card declares in its YAML head: `license: apache-2.0`. */
#ifndef WORKER_LICENCE_H
#define WORKER_LICENCE_H

#include "base/folder.h"
#include "hub/hub.h"

#define LICENCE_ID_LEN 64 /* with its NUL */

/*
 * Finds the licence identifier in the folder's card; "" without a card or without a licence in it. The card
 * is text from outside, so only letters, digits and "-._+" are accepted. E_NOT_ALLOWED and E_SOURCE_CHANGED
 * as folder_read().
 */
int licence_read(struct folder *f, char ret[LICENCE_ID_LEN], struct err *e);

/* The same for the text of a card. */
void licence_find(const char *card, char ret[LICENCE_ID_LEN]);

#endif
