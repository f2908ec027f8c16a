/*
 * The part of ONNX Runtime's C ABI that ort.c uses. Opaque types have the vendor's names; ort_abi.c
 * compares the rest with the vendor's header if that is installed.
 */
#ifndef PARITY_ORT_ABI_H
#define PARITY_ORT_ABI_H

#include "base/util.h"

/* The oldest API version that we test and that has all functions we call: ONNX Runtime 1.17. */
#define ORT_ABI_VERSION 17

enum {
	ORT_ABI_LOG_FATAL = 4,
	ORT_ABI_OPTIMIZE_ALL = 99,
	ORT_ABI_ALLOCATOR_ARENA = 1,
	ORT_ABI_MEMORY_DEFAULT = 0,
};

struct OrtAllocator;
struct OrtEnv;
struct OrtMemoryInfo;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtStatus; /* NULL is success */
struct OrtTensorTypeAndShapeInfo;
struct OrtTypeInfo;
struct OrtValue;

/* Returned by OrtGetApiBase, the only symbol of the library. */
struct ort_abi_base {
	const void *const *(*get_api)(uint32_t version); /* NULL when the library does not have that
                                                          * version */
	const char *(*get_version)(void);
};

struct ort_abi {
#define ORT_CALL(type, name, index, ...) type(*name) __VA_ARGS__;
#include "ort_api.def"
#undef ORT_CALL
};

#endif
