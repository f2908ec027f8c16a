#include "ort.h"

#include <dlfcn.h>

#include "base/buf.h"
#include "base/fs.h"
#include "checkpoint/convert.h"
#include "ort_abi.h"

struct ort_session {
	char *path;
	struct OrtSession *session;
	struct ort_input *inputs;
	char **input_names; /* as the graph has them */
	size_t input_count;
	char **output_names;
	size_t output_count;
};

#ifdef __SANITIZE_ADDRESS__
/* The runtime leaks a few bytes of a graph. Do not report these leaks. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libonnxruntime.so";
}

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

static struct ort_abi api;
static const struct ort_abi_base *base;
static struct OrtEnv *env;

static void
optionsp(struct OrtSessionOptions **o)
{
	if (*o)
		api.ReleaseSessionOptions(*o);
}

static void
type_infop(struct OrtTypeInfo **t)
{
	if (*t)
		api.ReleaseTypeInfo(*t);
}

static void
tensor_infop(struct OrtTensorTypeAndShapeInfo **t)
{
	if (*t)
		api.ReleaseTensorTypeAndShapeInfo(*t);
}

static void
memory_infop(struct OrtMemoryInfo **m)
{
	if (*m)
		api.ReleaseMemoryInfo(*m);
}

static void
valuep(struct OrtValue **v)
{
	if (*v)
		api.ReleaseValue(*v);
}

/* Turns a status of the runtime into our error. Takes the status. */
static int
status_to_err(struct OrtStatus *st, int code, const char *what, struct err *e)
{
	if (!st)
		return 0;
	(void)err_set(e, code, "'%s': %s", what, api.GetErrorMessage(st));
	api.ReleaseStatus(st);
	return code;
}

/* Loads one candidate; on failure adds the reason to `tried`. */
static bool
library_load(const char *path, struct buf *tried)
{
	const struct ort_abi_base *(*get_base)(void);
	const void *const *table;
	void *lib, *sym;

	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		buf_printf(tried, "%s%s", tried->len ? "; " : "", dlerror());
		return false;
	}
	sym = dlsym(lib, "OrtGetApiBase");
	if (!sym) {
		buf_printf(tried, "%s%s: not ONNX Runtime", tried->len ? "; " : "", path);
		(void)dlclose(lib);
		return false;
	}
	memcpy(&get_base, &sym, sizeof(get_base));
	base = get_base();
	table = base->get_api(ORT_ABI_VERSION);
	if (!table) {
		buf_printf(tried, "%s%s: version %s is too old", tried->len ? "; " : "", path,
			   base->get_version());
		(void)dlclose(lib);
		return false;
	}
#define ORT_CALL(type, name, index, ...) memcpy(&api.name, &table[index], sizeof(api.name));
#include "ort_api.def"
#undef ORT_CALL
	return true; /* Never unload it: its threads and exit handlers would crash. */
}

/* Tries the candidates in order. */
static int
library_find(const char *path, struct err *e)
{
	_cleanup_(buf_release) struct buf tried = BUF_INIT;
	_cleanup_free_ char *built = NULL, *installed = NULL;
	const char *places[] = {NULL, NULL, "libonnxruntime.so.1", "libonnxruntime.so"};
	size_t i;
	int r;

	if (!path)
		path = getenv("COLCONV_ORT_LIBRARY");
	r = fs_sibling("runtime/libonnxruntime.so.1", &built, e);
	if (r == 0)
		r = fs_sibling("../lib/colconv/libonnxruntime.so.1", &installed, e);
	if (r < 0)
		return r;
	places[0] = path ? path : built;
	places[1] = installed;
	for (i = 0; i < (path ? 1 : ARRAY_LEN(places)); i++)
		if (library_load(places[i], &tried))
			return 0;
	r = buf_failed(&tried, e);
	return r < 0 ? r : err_set(e, E_NO_RUNTIME, "ONNX Runtime was not found; tried %s", tried.data);
}

int
ort_open(const char *path, struct err *e)
{
	struct OrtStatus *st;
	int r;

	r = library_find(path, e);
	if (r < 0)
		return r;
	/* Errors come back as a status, so the runtime need not write them to stderr too. */
	st = api.CreateEnv(ORT_ABI_LOG_FATAL, "colconv", &env) ?: api.DisableTelemetryEvents(env);
	return status_to_err(st, E_NO_RUNTIME, "ONNX Runtime", e);
}

