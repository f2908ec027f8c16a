#include "gpus.h"

#include <dlfcn.h>

#define LIBRARY "libnvidia-ml.so.1"
#define UUID_LEN 96 /* NVML_DEVICE_UUID_V2_BUFFER_SIZE */

/* The few functions of NVML's stable ABI that we call. Each returns 0 or an error number. */
struct nvml {
	void *lib;
	int (*init)(void);
	int (*shutdown)(void);
	const char *(*error)(int code);
	int (*count)(unsigned *ret);
	int (*handle)(unsigned index, void **ret);
	int (*uuid)(void *handle, char *ret, unsigned len);
};

static void
nvml_close(struct nvml *n)
{
	if (n->lib)
		(void)dlclose(n->lib);
}

static int
nvml_open(struct nvml *n, struct err *e)
{
	const struct {
		const char *name;
		void *to;
	} entries[] = {
		{"nvmlInit_v2", &n->init},
		{"nvmlShutdown", &n->shutdown},
		{"nvmlErrorString", &n->error},
		{"nvmlDeviceGetCount_v2", &n->count},
		{"nvmlDeviceGetHandleByIndex_v2", &n->handle},
		{"nvmlDeviceGetUUID", &n->uuid},
	};
	void *entry;
	size_t i;

	n->lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!n->lib)
		return err_set(e, E_BAD_CONFIG, "cannot search for GPUs: %s", dlerror());
	for (i = 0; i < ARRAY_LEN(entries); i++) {
		entry = dlsym(n->lib, entries[i].name);
		if (!entry)
			return err_set(e, E_BAD_CONFIG, "cannot search for GPUs: '%s' has no '%s'", LIBRARY,
				       entries[i].name);
		memcpy(entries[i].to, &entry,
		       sizeof(entry)); /* ISO C has no cast from an object to a function */
	}
	return 0;
}

static bool
uuid_ok(const char *uuid)
{
	return *uuid && strspn(uuid, "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") ==
				strlen(uuid);
}

static int
gpu_pass(const struct nvml *n, unsigned i, gpus_fn fn, void *arg, struct err *e)
{
	char uuid[UUID_LEN] = "";
	void *handle;
	int code = n->handle(i, &handle);

	if (code == 0)
		code = n->uuid(handle, uuid, sizeof(uuid) - 1);
	if (code)
		return err_set(e, E_BAD_CONFIG, "GPU %u gives no UUID: %s", i, n->error(code));
	if (!uuid_ok(uuid))
		return err_set(e, E_BAD_CONFIG, "the UUID of GPU %u is not a single word", i);
	return fn(arg, i, uuid, e);
}

static int
each(const struct nvml *n, gpus_fn fn, void *arg, struct err *e)
{
	unsigned count, i;
	int code = n->count(&count), r = 0;

	if (code)
		return err_set(e, E_BAD_CONFIG, "cannot count the GPUs: %s", n->error(code));
	if (count == 0)
		return err_set(e, E_BAD_CONFIG, "this host has no GPU");
	for (i = 0; r == 0 && i < count; i++)
		r = gpu_pass(n, i, fn, arg, e);
	return r;
}

int
gpus_each(gpus_fn fn, void *arg, struct err *e)
{
	_cleanup_(nvml_close) struct nvml n = {.lib = NULL};
	int code, r;

	r = nvml_open(&n, e);
	if (r < 0)
		return r;
	code = n.init();
	if (code)
		return err_set(e, E_BAD_CONFIG, "NVIDIA's driver does not answer: %s", n.error(code));
	r = each(&n, fn, arg, e);
	(void)n.shutdown();
	return r;
}
