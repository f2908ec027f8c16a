/*
 * A document_spec in a manifest; the members `prompt` and `tokens` hold parts of it:
 *
 *	"processing": {"prompt": {"document": "...{image}..."}, "tokens": {"image": 7},
 *	               "page": {"rule": "tiles", "image_tokens": 64,
 *	                        "tiles": {"begin", "place": ["<row_", "_col_", ">"], "whole", "row", "last"}}}
 *
 * The rule "whole" has the last two alone.
 */
#include "base/str.h"
#include "document.h"

static const char *const rules[] = {
	[PREPARE_PATCHES] = "patches", [PREPARE_FIXED] = "fixed",   [PREPARE_WHOLE] = "whole",
	[PREPARE_TILES] = "tiles",     [PREPARE_NAFLEX] = "naflex", [PREPARE_PADDED] = "padded",
};

static json_t *
tiles_to_json(const struct document_tile_text *t)
{
	if (!t)
		return json_null();
	if (!t->begin)
		return json_pack("{s:s, s:s}", "row", t->row, "last", t->last);
	return json_pack("{s:s, s:[s, s, s], s:s, s:s, s:s}", "begin", t->begin, "place", t->place[0],
			 t->place[1], t->place[2], "whole", t->whole, "row", t->row, "last", t->last);
}

json_t *
document_spec_to_json(const struct document_spec *spec)
{
	if (spec->rule == PREPARE_NONE)
		return json_null();
	return json_pack("{s:s, s:o, s:o}", "rule", rules[spec->rule], "image_tokens",
			 spec->rule == PREPARE_FIXED || spec->rule == PREPARE_TILES
				 ? json_integer(spec->image_tokens)
				 : json_null(),
			 "tiles", tiles_to_json(spec->tiles));
}

static int
rule_read(const json_t *page, enum prepare_rule *ret, struct err *e)
{
	const char *name = NULL;
	size_t i;
	int r;

	r = json_get_str(page, "page", "rule", JSON_REQUIRED, E_MISMATCH, &name, e);
	if (r < 0)
		return r;
	for (i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i] && str_eq(rules[i], name)) {
			*ret = (enum prepare_rule)i;
			return 0;
		}
	return err_set(e, E_MISMATCH, "page.rule '%s' is unknown: the artifact is of a newer colconv", name);
}

static int
tiles_read(const json_t *page, bool whole, struct document_tile_text *ret, struct err *e)
{
	const struct {
		const char *key;
		const char **ret;
	} rows[] = {{"begin", &ret->begin}, {"whole", &ret->whole}, {"row", &ret->row}, {"last", &ret->last}};
	const json_t *tiles = NULL, *place = NULL;
	size_t i;
	int r;

	r = json_get_obj(page, "page", "tiles", JSON_REQUIRED, E_MISMATCH, &tiles, e);
	for (i = whole ? 2 : 0; r == 0 && i < ARRAY_LEN(rows); i++)
		r = json_get_str(tiles, "page.tiles", rows[i].key, JSON_REQUIRED, E_MISMATCH, rows[i].ret, e);
	if (r < 0 || whole)
		return r;
	if (r == 0)
		r = json_get_array(tiles, "page.tiles", "place", JSON_REQUIRED, E_MISMATCH, &place, e);
	for (i = 0; r == 0 && i < ARRAY_LEN(ret->place); i++) {
		ret->place[i] = json_string_value(json_array_get(place, i));
		if (!ret->place[i])
			r = err_set(e, E_MISMATCH, "page.tiles.place must be three strings");
	}
	return r;
}

int
document_spec_from_json(const json_t *processing, struct document_spec *ret,
			struct document_tile_text *ret_tiles, struct err *e)
{
	const json_t *page = NULL, *prompt = NULL, *tokens = NULL;
	struct document_spec spec = {.rule = PREPARE_NONE, .image_tokens = 1, .complete = true};
	int r;

	r = json_get_obj(processing, "", "page", JSON_OPTIONAL, E_MISMATCH, &page, e);
	if (r < 0 || !page) {
		*ret = spec;
		return r;
	}
	r = rule_read(page, &spec.rule, e);
	if (r == 0)
		r = json_get_int(page, "page", "image_tokens", JSON_OPTIONAL, 1, 1 << 20, E_MISMATCH,
				 &spec.image_tokens, e);
	if (r == 0 && (spec.rule == PREPARE_TILES || spec.rule == PREPARE_NAFLEX ||
		       spec.rule == PREPARE_PADDED || spec.rule == PREPARE_WHOLE)) {
		r = tiles_read(page, spec.rule == PREPARE_WHOLE, ret_tiles, e);
		spec.tiles = ret_tiles;
	}
	if (r == 0)
		r = json_get_obj(processing, "", "prompt", JSON_REQUIRED, E_MISMATCH, &prompt, e);
	if (r == 0)
		r = json_get_str(prompt, "prompt", "document", JSON_REQUIRED, E_MISMATCH, &spec.prompt, e);
	if (r == 0)
		r = json_get_obj(processing, "", "tokens", JSON_REQUIRED, E_MISMATCH, &tokens, e);
	if (r == 0)
		r = json_get_int(tokens, "tokens", "image", JSON_REQUIRED, 0, INT32_MAX, E_MISMATCH,
				 &spec.image_token, e);
	if (r < 0)
		return r;
	*ret = spec;
	return 0;
}
