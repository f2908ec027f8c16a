#include "dims.h"

#include <inttypes.h>
#include <stdarg.h>

static const char *const symbols[] = {
#define SYMBOL(sym, name) name,
#include "symbols.def"
#undef SYMBOL
};

const char *
symbol_name(enum symbol s)
{
	return symbols[s];
}

static int64_t
gcd(int64_t a, int64_t b)
{
	int64_t t;

	while (b) {
		t = a % b;
		a = b;
		b = t;
	}
	return a;
}

static struct dim
reduced(struct dim d)
{
	int64_t g = gcd(d.num, d.den);

	if (g > 1) {
		d.num /= g;
		d.den /= g;
	}
	return d;
}

struct dim
dim_const(int64_t n)
{
	assert(n > 0);
	return (struct dim){.num = n, .den = 1};
}

struct dim
dim_symbol(enum symbol s)
{
	struct dim d = dim_const(1);

	d.pow[s] = 1;
	return d;
}

struct dim
dim_mul(struct dim a, struct dim b)
{
	struct dim d = {.den = a.den * b.den};
	int s;

	/* Sizes come from models and do not overflow in practice; check anyway. */
	if (__builtin_mul_overflow(a.num, b.num, &d.num))
		d.num = INT64_MAX;
	for (s = 0; s < SYM_MAX; s++)
		d.pow[s] = (uint8_t)(a.pow[s] + b.pow[s]);
	return reduced(d);
}

struct dim
dim_div(struct dim a, int64_t n)
{
	assert(n > 0);
	a.den *= n;
	return reduced(a);
}

bool
dim_eq(struct dim a, struct dim b)
{
	return a.num == b.num && a.den == b.den && memcmp(a.pow, b.pow, sizeof(a.pow)) == 0;
}

bool
dim_is_const(struct dim d)
{
	static const uint8_t none[SYM_MAX];

	return memcmp(d.pow, none, sizeof(none)) == 0;
}

bool
dim_is_one(struct dim d)
{
	return dim_is_const(d) && d.num == 1 && d.den == 1;
}

int64_t
dim_eval(struct dim d, const struct sizes *s)
{
	int64_t v = d.num;
	int i, k;

	for (i = 0; i < SYM_MAX; i++)
		for (k = 0; k < d.pow[i]; k++)
			if (__builtin_mul_overflow(v, s->of[i], &v))
				return -1;
	return v % d.den ? -1 : v / d.den;
}

const char *
dim_str(struct dim d, char *buf, size_t len)
{
	const char *sep = "";
	size_t n = 0;
	int i, k;

	assert(len >= 96); /* what the longest product takes */
	buf[0] = '\0';
	if (d.num != 1 || dim_is_const(d)) {
		n = (size_t)snprintf(buf, len, "%" PRId64, d.num);
		sep = "*";
	}
	for (i = 0; i < SYM_MAX; i++)
		for (k = 0; k < d.pow[i] && n < len; k++) {
			n += (size_t)snprintf(buf + n, len - n, "%s%s", sep, symbols[i]);
			sep = "*";
		}
	if (d.den != 1 && n < len)
		(void)snprintf(buf + n, len - n, "/%" PRId64, d.den);
	return buf;
}

struct shape
shape_of(int rank, ...)
{
	struct shape s = {.rank = rank};
	va_list ap;
	int i;

	assert(rank <= IR_RANK_MAX);
	va_start(ap, rank);
	for (i = 0; i < rank; i++)
		s.dim[i] = va_arg(ap, struct dim);
	va_end(ap);
	return s;
}

struct dim
shape_count(const struct shape *s)
{
	struct dim d = dim_const(1);
	int i;

	for (i = 0; i < s->rank; i++)
		d = dim_mul(d, s->dim[i]);
	return d;
}

bool
shape_eq(const struct shape *a, const struct shape *b)
{
	int i;

	if (a->rank != b->rank)
		return false;
	for (i = 0; i < a->rank; i++)
		if (!dim_eq(a->dim[i], b->dim[i]))
			return false;
	return true;
}

const char *
shape_str(const struct shape *s, char *buf, size_t len)
{
	char one[96];
	size_t n = 0;
	int i;

	(void)snprintf(buf, len, "[");
	for (i = 0; i < s->rank; i++) {
		n = strlen(buf);
		(void)snprintf(buf + n, len - n, "%s%s", i ? ", " : "", dim_str(s->dim[i], one, sizeof(one)));
	}
	n = strlen(buf);
	(void)snprintf(buf + n, len - n, "]");
	return buf;
}
