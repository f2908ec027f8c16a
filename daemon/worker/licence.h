/* The licence that a checkpoint's model card declares in its YAML head: `license: apache-2.0`. */
#ifndef WORKER_LICENCE_H
#define WORKER_LICENCE_H

#include "base/folder.h"
#include "hub/hub.h"

#define LICENCE_ID_LEN 64 /* with its NUL */

/*
 * The identifier in that folder's card; "" where there is no card or it declares none. The card is text from outside:
 * only an identifier of letters, digits and "-._+" is taken from it. E_NOT_ALLOWED, E_SOURCE_CHANGED as folder_read().
 */
int licence_read(struct folder *f, char ret[LICENCE_ID_LEN], struct err *e);

/* The same of a card's text. */
void licence_find(const char *card, char ret[LICENCE_ID_LEN]);

#endif