void
ort_close(void)
{
	if (env)
		api.ReleaseEnv(env);
	env = NULL;
}

const char *
ort_version(void)
{
	return base->get_version();
}

/* Reads type, rank and dims of a tensor. Refuses ranks above our maximum. */
static int
shape_read(const struct OrtTensorTypeAndShapeInfo *info, const char *path, const char *name,
	   enum elem *ret_type, int *ret_rank, int64_t *ret_shape, struct err *e)
{
	struct OrtStatus *st;
	size_t rank = 0;
	int type = 0;

	st = api.GetTensorElementType(info, &type) ?: api.GetDimensionsCount(info, &rank);
	if (!st && rank > ORT_RANK_MAX)
		return err_set(e, E_BAD_ONNX, "'%s': '%s' has %zu dims, more than %d", path, name, rank,
			       ORT_RANK_MAX);
	if (!st)
		st = api.GetDimensions(info, ret_shape, rank);
	*ret_type = elem_from_onnx(type);
	*ret_rank = (int)rank;
	return status_to_err(st, E_BAD_ONNX, path, e);
}

static int
name_dup(char *name, struct OrtAllocator *alloc, char **ret, struct err *e)
{
	*ret = strdup(name);
	(void)status_to_err(api.AllocatorFree(alloc, name), E_BAD_ONNX, "ONNX Runtime", /*e=*/NULL);
	return *ret ? 0 : err_no_memory(e);
}

/*
 * Reads the i-th input. Inputs that a call may leave out come after the `required` ones; ONNX Runtime lists
 * them separately.
 */
static int
input_read(struct ort_session *s, size_t i, size_t required, struct OrtAllocator *alloc, struct err *e)
{
	const bool optional = i >= required;
	_cleanup_(type_infop) struct OrtTypeInfo *type = NULL;
	const struct OrtTensorTypeAndShapeInfo *info = NULL; /* owned by type */
	struct ort_input *in = &s->inputs[i];
	struct OrtStatus *st;
	char *name;
	int r;

	st = optional ? api.SessionGetOverridableInitializerName(s->session, i - required, alloc, &name)
		      : api.SessionGetInputName(s->session, i, alloc, &name);
	r = status_to_err(st, E_BAD_ONNX, s->path, e);
	if (r == 0)
		r = name_dup(name, alloc, &in->name, e);
	if (r < 0)
		return r;
	s->input_names[i] = strdup(in->name);
	if (!s->input_names[i])
		return err_no_memory(e);
	st = (optional ? api.SessionGetOverridableInitializerTypeInfo(s->session, i - required, &type)
		       : api.SessionGetInputTypeInfo(s->session, i, &type))
		     ?: api.CastTypeInfoToTensorInfo(type, &info);
	r = status_to_err(st, E_BAD_ONNX, s->path, e);
	if (r < 0)
		return r;
	if (!info)
		return err_set(e, E_BAD_ONNX, "'%s': input '%s' is not a tensor", s->path, in->name);
	return shape_read(info, s->path, in->name, &in->type, &in->rank, in->shape, e);
}

static int
signature_read(struct ort_session *s, struct err *e)
{
	struct OrtAllocator *alloc; /* belongs to the runtime; do not free it */
	size_t i, required, optional, inputs, outputs;
	struct OrtStatus *st;
	char *name;
	int r;

	st = api.GetAllocatorWithDefaultOptions(&alloc) ?: api.SessionGetInputCount(s->session, &required)
		?: api.SessionGetOverridableInitializerCount(s->session, &optional)
		?: api.SessionGetOutputCount(s->session, &outputs);
	r = status_to_err(st, E_BAD_ONNX, s->path, e);
	if (r < 0)
		return r;
	inputs = required + optional;
	if (inputs == 0 || outputs == 0)
		return err_set(e, E_BAD_ONNX, "'%s' has no %s", s->path, inputs ? "output" : "input");
	s->inputs = calloc(inputs, sizeof(*s->inputs));
	s->input_names = calloc(inputs, sizeof(*s->input_names));
	if (!s->inputs || !s->input_names)
		return err_no_memory(e);
	s->input_count = inputs;
	for (i = 0; i < inputs; i++) {
		r = input_read(s, i, required, alloc, e);
		if (r < 0)
			return r;
	}
	s->output_names = calloc(outputs, sizeof(*s->output_names));
	if (!s->output_names)
		return err_no_memory(e);
	s->output_count = outputs;
	for (i = 0; r == 0 && i < outputs; i++) {
		r = status_to_err(api.SessionGetOutputName(s->session, i, alloc, &name), E_BAD_ONNX, s->path,
				  e);
		if (r == 0)
			r = name_dup(name, alloc, &s->output_names[i], e);
	}
	return r;
}

