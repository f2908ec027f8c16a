/* From the command line to the JSON of a job, for submit and convert. */
#ifndef CLIENT_JOB_OPTIONS_H
#define CLIENT_JOB_OPTIONS_H

#include "base/json.h"
#include "option.h"

/* Each puts its value into the object that `ret` is, under `key`. */
option_fn job_option_list, job_option_str, job_option_append, job_option_limit, job_option_seed,
	job_option_no_parity, job_option_label;

/* Makes the paths of a job absolute: the daemon has another working folder. OWNER/NAME that is no folder is left. */
int job_paths_resolve(json_t *spec, struct err *e);

#endif
