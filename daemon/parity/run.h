/*
 * Runs one case on one graph.
 *
 * The graph gets the tensors in.NAME of the case for its inputs of the same names; other tensors are not
 * used. The unified graph also takes cases without pixels, in the two ways that its users choose from: with
 * blank images, and without images.
 *
 * The graph preprocess makes the inputs of the other graphs from a picture. Its outputs are compared with
 * the case's inputs of the same names: whole numbers must be equal, pixels are compared in grey levels.
 */
#ifndef PARITY_RUN_H
#define PARITY_RUN_H

#include "spec/variant.h"
#include "beside.h"
#include "cases.h"
#include "compare.h"
#include "ort.h"

/* The difference, in grey levels, between the pixels that preprocess makes and those of the case. */
struct levels {
	size_t samples;
	size_t differing;
	double max;
};

/* Other processors and devices may round a product differently. */
#define LEVELS_MAX 1.01
#define LEVELS_SHARE_MAX 1e-4

enum pixels {
	PIXELS_CASE, /* pixels of the case, if it has any */
	PIXELS_ZEROS,
	PIXELS_NONE,
	PIXELS_MAX,
};

struct run {
	const struct parity_case *c;
	enum variant variant;
	enum pixels pixels;
	float *got;            /* shape of c->want; NULL before the run, and when there is nothing to
                               * compare */
	struct compare cmp;    /* valid when `got` is set */
	struct beside *beside; /* of other outputs */
	size_t n_beside;
	struct levels levels; /* for preprocess */
	double seconds;       /* for the graph only */
	struct err why;       /* why it did not pass: E_PARITY or E_BAD_ONNX */
};

/* Whether a graph of this variant runs this case with this filling. */
bool run_applies(const struct parity_case *c, enum variant v, enum pixels p);

const char *pixels_name(enum pixels p); /* "zeros", "none"; NULL for PIXELS_CASE */

/*
 * Runs and judges. A graph that fails on the case, gives another shape or exceeds the limits is not an
 * error here: r->why says so. A case without an input that the graph needs is an error.
 */
int run_case(struct run *r, struct ort_session *s, const struct limits *l, struct err *e);
void run_release(struct run *r);

#endif
