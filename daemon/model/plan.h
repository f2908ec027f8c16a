/*
 * Plans of parity cases: the number of rows, their lengths, and the sizes of their images. A family turns a
 * plan into inputs. The plans are the rows of plans.def.
 */
#ifndef MODEL_PLAN_H
#define MODEL_PLAN_H

#include "graph/dims.h"

/* The kind of a plan; a family chooses the kinds that fit it. */
enum {
	PLAN_TEXT = 1 << 0,    /* rows of text */
	PLAN_IMAGE = 1 << 1,   /* rows with and without images; the sizes of the images do not matter */
	PLAN_SIZES = 1 << 2,   /* images of different sizes */
	PLAN_TILES = 1 << 3,   /* images of different counts of tiles; sizes are in tiles */
	PLAN_PAGES = 1 << 5,   /* each row has one image; sizes are in quarters of a tile */
	PLAN_PARTIAL = 1 << 4, /* likewise, and each tile is partly masked */
};

#define PLAN_ROWS_MAX 16

/* Cases that are ranked: every query scores every document. Others are only compared. */
enum plan_role { PLAN_ROLE_NONE, PLAN_ROLE_QUERY, PLAN_ROLE_DOCUMENT };

struct plan {
	char name[32];
	enum plan_role role; /* in rankings */
	unsigned kind;       /* one of PLAN_* */
	bool pad_right;
	int padding; /* tokens of padding in the longest row */
	int n_rows;
	struct plan_row {
		int tokens; /* words of text */
		int n_images;
		struct {
			int h, w; /* in patches or, of the kinds TILES and PARTIAL, in tiles; families with one size of image ignore it */
		} image[2];
	} row[PLAN_ROWS_MAX];
};

size_t plan_count(void);
const struct plan *plan_get(size_t i);

/*
 * Plan `i` of those that rank PLAN_RANKED queries and as many documents; false after the last. A document is a page with
 * a small image, as far as `pages` go, and then text. `kinds` are those of the family.
 */
#define PLAN_RANKED 64
bool plan_ranked(size_t i, unsigned kinds, size_t pages, struct plan *ret);

bool plan_has_images(const struct plan *p);
int64_t plan_image_count(const struct plan *p); /* of all rows */

/* Images, and patches of the largest, of a plan whose sizes are in patches. */
struct sizes plan_images_sizes(const struct plan *p);

#endif
