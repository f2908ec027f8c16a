#include "names.h"

#include "base/str.h"

/*
 * Prefixes that wrap the whole model, in any number and order: classes, adapters, parallel training
 * ("module."), and models that use this model as their encoder or as their thinker.
 */
static const char *const wrappers[] = {"base_model.model.", "base_model.", "vlm.",    "model.",
				       "module.",           "encoder.",    "thinker."};

/*
 * Path components that torch.compile, sharded training and checkpointed activations put around any inner
 * module.
 */
static const char *const shells[] = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"};

/* Parts of a name that only modules under PEFT have. */
static const char *const peft[] = {
	".lora_A.",
	".lora_B.",
	".lora_embedding_A.",
	".lora_embedding_B.",
	".lora_magnitude_vector.",
	".base_layer.",
	".original_module.",
	".modules_to_save.",
};

/* The first matching row gives the part its canonical name; without a match the name stays as it is. */
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
	{"multi_vector_projector.", "proj."},
	{"multi_modal_projector.", "mmproj."},
};

/* Saved by some library versions, but not needed for retrieval. */
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

static bool
is_shell(const char *component, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(shells); i++)
		if (strlen(shells[i]) == len && memcmp(component, shells[i], len) == 0)
			return true;
	return false;
}

/* Copies the components of a name, which is shorter than NAME_LEN_MAX, without the shells. */
static void
shells_strip(const char *name, char ret[NAME_LEN_MAX])
{
	size_t n = 0, len;

	for (;; name += len + 1) {
		len = strcspn(name, ".");
		if (!is_shell(name, len)) {
			memcpy(ret + n, name, len + 1);
			n += len + 1;
		}
		if (!name[len])
			break;
	}
	ret[n ? n - 1 : 0] = '\0';
}

static int
name_put(const char *part, const char *rest, char *ret, struct err *e)
{
	if (snprintf(ret, NAME_LEN_MAX, "%s%s", part, rest) >= NAME_LEN_MAX)
		return err_set(e, E_BAD_CHECKPOINT, "the tensor name '%.100s...' is too long", rest);
	return 1;
}

int
name_canonical(const char *name, char *ret, struct err *e)
{
	char bare[NAME_LEN_MAX];
	const char *rest, *part = "";
	size_t i;

	if (strlen(name) >= sizeof(bare))
		return err_set(e, E_BAD_CHECKPOINT, "the tensor name '%.100s...' is too long", name);
	shells_strip(name, bare);
	rest = wrappers_strip(bare);

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
	return name_put(part, rest, ret, e);
}

int
name_rules_apply(const struct name_rule *rules, const char *name, char *ret, struct err *e)
{
	for (; rules->from; rules++)
		if (str_starts(name, rules->from))
			return rules->to ? name_put(rules->to, name + strlen(rules->from), ret, e) : 0;
	return name_put("", name, ret, e);
}

void
name_spell(const char *name, char ret[NAME_LEN_MAX])
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(parts); i++) {
		if (str_starts(name, parts[i].to)) {
			(void)snprintf(ret, NAME_LEN_MAX, "%s%s", parts[i].from, name + strlen(parts[i].to));
			return;
		}
	}
	(void)snprintf(ret, NAME_LEN_MAX, "%s", name);
}

bool
name_is_wrapped(const char *on_disk, const char *name)
{
	char end[NAME_LEN_MAX];
	size_t i;

	for (i = 0; i < ARRAY_LEN(parts); i++) {
		if (!str_starts(name, parts[i].to))
			continue;
		(void)snprintf(end, sizeof(end), ".%s%s", parts[i].from, name + strlen(parts[i].to));
		if (str_ends(on_disk, end))
			return true;
	}
	return false;
}

bool
name_is_peft(const char *on_disk)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(peft); i++)
		if (strstr(on_disk, peft[i]))
			return true;
	return false;
}