int
ort_session_new(const char *path, int threads, struct ort_session **ret, struct err *e)
{
	_cleanup_(optionsp) struct OrtSessionOptions *options = NULL;
	_cleanup_(ort_session_free) struct ort_session *s = calloc(1, sizeof(*s));
	struct OrtStatus *st;
	int r;

	if (!s || !(s->path = strdup(path)))
		return err_no_memory(e);
	/*
	 * Do not pack matrices: weights in external data are mapped from the file, and packing would copy
	 * each of them into anonymous memory (peak 1,035 MiB for 1 GiB of weights, 11 MiB without packing).
	 * A few runs are not faster with it.
	 */
	st = api.CreateSessionOptions(&options)
		?: api.SetSessionGraphOptimizationLevel(options, ORT_ABI_OPTIMIZE_ALL)
		?: api.SetIntraOpNumThreads(options, threads)
		?: api.AddSessionConfigEntry(options, "session.disable_prepacking", "1")
		?: api.CreateSession(env, path, options, &s->session);
	r = status_to_err(st, E_BAD_ONNX, path, e);
	if (r == 0)
		r = signature_read(s, e);
	if (r < 0)
		return r;
	*ret = TAKE(s);
	return 0;
}

void
ort_session_free(struct ort_session **session)
{
	struct ort_session *s = TAKE(*session);
	size_t i;

	if (!s)
		return;
	if (s->session)
		api.ReleaseSession(s->session);
	for (i = 0; i < s->input_count; i++) {
		free(s->inputs[i].name);
		free(s->input_names[i]);
	}
	free(s->inputs);
	free(s->input_names);
	for (i = 0; i < s->output_count; i++)
		free(s->output_names[i]);
	free(s->output_names);
	free(s->path);
	free(s);
}

size_t
ort_input_count(const struct ort_session *s)
{
	return s->input_count;
}

const struct ort_input *
ort_input_get(const struct ort_session *s, size_t i)
{
	assert(i < s->input_count);
	return &s->inputs[i];
}

int
ort_input_rename(struct ort_session *s, size_t i, const char *name, struct err *e)
{
	char *copy = strdup(name);

	assert(i < s->input_count);
	if (!copy)
		return err_no_memory(e);
	free(s->inputs[i].name);
	s->inputs[i].name = copy;
	return 0;
}

void
ort_output_first(struct ort_session *s, size_t i)
{
	char *name;

	assert(i < s->output_count);
	name = s->output_names[0];
	s->output_names[0] = s->output_names[i];
	s->output_names[i] = name;
}

void
ort_output_only(struct ort_session *s, size_t i)
{
	ort_output_first(s, i);
	while (s->output_count > 1)
		free(s->output_names[--s->output_count]);
}

size_t
ort_output_count(const struct ort_session *s)
{
	return s->output_count;
}

const char *
ort_output_name(const struct ort_session *s, size_t i)
{
	assert(i < s->output_count);
	return s->output_names[i];
}

/* Copies an output out of the runtime's memory. */
static int
output_read(const struct ort_session *s, const char *name, struct OrtValue *v, struct ort_tensor *ret,
	    struct err *e)
{
	_cleanup_(tensor_infop) struct OrtTensorTypeAndShapeInfo *info = NULL;
	struct ort_tensor t = {0};
	int r, i, is_tensor = 0;
	struct OrtStatus *st;
	void *data = NULL;
	size_t count = 1;
	bool raw;

