/*
 * mkcheckpoint: writes a random checkpoint in a published layout, for tests and benchmarks.
 *
 * The hyper-parameters are one JSON object, {"embedding_dim", "text": {...}, "vision": {...}, ids},
 * from which config.json is made in the layout's shape. That config.json is read back by the family,
 * as a conversion would, and the weights that its graphs ask for are the tensors.
 */
#include "mkcheckpoint.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>

#include "base/fs.h"
#include "base/str.h"
#include "checkpoint/stwriter.h"

#define BLOCK_VALUES (1u << 20)

static const struct mkc_arch *const archs[] = {
	&mkc_colqwen2,       &mkc_colqwen2_5,  &mkc_colqwen3,      &mkc_colpali,
	&mkc_colmodernvbert, &mkc_colidefics3, &mkc_colgemma3,     &mkc_jina_v4,
	&mkc_colqwen_omni,   &mkc_collfm2,     &mkc_nemotron_vl,   &mkc_colqwen3_5,
	&mkc_neomme,         &mkc_colnanovdr,  &mkc_colministral3, &mkc_granitevisionemb};

static const char usage[] =
	"usage: mkcheckpoint --arch ARCH [OPTION]... FOLDER\n"
	"       mkcheckpoint --arch ARCH [OPTION]... --count\n"
	"       mkcheckpoint --adapter BASE [--kind KIND] [--rank N] [--tasks LIST] [--seed N] FOLDER\n"
	"Writes a random checkpoint in a published layout, or a LoRA adapter over one.\n"
	"\n"
	"  --arch ARCH      see below\n"
	"  --size SIZE      tiny (default), or as published\n"
	"  --layout LAYOUT  default: the first\n"
	"  --dtype DTYPE    fp32, fp16 or bf16; default: fp32 for tiny, else bf16\n"
	"  --shards N       default: 1 for tiny, else 2\n"
	"  --seed N         the same seed gives the same weights in every layout; default: 1\n"
	"  --set KEY=JSON   overrides a hyper-parameter: num_hidden_layers=56, vision.depth=2, "
	"embedding_dim=64;\n"
	"                   a key alone is looked for in the text's, the vision's, the top's\n"
	"  --outliers X     one of 300 channels in each layer is X times larger; default: none\n"
	"  --kind KIND      plain (default), rslora or dora\n"
	"  --rank N         of the adapter; default: 32\n"
	"  --tasks LIST     of the adapter: one for each of these tasks, as retrieval,code\n"
	"  --count          prints how many tensors and parameters there are, and writes nothing\n"
	"  --help           prints this\n"
	"\n";

/* The sizes of a family: {"tiny": {...}, ...} */
static json_t *
sizes_load(const struct mkc_arch *arch)
{
	json_t *sizes = json_loadb(arch->sizes, (size_t)(arch->sizes_end - arch->sizes), 0, NULL);

	assert(sizes);
	return sizes;
}

static int
usage_print(void)
{
	const struct mkc_layout *l;
	json_t *sizes, *params;
	const char *name;
	size_t i;

	(void)fputs(usage, stdout);
	for (i = 0; i < ARRAY_LEN(archs); i++) {
		(void)printf("%s: sizes", archs[i]->name);
		sizes = sizes_load(archs[i]);
		json_object_foreach(sizes, name, params)
			(void)printf(" %s", name);
		json_decref(sizes);
		(void)printf("; layouts");
		for (l = archs[i]->layouts; l->name; l++)
			(void)printf(" %s", l->name);
		(void)printf("\n");
	}
	return ferror(stdout);
}

struct options {
	const struct mkc_arch *arch;
	const struct mkc_layout *layout;
	enum elem dtype;
	uint64_t shards;
	uint64_t seed;
	double outliers; /* 0: none */
	json_t *params;
	struct mkc_adapter adapter; /* base is NULL: a checkpoint is wanted */
	const char *dir;            /* NULL: only counts */
};

