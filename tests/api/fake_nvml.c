/* NVIDIA's management library, as FAKE_GPUS has it: UUIDs with commas, or "broken" or "driverless". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int nvmlInit_v2(void);
int nvmlShutdown(void);
const char *nvmlErrorString(int code);
int nvmlDeviceGetCount_v2(unsigned *ret);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **ret);
int nvmlDeviceGetUUID(void *handle, char *ret, unsigned len);

static const char *
gpus(void)
{
	return getenv("FAKE_GPUS") ? getenv("FAKE_GPUS") : "";
}

int
nvmlInit_v2(void)
{
	return strcmp(gpus(), "driverless") == 0 ? 9 : 0;
}

int
nvmlShutdown(void)
{
	return 0;
}

const char *
nvmlErrorString(int code)
{
	return code == 9 ? "Driver Not Loaded" : "GPU is lost";
}

int
nvmlDeviceGetCount_v2(unsigned *ret)
{
	const char *p;

	*ret = *gpus() != '\0';
	for (p = gpus(); *p; p++)
		*ret += *p == ',';
	return 0;
}

int
nvmlDeviceGetHandleByIndex_v2(unsigned index, void **ret)
{
	const char *p = gpus();

	while (index--)
		p = strchr(p, ',') + 1;
	*ret = (char *)p;
	return 0;
}

int
nvmlDeviceGetUUID(void *handle, char *ret, unsigned len)
{
	if (strcmp(handle, "broken") == 0)
		return 15;
	(void)snprintf(ret, len, "%.*s", (int)strcspn(handle, ","), (const char *)handle);
	return 0;
}
