/*
 * One conversion, stage by stage: resolve, trace, export, reference, parity.
 *
 * Everything is written below job->out_dir, which must be an empty folder. What a stage needs
 * of an earlier one stays open until conversion_release().
 */
#ifndef WORKER_STAGES_H
#define WORKER_STAGES_H

#include "model/model.h"
#include "onnx/onnx.h"
#include "spec/spec.h"
#include "report.h"
#include "source.h"
#include "sources.h"

struct page;

struct conversion {
	const Colconv__Job *job;
	struct spec spec; /* what the job asks for */
	struct report *report;
	struct source source;         /* of the model */
	struct source base;           /* of an adapter's base, where the job names it or it is a repository */
	char *base_name;              /* of that repository, where the adapter names it */
	struct folder_roots readable; /* the job's roots, and the repositories that were fetched */
	char *repo_dirs[2];           /* of these, the repositories' */
	struct checkpoint *checkpoint;
	const struct model *model;
	const struct model_spelling *spelling; /* of its config.json */
	void *config;                          /* of the model */
	struct ir_graph *graph[VARIANT_MAX];   /* NULL: not asked for */
	struct sources *sources;               /* NULL in a print of a graph */
	struct page *page;                     /* page.h; NULL: no graph takes a picture */
	struct onnx_export *onnx;
	char *case_dir;   /* the reference's cases, while they are needed */
	json_t *parity;   /* the report, when parity was checked */
	json_t *warnings; /* of warnings.h; NULL: none yet */
};

int conversion_run(struct conversion *c, struct err *e);
void conversion_release(struct conversion *c);

/* Opens a checkpoint and reads its config by its model. `choice` may be NULL. */
int conversion_resolve(struct conversion *c, const char *dir, const struct checkpoint_choice *choice,
		       struct err *e);

/* The name that the file of a variant's graph has in the artifact. */
const char *conversion_file(const struct conversion *c, enum variant v);

/* The graph of one variant, the caller's. */
int conversion_trace(const struct conversion *c, enum variant v, struct ir_graph **ret, struct err *e);

#endif
