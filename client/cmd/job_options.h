/* From the command line to the JSON of a job, for submit and convert. */
#ifndef CLIENT_JOB_OPTIONS_H
#define CLIENT_JOB_OPTIONS_H

#include "base/json.h"
#include "option.h"

/* Each puts its value into the object that `ret` is, under `key`. */
option_fn job_option_list, job_option_str, job_option_append, job_option_max_abs, job_option_min_cosine,
	job_option_seed, job_option_no_parity, job_option_label, job_option_whole, job_option_seconds;

/* The JSON object of a job's file; "-" is the standard input. */
int job_file_read(const char *path, json_t **ret, struct err *e);

/*
 * The job that a file (NULL: none) and the options in *spec ask for, these put over it, with `model` (NULL: the file
 * has it) over both.
 */
int job_spec_finish(json_t **spec, const char *file, const char *model, struct err *e);

/* Makes the paths of a job absolute: the daemon has another working folder. OWNER/NAME that is no folder is left. */
int job_paths_resolve(json_t *spec, struct err *e);

#endif
