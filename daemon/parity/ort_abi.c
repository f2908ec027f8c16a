/*
 * If the vendor's header is installed (Debian: libonnxruntime-dev), checks at compile time that it agrees
 * with ort_abi.h and ort_api.def.
 */
#include "ort.h"
#include "ort_abi.h"

#if __has_include(<onnxruntime/onnxruntime_c_api.h>)
#include <onnxruntime/onnxruntime_c_api.h>
#elif __has_include(<onnxruntime/core/session/onnxruntime_c_api.h>)
#include <onnxruntime/core/session/onnxruntime_c_api.h>
#endif

#ifdef ORT_API_VERSION
#define ORT_CALL(type, name, index, ...) \
	_Static_assert(offsetof(struct OrtApi, name) == (index) * sizeof(void *), "index of " #name);
#include "ort_api.def"
#undef ORT_CALL

_Static_assert(offsetof(struct OrtApiBase, GetApi) == offsetof(struct ort_abi_base, get_api), "GetApi");
_Static_assert(offsetof(struct OrtApiBase, GetVersionString) == offsetof(struct ort_abi_base, get_version),
	       "GetVersionString");
_Static_assert(ORT_API_VERSION >= ORT_ABI_VERSION, "the header has all that we ask of the library");
_Static_assert(sizeof(enum ONNXTensorElementDataType) == sizeof(int), "enums are passed as int");
_Static_assert(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT == (int)ELEM_ONNX_F32, "float32");
_Static_assert(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 == (int)ELEM_ONNX_F16, "float16");
_Static_assert(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 == (int)ELEM_ONNX_I64, "int64");
_Static_assert(ORT_LOGGING_LEVEL_FATAL == (int)ORT_ABI_LOG_FATAL, "log level");
_Static_assert(ORT_ENABLE_ALL == (int)ORT_ABI_OPTIMIZE_ALL, "optimisation level");
_Static_assert(OrtArenaAllocator == (int)ORT_ABI_ALLOCATOR_ARENA, "allocator");
_Static_assert(OrtMemTypeDefault == (int)ORT_ABI_MEMORY_DEFAULT, "memory type");
#endif
