/* Handlers of the dashboard's routes. */
#ifndef HTTP_PAGE_PAGE_H
#define HTTP_PAGE_PAGE_H

#include "http/core/route.h"

int page_get(struct request *q, struct err *e);      /* index.html */
int page_file_get(struct request *q, struct err *e); /* the file {name} */

#endif
