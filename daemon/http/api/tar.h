/* GET /v1/jobs/{id}/files?as=tar: an artifact as one tar file, made while it is sent. */
#ifndef HTTP_API_TAR_H
#define HTTP_API_TAR_H

#include "artifact/artifact.h"
#include "http/core/request.h"
#include "queue/job.h"

/* Replies with the files of the job's artifact, which are in `list`, in a folder colconv-ID. `list` is emptied. */
int api_tar_reply(struct request *q, const struct job *job, struct artifact_list *list, struct err *e);

#endif
