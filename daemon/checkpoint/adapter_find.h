/*
 * Which folders a conversion reads when an adapter may be involved.
 *
 *	the folder holds                 merged by default          --adapter merge    --adapter ignore
 *	a model                          nothing                    refused            the model
 *	an adapter                       adapter over its base      the same           refused
 *	both                             refused: two readings      adapter over the   the model
 *	                                                            folder's model
 *	neither, one subfolder has one   the subfolder's adapter    the same           refused
 *
 * With a task a model's own adapters, in its folder adapters/, go over it; what has no such folder is refused. Without
 * a task checkpoint_open() looks into that folder.
 *
 * A base that the job names takes the place of the one that the adapter names, and of the folder's model.
 */
#ifndef CHECKPOINT_ADAPTER_FIND_H
#define CHECKPOINT_ADAPTER_FIND_H

#include "base/folder.h"

#define ADAPTER_TASKS_DIR "adapters" /* within a model's folder: its adapters for tasks */

enum adapter_use {
	ADAPTER_DEFAULT,
	ADAPTER_MERGE,
	ADAPTER_IGNORE,
};

struct adapter_place {
	char *dir;   /* folder of the adapter; NULL: no adapter, or it is ignored */
	char *model; /* folder of config.json and the weights; NULL: the base is not on this machine */
	char *base;  /* the base as named by the adapter; NULL: not named, or not needed */
};

/* clang-format off */
#define ADAPTER_PLACE_INIT { .dir = NULL }
/* clang-format on */

/*
 * `base` is the folder of the base that the job names, or NULL. The adapter's own name for its base is looked for
 * in the adapter's folder and in the folders around it, a repository OWNER/NAME as NAME too.
 *
 * E_BAD_REQUEST for a choice that does not fit the folder, and for a folder that needs one. E_NOT_ALLOWED for an
 * adapter beneath none of the roots; the folder of the model is not opened here.
 */
int adapter_find(struct folder_roots roots, const char *dir, const char *base, enum adapter_use use,
		 const char *task, struct adapter_place *ret, struct err *e);
void adapter_place_release(struct adapter_place *p);

#endif
