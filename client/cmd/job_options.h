/* From the command line to the JSON of a job, for submit and convert. */
#ifndef CLIENT_JOB_OPTIONS_H
#define CLIENT_JOB_OPTIONS_H

#include "base/json.h"
#include "spec/field.h"
#include "option.h"

/* The option for a field; what it is given goes into the job's object `ret`. */
struct option_row job_option(enum spec_field_id id, json_t *ret);

/*
 * For a table of options: FIELD of spec/fields.def expands to JOB_OPTION_##use. A command that has no options of a use
 * defines that macro as nothing.
 */
#define JOB_OPTION_MODEL(id, ret) /* an operand */
#define JOB_OPTION_SOURCE(id, ret) job_option(id, ret),
#define JOB_OPTION_ARTIFACT(id, ret) job_option(id, ret),
#define JOB_OPTION_CHECK(id, ret) job_option(id, ret),
#define JOB_OPTION_QUEUE(id, ret) job_option(id, ret),

/* Adds a string to the array under `key` in the object that `ret` is. */
option_fn job_option_append;

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
