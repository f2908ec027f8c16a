/* The GPUs of this host, as NVIDIA's management library (NVML) has them. It is opened at run time. */
#ifndef RUNNER_GPUS_H
#define RUNNER_GPUS_H

#include "base/err.h"

/* `uuid` is what CUDA_VISIBLE_DEVICES takes: unlike the index, it is another's after no reboot. */
typedef int (*gpus_fn)(void *arg, unsigned index, const char *uuid, struct err *e);

/* Ends at the first error, fn's too. E_BAD_CONFIG: there is no GPU, or no library. */
int gpus_each(gpus_fn fn, void *arg, struct err *e);

#endif