/* --set [text.|vision.]KEY=JSON */
static int
param_set(json_t *params, const char *arg, struct err *e)
{
	static const char *const sections[] = {"text", "vision"};
	const char *eq = strchr(arg, '=');
	_cleanup_free_ char *key = eq ? strndup(arg, (size_t)(eq - arg)) : NULL;
	const char *name = key;
	json_t *obj = params, *section, *v;
	size_t i, n;

	if (!key)
		return err_set(e, E_USAGE, "--set takes KEY=VALUE, not '%s'", arg);
	v = json_loads(eq + 1, JSON_DECODE_ANY, NULL);
	if (!v)
		v = json_string(eq + 1);
	for (i = 0; i < ARRAY_LEN(sections) && obj == params; i++) {
		section = json_object_get(params, sections[i]);
		n = strlen(sections[i]);
		if (str_starts(key, sections[i]) && key[n] == '.') {
			obj = section;
			name = key + n + 1;
		} else if (json_object_get(section, key)) {
			obj = section;
		}
	}
	if (obj == params && !json_object_get(params, key)) {
		json_decref(v);
		return err_set(e, E_USAGE, "--set: there is no '%s'", key);
	}
	(void)json_object_set_new(obj, name, v);
	return 0;
}

static int
dtype_from_str(const char *s, enum elem *ret, struct err *e)
{
	if (str_eq(s, "fp32"))
		*ret = ELEM_F32;
	else if (str_eq(s, "fp16"))
		*ret = ELEM_F16;
	else if (str_eq(s, "bf16"))
		*ret = ELEM_BF16;
	else
		return err_set(e, E_USAGE, "--dtype is fp32, fp16 or bf16, not '%s'", s);
	return 0;
}

/* The hyper-parameters of a size; its dtype and shards hold where no option says otherwise. */
static int
size_load(struct options *o, const char *size, const char *dtype, struct err *e)
{
	json_auto_t *sizes = sizes_load(o->arch);
	int r;

	o->params = json_incref(json_object_get(sizes, size));
	if (!o->params)
		return err_set(e, E_USAGE, "%s has no size '%s'", o->arch->name, size);
	if (!dtype)
		dtype = json_string_value(json_object_get(o->params, "dtype"));
	if (!o->shards)
		o->shards = (uint64_t)json_integer_value(json_object_get(o->params, "shards"));
	assert(dtype && o->shards);
	r = dtype_from_str(dtype, &o->dtype, e);
	(void)json_object_del(o->params, "dtype");
	(void)json_object_del(o->params, "shards");
	return r;
}

static int
arch_resolve(struct options *o, const char *arch, const char *layout, struct err *e)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(archs); i++)
		if (arch && str_eq(archs[i]->name, arch))
			o->arch = archs[i];
	if (!o->arch)
		return err_set(e, E_USAGE, "--arch: unknown family '%s'; see mkcheckpoint --help",
			       arch ? arch : "");
	for (o->layout = o->arch->layouts; layout && o->layout->name && !str_eq(o->layout->name, layout);)
		o->layout++;
	if (!o->layout->name)
		return err_set(e, E_USAGE, "%s has no layout '%s'", arch, layout);
	return 0;
}

static int
adapter_check(struct options *o, struct err *e)
{
	const char *kind = o->adapter.kind;

	o->adapter.seed = o->seed;
	if (!str_eq(kind, "plain") && !str_eq(kind, "rslora") && !str_eq(kind, "dora"))
		return err_set(e, E_USAGE, "--kind is plain, rslora or dora, not '%s'", kind);
	return 0;
}

