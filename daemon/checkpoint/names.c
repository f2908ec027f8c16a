#include "names.h"

#include "base/str.h"

/* What wraps the whole model; any number of them, in any order. */
static const char *const wrappers[] = {"base_model.model.", "vlm.", "model."};

/* The first row that fits gives the part its canonical name; no row leaves the name as it is. */
static const struct {
	const char *from, *to;
} parts[] = {
	{"language_model.model.", "lm."},
	{"language_model.", "lm."},
	{"text_model.model.", "lm."},
	{"text_model.", "lm."},
	{"layers.", "lm.layers."},
	{"embed_tokens.", "lm.embed_tokens."},
	{"norm.", "lm.norm."},
	{"visual.", "vis."},
	{"vision_tower.vision_model.", "vis."},
	{"vision_tower.", "vis."},
	{"vision_model.", "vis."},
	{"embedding_proj_layer.", "proj."},
	{"custom_text_proj.", "proj."},
	{"linear.", "proj."},
	{"multi_modal_projector.", "mmproj."},
};

/* Saved by some library versions, read by no retrieval path. */
static const char *const ignored[] = {
	"lm_head.weight",
	".rotary_emb.inv_freq",
	".rotary_pos_emb.inv_freq",
	".position_ids",
};

static const char *
wrappers_strip(const char *name)
{
	size_t i = 0;

	while (i < ARRAY_LEN(wrappers)) {
		if (str_starts(name, wrappers[i])) {
			name += strlen(wrappers[i]);
			i = 0;
		} else {
			i++;
		}
	}
	return name;
}

int
name_canonical(const char *name, char *ret, struct err *e)
{
	const char *rest = wrappers_strip(name), *part = "";
	size_t i;

	for (i = 0; i < ARRAY_LEN(ignored); i++)
		if (str_ends(name, ignored[i]))
			return 0;
	for (i = 0; i < ARRAY_LEN(parts); i++) {
		if (str_starts(rest, parts[i].from)) {
			rest += strlen(parts[i].from);
			part = parts[i].to;
			break;
		}
	}
	if (snprintf(ret, NAME_LEN_MAX, "%s%s", part, rest) >= NAME_LEN_MAX)
		return err_set(e, E_BAD_CHECKPOINT, "the tensor name '%.100s...' is too long", name);
	return 1;
}
