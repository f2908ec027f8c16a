/*
 * Small things every file needs: ownership of locals, sizes, overflow.
 *
 * `_cleanup_(f)` calls f(&local) when the scope ends; TAKE(local) moves the value
 * out, so that the cleanup finds NULL. Objects that travel through a `void *` of a
 * library start with `unsigned magic` and are checked on arrival with CHECK_OBJ.
 */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "banned.h"

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define _unused_ __attribute__((unused))

/*
 * A function with this attribute gives the same bits on any machine: it uses wider vectors where the CPU has
 * them, but no fused multiply-add.
 */
#if defined(__x86_64__) && !defined(__clang__)
#define _wide_ __attribute__((target_clones("avx2", "default")))
#else
#define _wide_
#endif

/* clang-format off */
#define TAKE(p) __extension__({ __typeof__(p) take_ = (p); (p) = NULL; take_; })
#define TAKE_FD(fd) __extension__({ int take_ = (fd); (fd) = -1; take_; })
/* clang-format on */

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
/* clang-format off */
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define ALIGN_UP(n, a) (((n) + (a) - 1) / (a) * (a))
/* clang-format on */

#define CHECK_OBJ(o, m) assert((o) != NULL && (o)->magic == (m))

/* Frees an object that CHECK_OBJ() knows, so that a later use of it fails there, and sets the pointer to NULL. */
#define OBJ_FREE(o)             \
	do {                    \
		(o)->magic = 0; \
		free(o);        \
		(o) = NULL;     \
	} while (0)

static inline void
freep(void *p)
{
	free(*(void **)p);
}

static inline void
closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)

#endif
