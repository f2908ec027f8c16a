/*
 * One conversion, stage by stage: resolve, trace, export, reference, parity.
 *
 * All files are written below job->out_dir, which must be an empty folder. Results of a stage stay available to later
 * stages until conversion_release().
 */
#ifndef WORKER_STAGES_H
#define WORKER_STAGES_H

#include "model/model.h"
#include "onnx/onnx.h"
#include "spec/spec.h"
#include "torch/shim.h"
#include "licence.h"
#include "report.h"
#include "source.h"
#include "sources.h"

struct rounding;

#define GRAPH_FILE_LEN 32
#define RECIPE_LEN (2 * SHA256_HEX_LEN + 1)

struct conversion {
	const Colconv__Job *job;
	struct spec spec; /* what the job asks for */
	struct report *report;
	struct source source;         /* of the model */
	struct source base;           /* of an adapter's base, if the job names it or it is a repository */
	char *base_name;              /* repository of the base, if the adapter names one */
	struct folder_roots readable; /* the job's roots, and the repositories that were fetched */
	char *repo_dirs[2];           /* of `readable`, the folders of repositories */
	struct checkpoint *checkpoint;
	const struct model *model;
	struct model_found found;            /* of which `model` is a member: its class and head */
	void *config;                        /* of the model */
	const struct model_prompt *prompt;   /* the one that the manifest names; NULL: the family has none */
	char licence[2][LICENCE_ID_LEN];     /* from the card of the model and of its base; "": no licence
                                              * there */
	struct ir_graph *graph[VARIANT_MAX]; /* NULL: not requested */
	const char *folder;                  /* of the graphs, within out_dir: "onnx"; "": out_dir itself */
	char graph_file[VARIANT_MAX][GRAPH_FILE_LEN]; /* in that folder */
	struct sources *sources;                      /* NULL when only a graph is printed */
	struct document *document;                    /* page.h; NULL: no graph takes a picture */
	struct onnx_export *onnx;
	int runtime; /* the release of ONNX Runtime that parity runs the graphs in; 0: another */
	struct rounding *rounding;   /* weights in 8 bits; NULL: none */
	size_t keep_rounds;          /* how often more matrices were kept in float16 */
	enum tt_device device;       /* that computed the reference */
	char *case_dir;              /* folder of the reference's cases, removed before the end */
	json_t *parity;              /* the report, when parity was checked */
	json_t *warnings;            /* of warnings.h; NULL: none yet */
	char recipe[RECIPE_LEN + 1]; /* of recipe.h; "": not known */
	size_t opened;               /* files of the sources that were open when all were */
	bool known;                  /* the job knows an artifact with this recipe: nothing is converted */
};

int conversion_run(struct conversion *c, struct err *e);
void conversion_release(struct conversion *c);

/* Sets folder and graph_file, once the job's options are known. */
void conversion_names_set(struct conversion *c);

/*
 * Names within the artifact, on the heap: "onnx/model.onnx" for a file in the folder of the graphs. NULL:
 * memory ran out.
 */
char *conversion_artifact_name(const struct conversion *c, const char *file);
char *conversion_path(const struct conversion *c, const char *file); /* the same as a path */

unsigned conversion_extras(const struct conversion *c); /* EXTRA_* that the job asks for (onnx/extra.h) */

const char *conversion_output(const struct conversion *c); /* name of each graph's output */

/* Opens a checkpoint and reads its config by its model. `choice` may be NULL. */
int conversion_resolve(struct conversion *c, const char *dir, const struct checkpoint_choice *choice,
		       struct err *e);

/* Traces the graph of one variant. The caller owns *ret. */
int conversion_trace(const struct conversion *c, enum variant v, struct ir_graph **ret, struct err *e);

#endif
