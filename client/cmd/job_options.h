/* Makes the JSON of a job from the command line, for submit and convert. */
#ifndef CLIENT_JOB_OPTIONS_H
#define CLIENT_JOB_OPTIONS_H

#include "base/json.h"
#include "spec/field.h"
#include "option.h"

/* The option of a field. Its value is stored in the job's object `ret`. */
struct option_row job_option(enum spec_field_id id, json_t *ret);

/*
 * Makes option rows of fields.def: FIELD expands to JOB_OPTION_##use. A command that lacks the options of a
 * use defines that macro as nothing.
 */
#define JOB_OPTION_MODEL(id, ret) /* MODEL is an operand */
#define JOB_OPTION_SOURCE(id, ret) job_option(id, ret),
#define JOB_OPTION_ARTIFACT(id, ret) job_option(id, ret),
#define JOB_OPTION_CHECK(id, ret) job_option(id, ret),
#define JOB_OPTION_QUEUE(id, ret) job_option(id, ret),

/* Adds a string to the array under `key` in the object that `ret` is. */
option_fn job_option_append;

/* The JSON object of a job's file; "-" is the standard input. */
int job_file_read(const char *path, json_t **ret, struct err *e);

/* Puts the options in *spec over `base`, which becomes *spec. `name` names the base in errors. */
int job_spec_over(json_t **spec, json_t *base, const char *name, struct err *e);

/*
 * The job to submit: the file's (NULL: none), overridden by the options in *spec, overridden by `model`
 * (NULL: the file has it).
 */
int job_spec_finish(json_t **spec, const char *file, const char *model, struct err *e);

/*
 * Makes the paths of a job absolute, because the daemon has another working folder. OWNER/NAME stays, unless
 * it is a folder here.
 */
int job_paths_resolve(json_t *spec, struct err *e);

#endif
