/*
 * The GPUs of this host, as NVIDIA's management library (NVML) reports them. The library is opened at run
 * time.
 */
#ifndef RUNNER_GPUS_H
#define RUNNER_GPUS_H

#include "base/err.h"

/* `uuid` is a value for CUDA_VISIBLE_DEVICES: unlike the index, it names the same GPU after every reboot. */
typedef int (*gpus_fn)(void *arg, unsigned index, const char *uuid, struct err *e);

/*
 * Calls fn for each GPU and stops at the first error, also one of fn's. E_BAD_CONFIG: no GPU, or no NVML
 * library.
 */
int gpus_each(gpus_fn fn, void *arg, struct err *e);

#endif
