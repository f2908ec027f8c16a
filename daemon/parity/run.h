/*
 * One case on one graph.
 *
 * A graph gets the tensors in.NAME of the case for its inputs by name; what else the case
 * holds is not fed. The unified graph takes cases without pixels too, and is then run with
 * both fillings that its users choose from: blank images, and no images at all.
 *
 * The graph preprocess makes the inputs of the others from a picture; its outputs are compared with the inputs of the
 * case by name, whole numbers for equality and pixels in grey levels.
 */
#ifndef PARITY_RUN_H
#define PARITY_RUN_H

#include "spec/variant.h"
#include "cases.h"
#include "compare.h"
#include "ort.h"

/* How far the pixels that preprocess makes are from those of the case, in grey levels. */
struct levels {
	size_t samples;
	size_t differing;
	double max;
};

/* On other processors and devices a product may be rounded otherwise. */
#define LEVELS_MAX 1.01
#define LEVELS_SHARE_MAX 1e-4

enum pixels {
	PIXELS_CASE, /* those of the case, if it has any */
	PIXELS_ZEROS,
	PIXELS_NONE,
	PIXELS_MAX,
};

struct run {
	const struct parity_case *c;
	enum variant variant;
	enum pixels pixels;
	float *got;           /* shape of c->want; NULL until run, and when there was nothing to compare */
	struct compare cmp;   /* valid when `got` is set */
	struct levels levels; /* of preprocess */
	double seconds;       /* of the graph alone */
	struct err why;       /* why it did not pass: E_PARITY or E_BAD_ONNX */
};

/* Would a graph of this variant run this case so filled? */
bool run_applies(const struct parity_case *c, enum variant v, enum pixels p);

const char *pixels_name(enum pixels p); /* "zeros", "none"; NULL for PIXELS_CASE */

/*
 * Runs and judges. A graph that fails on the case, gives another shape or is outside the
 * limits is no error here: r->why says so. A case that lacks an input of the graph is.
 */
int run_case(struct run *r, struct ort_session *s, const struct limits *l, struct err *e);
void run_release(struct run *r);

#endif