	r = status_to_err(api.IsTensor(v, &is_tensor), E_BAD_ONNX, s->path, e);
	if (r < 0)
		return r;
	if (!is_tensor)
		return err_set(e, E_BAD_ONNX, "'%s': output '%s' is not a tensor", s->path, name);
	st = api.GetTensorTypeAndShape(v, &info) ?: api.GetTensorMutableData(v, &data);
	r = status_to_err(st, E_BAD_ONNX, s->path, e);
	if (r == 0)
		r = shape_read(info, s->path, name, &t.type, &t.rank, t.shape, e);
	if (r < 0)
		return r;
	raw = t.type == ELEM_I64 || t.type == ELEM_I8 || t.type == ELEM_U8 || t.type == ELEM_BOOL;
	if (t.type != ELEM_F32 && t.type != ELEM_F16 && t.type != ELEM_BF16 && !raw)
		return err_set(e, E_BAD_ONNX,
			       "'%s': output '%s' is neither float32, float16, bfloat16, int64, int8, uint8 "
			       "nor bool",
			       s->path, name);
	for (i = 0; i < t.rank; i++)
		count *= (size_t)t.shape[i]; /* no overflow: the runtime holds them in memory */
	t.len = count * elem_size(raw ? t.type : ELEM_F32);
	t.data = malloc(t.len + 1);
	if (!t.data)
		return err_no_memory(e);
	if (t.len && raw)
		memcpy(t.data, data, t.len);
	else if (t.len)
		convert(t.type, ELEM_F32, data, count, t.data);
	t.type = raw ? t.type : ELEM_F32;
	*ret = t;
	return 0;
}

static int
outputs_run(struct ort_session *s, const struct ort_tensor *in, struct OrtValue **out, size_t n_out,
	    struct err *e)
{
	_cleanup_(memory_infop) struct OrtMemoryInfo *memory = NULL;
	_cleanup_free_ struct OrtValue **values = calloc(s->input_count, sizeof(struct OrtValue *));
	struct OrtStatus *st;
	size_t i;

	if (!values)
		return err_no_memory(e);
	st = api.CreateCpuMemoryInfo(ORT_ABI_ALLOCATOR_ARENA, ORT_ABI_MEMORY_DEFAULT, &memory);
	for (i = 0; !st && i < s->input_count; i++)
		st = api.CreateTensorWithDataAsOrtValue(memory, in[i].data, in[i].len, in[i].shape,
							(size_t)in[i].rank, elem_onnx(in[i].type),
							&values[i]);
	if (!st)
		st = api.Run(s->session, /*options=*/NULL, (const char *const *)s->input_names,
			     (const struct OrtValue *const *)values, s->input_count,
			     (const char *const *)s->output_names, n_out, out);
	for (i = 0; i < s->input_count; i++)
		valuep(&values[i]);
	return status_to_err(st, E_BAD_ONNX, s->path, e);
}

int
ort_run(struct ort_session *s, const struct ort_tensor *in, struct ort_tensor *ret, struct err *e)
{
	_cleanup_(ort_tensor_release) struct ort_tensor t = {0};
	_cleanup_(valuep) struct OrtValue *out = NULL;
	int r;

	r = outputs_run(s, in, &out, 1, e);
	if (r == 0)
		r = output_read(s, s->output_names[0], out, &t, e);
	if (r < 0)
		return r;
	if (t.type != ELEM_F32)
		return err_set(e, E_BAD_ONNX, "'%s': output '%s' is neither float32 nor float16", s->path,
			       s->output_names[0]);
	*ret = t;
	t.data = NULL;
	return 0;
}

int
ort_run_all(struct ort_session *s, const struct ort_tensor *in, struct ort_tensor *ret, struct err *e)
{
	_cleanup_free_ struct OrtValue **out = calloc(s->output_count, sizeof(struct OrtValue *));
	size_t i;
	int r;

	if (!out)
		return err_no_memory(e);
	memset(ret, 0, s->output_count * sizeof(*ret));
	r = outputs_run(s, in, out, s->output_count, e);
	for (i = 0; i < s->output_count; i++) {
		if (r == 0)
			r = output_read(s, s->output_names[i], out[i], &ret[i], e);
		valuep(&out[i]);
	}
	for (i = 0; r < 0 && i < s->output_count; i++)
		ort_tensor_release(&ret[i]);
	return r;
}

void
ort_tensor_release(struct ort_tensor *t)
{
	free(t->data);
	*t = (struct ort_tensor){0};
}