static int
options_parse(int argc, char **argv, struct options *o, struct err *e)
{
	static const struct option longs[] = {
		{"arch", required_argument, NULL, 'a'},
		{"size", required_argument, NULL, 's'},
		{"layout", required_argument, NULL, 'l'},
		{"dtype", required_argument, NULL, 'd'},
		{"shards", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 'r'},
		{"set", required_argument, NULL, 'k'},
		{"adapter", required_argument, NULL, 'b'},
		{"kind", required_argument, NULL, 'm'},
		{"rank", required_argument, NULL, 'c'},
		{"tasks", required_argument, NULL, 't'},
		{"outliers", required_argument, NULL, 'o'},
		{"count", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *arch = NULL, *size = "tiny", *layout = NULL, *dtype = NULL;
	_cleanup_free_ const char **sets = calloc((size_t)argc, sizeof(*sets));
	size_t i, set_count = 0;
	bool count = false;
	int c, r = 0;

	if (!sets)
		return err_no_memory(e);
	while (r == 0 && (c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (c == 'a')
			arch = optarg;
		else if (c == 's')
			size = optarg;
		else if (c == 'l')
			layout = optarg;
		else if (c == 'd')
			dtype = optarg;
		else if (c == 'n')
			r = str_to_u64(optarg, 1, 1000, "--shards", &o->shards, e);
		else if (c == 'r')
			r = str_to_u64(optarg, 0, UINT64_MAX, "--seed", &o->seed, e);
		else if (c == 'k')
			sets[set_count++] = optarg;
		else if (c == 'b')
			o->adapter.base = optarg;
		else if (c == 'm')
			o->adapter.kind = optarg;
		else if (c == 'o')
			r = str_to_double(optarg, 1, 1024, "--outliers", &o->outliers, e);
		else if (c == 'c')
			r = str_to_u64(optarg, 1, 65536, "--rank", &o->adapter.rank, e);
		else if (c == 't')
			o->adapter.tasks = optarg;
		else if (c == 'q')
			count = true;
		else if (c == 'h')
			exit(usage_print());
		else
			return err_set(e, E_USAGE, "see mkcheckpoint --help");
	}
	if (r < 0)
		return r;
	if (optind != argc - !count || (count && o->adapter.base))
		return err_set(e, E_USAGE, "give one folder to write, or --count");
	o->dir = argv[optind];
	if (o->adapter.base)
		return adapter_check(o, e);
	r = arch_resolve(o, arch, layout, e);
	if (r == 0)
		r = size_load(o, size, dtype, e);
	for (i = 0; i < set_count && r == 0; i++)
		r = param_set(o->params, sets[i], e);
	return r;
}

void
mkc_add(struct mkc_tensors *t, enum mkc_kind kind, int rank, const int64_t *shape, const char *name)
{
	struct mkc_tensor *x = &t->tensors[t->count++];
	int i, n;

	assert(t->count <= MKC_TENSORS_MAX);
	n = snprintf(x->name, sizeof(x->name), "%s", name);
	assert((size_t)n < sizeof(x->name));
	x->kind = kind;
	x->rank = rank;
	x->values = 1;
	for (i = 0; i < rank; i++) {
		x->shape[i] = shape[i];
		x->values *= (uint64_t)shape[i];
	}
	t->values += x->values;
}

/* The layout's spelling of a canonical name. */
static void
name_spell(const struct mkc_layout *l, const char *name, char *ret, size_t len)
{
	const struct mkc_prefix *p = l->prefixes;

	while (!str_starts(name, p->from))
		p++;
	(void)snprintf(ret, len, "%s%s", p->to, name + strlen(p->from));
}

struct part {
	const struct mkc_fill *fill;
	enum elem dtype;
	uint64_t at, count;
	unsigned char *ret;
};

static void *
part_fill(void *arg)
{
	const struct part *p = arg;

	mkc_fill_block(p->fill, p->dtype, p->at, p->count, p->ret);
	return NULL;
}

/* Making the values takes longer than writing them, so a second thread makes half of a full block. */
static void
block_fill(const struct mkc_fill *fill, enum elem dtype, uint64_t at, uint64_t count, unsigned char *ret)
{
	const uint64_t half = count == BLOCK_VALUES ? count / 2 : 0;
	struct part p = {fill, dtype, at, half, ret};
	pthread_t thread;
	bool apart = half && pthread_create(&thread, NULL, part_fill, &p) == 0;

	mkc_fill_block(fill, dtype, at + half, count - half, ret + half * elem_size(dtype));
	if (apart)
		(void)pthread_join(thread, NULL);
	else
		(void)part_fill(&p);
}

static int
tensor_write(struct stw *w, const struct options *o, const struct mkc_tensor *t, unsigned char *block,
	     struct err *e)
{
	const uint64_t fan_in = t->rank > 1 ? t->values / (uint64_t)t->shape[0] : 1;
	struct mkc_fill fill = mkc_fill(o->seed, t->name, t->kind, fan_in);
	uint64_t at, n;
	int r = 0;

	if (o->outliers > 0)
		mkc_fill_outliers(&fill, t, (float)o->outliers);
	for (at = 0; at < t->values && r == 0; at += n) {
		n = MIN(t->values - at, BLOCK_VALUES);
		block_fill(&fill, o->dtype, at, n, block);
		r = stw_data(w, block, n * elem_size(o->dtype), e);
	}
	return r;
}

static void
stw_freep(struct stw **w)
{
	stw_free(w);
}

static int
shard_write(const struct options *o, const char *file, const struct mkc_tensor *t, size_t count,
	    json_t *weight_map, struct err *e)
{
	_cleanup_(stw_freep) struct stw *w = NULL;
	_cleanup_free_ char *path = fs_join(o->dir, file);
	_cleanup_free_ unsigned char *block = malloc(BLOCK_VALUES * elem_size(o->dtype));
	char name[2 * MKC_NAME_LEN];
	size_t i;
	int r;

	if (!path || !block)
		return err_no_memory(e);
	if ((r = stw_new(path, &w, e)) < 0 || (r = stw_meta(w, "format", "pt", e)) < 0)
		return r;
	for (i = 0; i < count && r == 0; i++) {
		name_spell(o->layout, t[i].name, name, sizeof(name));
		r = stw_add(w, name, o->dtype, t[i].rank, t[i].shape, e);
		(void)json_object_set_new(weight_map, name, json_string(file));
	}
	if (r == 0)
		r = stw_begin(w, e);
	for (i = 0; i < count && r == 0; i++)
		r = tensor_write(w, o, &t[i], block, e);
	return r < 0 ? r : stw_finish(w, e);
}

static int
index_write(const struct options *o, const struct mkc_tensors *t, json_t *weight_map, struct err *e)
{
	_cleanup_free_ char *path = fs_join(o->dir, "model.safetensors.index.json");
	json_auto_t *index =
		json_pack("{s:{s:I}, s:O}", "metadata", "total_size",
			  (json_int_t)(t->values * elem_size(o->dtype)), "weight_map", weight_map);

	return path && index ? json_write(path, index, e) : err_no_memory(e);
}

/* Shards of about the same size: each takes tensors until its share of all values is reached. */
static int
weights_write(const struct options *o, const struct mkc_tensors *t, struct err *e)
{
	json_auto_t *weight_map = json_object();
	uint64_t k, done = 0;
	size_t begin = 0, end;
	char file[64];
	int r;

	if (o->shards == 1)
		return shard_write(o, "model.safetensors", t->tensors, t->count, weight_map, e);
	if (o->shards > t->count)
		return err_set(e, E_USAGE, "%zu tensors do not fill %" PRIu64 " shards", t->count, o->shards);
	for (k = 1; k <= o->shards; k++) {
		for (end = begin;
		     end == begin || (end < t->count - (o->shards - k) && done < t->values / o->shards * k);
		     end++)
			done += t->tensors[end].values;
		if (k == o->shards)
			end = t->count;
		(void)snprintf(file, sizeof(file), "model-%05" PRIu64 "-of-%05" PRIu64 ".safetensors", k,
			       o->shards);
		r = shard_write(o, file, t->tensors + begin, end - begin, weight_map, e);
		if (r < 0)
			return r;
		begin = end;
	}
	return index_write(o, t, weight_map, e);
}

static int
checkpoint_write(const struct options *o, struct err *e)
{
	static const char *const torch_names[] = {
		[ELEM_F32] = "float32", [ELEM_F16] = "float16", [ELEM_BF16] = "bfloat16"};
	_cleanup_free_ struct mkc_tensors *t = calloc(1, sizeof(*t));
	_cleanup_free_ char *path = fs_join(o->dir ? o->dir : "", "config.json");
	json_auto_t *config = o->arch->config(o->params, o->layout);
	int64_t dim;
	char size[32];
	int r;

	if (!t || !path || !config)
		return err_no_memory(e);
	(void)json_object_set_new(config, o->layout->v5 ? "dtype" : "torch_dtype",
				  json_string(torch_names[o->dtype]));
	if ((r = json_get_int(o->params, "", "embedding_dim", JSON_REQUIRED, 1, 65536, E_USAGE, &dim, e)) <
		    0 ||
	    (r = mkc_tensors_get(config, dim, t, e)) < 0)
		return r;
	if (o->dir && ((r = fs_mkdir_p(o->dir, 0755, e)) < 0 || (r = weights_write(o, t, e)) < 0 ||
		       (r = json_write(path, config, e)) < 0))
		return r;
	(void)printf("%zu tensors, %" PRIu64 " parameters, %s\n", t->count, t->values,
		     str_bytes(t->values * elem_size(o->dtype), size, sizeof(size)));
	return 0;
}

int
main(int argc, char **argv)
{
	struct options o = {.seed = 1, .adapter = {.kind = "plain", .rank = 32}};
	struct err e = ERR_INIT;
	int r;

	r = options_parse(argc, argv, &o, &e);
	if (r == 0)
		r = o.adapter.base ? mkc_adapter_write(&o.adapter, o.dir, &e) : checkpoint_write(&o, &e);
	if (r < 0)
		(void)fprintf(stderr, "mkcheckpoint: %s\n", e.msg);
	json_decref(o.params);
	return err_exit_status(r);
}
