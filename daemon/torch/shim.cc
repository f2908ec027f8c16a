#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/api/include/torch/version.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include "torch/shim.h"

extern "C" {
#include "graph/graph.h"
}

using at::Tensor;

struct tt {
	Tensor t;
};

namespace
{

constexpr at::ScalarType types[] = {
#define ELEM(sym, word, size, is_weight, onnx, torch) at::ScalarType::torch,
#include "base/elems.def"
#undef ELEM
};
static_assert(ARRAY_LEN(types) == ELEM_MAX, "a row for each element type");

constexpr at::DeviceType devices[] = {at::kCPU, at::kCUDA, at::kMeta};

at::IntArrayRef
dims(const struct tt_shape &s)
{
	return at::IntArrayRef(s.dim, static_cast<size_t>(s.rank));
}

/* Runs f and turns every exception into an error. */
template <typename F>
int
guarded_run(const char *what, struct err *e, F f)
{
	try {
		c10::InferenceMode guard;
		f();
		return 0;
	} catch (const c10::Error &x) {
		const char *why = x.what_without_backtrace();
		bool memory = std::strstr(why, "out of memory") || std::strstr(why, "allocate memory");
		return err_set(e, memory ? E_NO_MEMORY : E_TRACE, "libtorch: %s: %s", what, why);
	} catch (const std::bad_alloc &) {
		return err_set(e, E_NO_MEMORY, "libtorch: %s: memory ran out", what);
	} catch (const std::exception &x) {
		return err_set(e, E_TRACE, "libtorch: %s: %s", what, x.what());
	} catch (...) {
		return err_set(e, E_TRACE, "libtorch: %s: it threw something that is not a std::exception",
			       what);
	}
}

/* The same for an f that returns a tensor, which is passed on to the caller. */
template <typename F>
int
guarded(const char *what, struct tt **ret, struct err *e, F f)
{
	return guarded_run(what, e, [&] { *ret = new tt{f()}; });
}

Tensor
raw(const struct tt_args *a, int i)
{
	return a->in[i]->t;
}

/*
 * Input i, converted to the type that ops compute with: float32, but for values that a cast made float64. A converted weight is
 * freed at the end of the op.
 */
Tensor
in(const struct tt_args *a, int i)
{
	const Tensor &t = a->in[i]->t;

	return t.is_floating_point() && t.scalar_type() != at::kDouble ? t.to(at::kFloat) : t;
}

/* A result without elements, for kernels that libtorch 1.13 does not have on the meta device. */
Tensor
empty_as(const Tensor &like, at::IntArrayRef shape)
{
	return at::empty(shape, like.options());
}

Tensor
linear(const struct tt_args *a)
{
	Tensor y = at::matmul(in(a, 0), in(a, 1).t());

	return a->n_in == 3 ? y.add_(in(a, 2)) : y;
}

Tensor
gather(const struct tt_args *a)
{
	Tensor table = raw(a, 0), ids = raw(a, 1), rows;
	std::vector<int64_t> shape = ids.sizes().vec();

	shape.insert(shape.end(), table.sizes().begin() + 1, table.sizes().end());
	if (table.is_meta())
		rows = empty_as(table, shape);
	else
		rows = table.index_select(0, ids.reshape({-1})).reshape(shape);
	return rows.is_floating_point() ? rows.to(at::kFloat) : rows;
}

Tensor
rms_norm(const struct tt_args *a)
{
	Tensor x = in(a, 0);

	return x * at::rsqrt((x * x).mean({-1}, true) + a->f) * in(a, 1);
}

Tensor
layer_norm(const struct tt_args *a)
{
	Tensor x = in(a, 0);

	if (x.is_meta())
		return empty_as(x, x.sizes());
	return at::layer_norm(x, {x.size(-1)}, in(a, 1), a->n_in == 3 ? in(a, 2) : Tensor(), a->f);
}

Tensor
rope(const struct tt_args *a)
{
	Tensor x = in(a, 0), c = in(a, 1), s = in(a, 2);
	int64_t last = x.dim() - 1, d = x.size(-1), r = c.size(-1);
	Tensor first = x.slice(last, 0, r), second = x.slice(last, r, 2 * r);

	return at::cat({first * c - second * s, second * c + first * s, x.slice(last, 2 * r, d)}, -1);
}

/* Scores of one matrix product: 64 MiB of them. A page of 4,096 patches has 1 GiB otherwise. */
constexpr int64_t scores_max = 16 << 20;

/* Hides the keys that rows [begin, end) of the queries do not see; mask [keys] or [queries, keys]. */
void
scores_mask(Tensor &scores, const Tensor &mask, bool causal, int64_t begin, int64_t end)
{
	Tensor seen = mask.dim() == 2 ? mask.slice(0, begin, end) : mask.unsqueeze(0);

	if (causal) {
		Tensor key = at::arange(mask.size(-1), mask.options().dtype(at::kLong));
		seen = seen.logical_and(key.slice(0, begin, end).unsqueeze(1) >= key);
	}
	scores.masked_fill_(seen.logical_not(), -std::numeric_limits<float>::max());
}

/* One row of the batch: q [queries, heads, width], k and v with as many heads. */
Tensor
attention_row(const struct tt_args *a, const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &mask)
{
	Tensor heads = q.transpose(0, 1), keys = k.permute({1, 2, 0}), values = v.transpose(0, 1);
	int64_t queries = q.size(0), row = std::max<int64_t>(1, q.size(1) * k.size(0));
	int64_t step = std::max<int64_t>(1, scores_max / row);
	std::vector<Tensor> parts;

	for (int64_t i = 0; i < queries; i += step) {
		int64_t end = std::min(i + step, queries);
		Tensor s = at::matmul(heads.slice(1, i, end), keys).mul_(a->f);
		if (mask.defined())
			scores_mask(s, mask, a->i == IR_MASK_CAUSAL, i, end);
		parts.push_back(at::matmul(at::softmax(s, -1), values));
	}
	return at::cat(parts, 1).transpose(0, 1);
}

/* Queries in blocks, so that memory does not grow with the square of the tokens. */
Tensor
attention(const struct tt_args *a)
{
	Tensor q = in(a, 0), k = in(a, 1), v = in(a, 2), mask = a->n_in == 4 ? raw(a, 3) : Tensor();
	int64_t per_kv = q.size(2) / k.size(2);
	std::vector<Tensor> rows;

	if (q.is_meta() || q.numel() == 0)
		return empty_as(q, q.sizes());
	for (int64_t b = 0; b < q.size(0); b++) {
		Tensor ks = k.select(0, b), vs = v.select(0, b);
		if (per_kv > 1) {
			ks = ks.repeat_interleave(per_kv, 1);
			vs = vs.repeat_interleave(per_kv, 1);
		}
		rows.push_back(
			attention_row(a, q.select(0, b), ks, vs, mask.defined() ? mask.select(0, b) : mask));
	}
	return at::stack(rows);
}

Tensor
l2_normalize(const struct tt_args *a)
{
	Tensor x = in(a, 0);

	return x / ((x * x).sum({-1}, true) + a->f).sqrt();
}

Tensor
softmax(const struct tt_args *a)
{
	return at::softmax(in(a, 0), -1);
}

/* A sum of shifted products: libtorch's own convolution runs channel by channel where it has no kernel for many groups. */
Tensor
causal_conv(const struct tt_args *a)
{
	Tensor x = in(a, 0), w = in(a, 1), before, y;
	int64_t tokens = x.size(1), taps = w.size(2);

	if (x.is_meta())
		return empty_as(x, x.sizes());
	before = at::constant_pad_nd(x, {0, 0, taps - 1, 0}, 0);
	y = before.narrow(1, 0, tokens) * w.select(2, 0).squeeze(1);
	for (int64_t j = 1; j < taps; j++)
		y.addcmul_(before.narrow(1, j, tokens), w.select(2, j).squeeze(1));
	return y;
}

/* Tokens that the delta rule takes at once. */
constexpr int64_t chunk_tokens = 64;

/* Tokens [begin, end) of x [b, s, h, d], as [b, groups, h / groups, tokens, d]. */
Tensor
chunk_of(const Tensor &x, int64_t groups, int64_t begin, int64_t end)
{
	return x.slice(1, begin, end)
		.reshape({x.size(0), end - begin, groups, x.size(2) / groups, x.size(3)})
		.permute({0, 2, 3, 1, 4})
		.contiguous();
}

/*
 * The tokens of a chunk at once: returns their results, [b, kh, h / kh, tokens, dv], and carries the state
 * [b, kh, h / kh, dk, dv] on. Row i of `decays` is exp of the sum of the decays of tokens j + 1 .. i: summed as they are,
 * because a difference of two sums from the first token on loses the digits of a weak decay after a strong one. Each
 * token's correction depends on those of the tokens before it, which is a triangular system.
 */
Tensor
chunk_run(const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &decay, const Tensor &beta,
	  Tensor &state)
{
	int64_t tokens = k.size(3);
	Tensor lower = at::ones({tokens, tokens}, k.options()).tril();
	Tensor decays = (decay * lower.tril(-1)).cumsum(-2).exp_().mul_(lower);
	Tensor past = decay.cumsum(-2).exp(), keys = k.transpose(-1, -2);
	Tensor system = at::matmul(k, keys) * decays * beta;
	Tensor wanted = (v - at::matmul(k, state) * past) * beta;
	Tensor added = at::linalg_solve_triangular(system, wanted, /*upper=*/false, /*left=*/true,
						   /*unitriangular=*/true);
	Tensor result = at::matmul(q, state) * past + at::matmul(at::matmul(q, keys) * decays, added);
	Tensor last = decays.select(-2, tokens - 1).unsqueeze(-1);

	state = state * past.narrow(-2, tokens - 1, 1) + at::matmul(keys, added * last);
	return result;
}

Tensor
delta_rule(const struct tt_args *a)
{
	Tensor q = in(a, 0), k = in(a, 1), v = in(a, 2), decay = in(a, 3).unsqueeze(-1),
	       beta = in(a, 4).unsqueeze(-1), state;
	int64_t tokens = v.size(1), groups = k.size(2), shared = v.size(2) / groups;
	std::vector<Tensor> parts;

	if (v.is_meta() || v.numel() == 0)
		return empty_as(v, v.sizes());
	q = q * a->f;
	state = at::zeros({v.size(0), groups, shared, k.size(3), v.size(3)}, v.options());
	for (int64_t i = 0; i < tokens; i += chunk_tokens) {
		int64_t end = std::min(i + chunk_tokens, tokens);
		Tensor y = chunk_run(chunk_of(q, groups, i, end), chunk_of(k, groups, i, end),
				     chunk_of(v, groups, i, end), chunk_of(decay, groups, i, end),
				     chunk_of(beta, groups, i, end), state);
		parts.push_back(
			y.permute({0, 3, 1, 2, 4}).reshape({v.size(0), end - i, v.size(2), v.size(3)}));
	}
	return at::cat(parts, 1);
}

Tensor
where(const struct tt_args *a)
{
	Tensor c = in(a, 0), x = in(a, 1), y = in(a, 2);

	if (c.is_meta()) { /* for the shape alone, any op that broadcasts all three will do */
		Tensor shape = c.to(at::kFloat) + x.to(at::kFloat) + y.to(at::kFloat);
		return empty_as(x, shape.sizes());
	}
	return at::where(c, x, y);
}

Tensor
iota(const struct tt_args *a)
{
	return at::arange(a->shape.dim[0], at::TensorOptions().dtype(at::kLong).device(devices[a->device]));
}

Tensor
size(const struct tt_args *a)
{
	return at::full({}, a->shape.dim[0], at::TensorOptions().dtype(at::kLong).device(devices[a->device]));
}

Tensor
concat(const struct tt_args *a)
{
	std::vector<Tensor> parts;

	for (int i = 0; i < a->n_in; i++)
		parts.push_back(in(a, i));
	return at::cat(parts, a->axis);
}

Tensor
transpose(const struct tt_args *a)
{
	std::vector<int64_t> perm(a->perm, a->perm + raw(a, 0).dim());

	return in(a, 0).permute(perm);
}

/* Adds zeros at the front of the axis and removes as many elements at its end. */
Tensor
shift(const struct tt_args *a)
{
	Tensor x = in(a, 0);
	std::vector<int64_t> pad(2 * static_cast<size_t>(x.dim()), 0);
	size_t at = 2 * static_cast<size_t>(x.dim() - 1 - a->axis); /* pad() takes its pairs from the last
                                                                     * axis on */

	pad[at] = 1;
	pad[at + 1] = -1;
	return at::constant_pad_nd(x.to(at::kLong), pad, 0).to(x.scalar_type());
}

Tensor
check(const struct tt_args *a)
{
	Tensor wrong = raw(a, 1);

	if (!wrong.is_meta() && wrong.any().item<bool>())
		throw std::runtime_error("the shapes of the inputs do not match");
	return in(a, 0);
}

Tensor
div(const struct tt_args *a)
{
	Tensor x = in(a, 0), y = in(a, 1);

	return x.is_floating_point() ? at::div(x, y) : at::div(x, y, "floor");
}

/* clang-format off */
Tensor silu(const struct tt_args *a) { return at::silu(in(a, 0)); }
Tensor gelu(const struct tt_args *a) { return at::gelu(in(a, 0), "none"); }
Tensor gelu_tanh(const struct tt_args *a) { return at::gelu(in(a, 0), "tanh"); }
Tensor quick_gelu(const struct tt_args *a) { return in(a, 0) * at::sigmoid(in(a, 0) * 1.702); }
Tensor sigmoid(const struct tt_args *a) { return at::sigmoid(in(a, 0)); }
Tensor softplus(const struct tt_args *a) { return at::softplus(in(a, 0)); }
Tensor exp(const struct tt_args *a) { return at::exp(in(a, 0)); }
Tensor cos(const struct tt_args *a) { return at::cos(in(a, 0)); }
Tensor sin(const struct tt_args *a) { return at::sin(in(a, 0)); }
Tensor add(const struct tt_args *a) { return in(a, 0) + in(a, 1); }
Tensor sub(const struct tt_args *a) { return in(a, 0) - in(a, 1); }
Tensor mul(const struct tt_args *a) { return in(a, 0) * in(a, 1); }
Tensor mod(const struct tt_args *a) { return at::fmod(in(a, 0), in(a, 1)); }
Tensor min(const struct tt_args *a) { return at::minimum(in(a, 0), in(a, 1)); }
Tensor max(const struct tt_args *a) { return at::maximum(in(a, 0), in(a, 1)); }
Tensor equal(const struct tt_args *a) { return at::eq(in(a, 0), in(a, 1)); }
Tensor less(const struct tt_args *a) { return at::lt(in(a, 0), in(a, 1)); }
Tensor both(const struct tt_args *a) { return at::bitwise_and(in(a, 0), in(a, 1)); }
Tensor either(const struct tt_args *a) { return at::bitwise_or(in(a, 0), in(a, 1)); }
Tensor negation(const struct tt_args *a) { return at::bitwise_not(in(a, 0)); }
Tensor cast(const struct tt_args *a) { return in(a, 0).to(types[a->dtype]); }
Tensor reshape(const struct tt_args *a) { return in(a, 0).reshape(dims(a->shape)); }
Tensor slice(const struct tt_args *a) { return in(a, 0).slice(a->axis, a->begin, a->end); }
Tensor cumsum(const struct tt_args *a) { return at::cumsum(in(a, 0), a->axis); }
Tensor sum(const struct tt_args *a) { return in(a, 0).sum({a->axis}); }
Tensor any(const struct tt_args *a) { return in(a, 0).to(at::kLong).sum() > 0; }
/* clang-format on */

} // namespace

/* `and`, `or` and `not` are operators in C++, so their functions have other names here. */
/* clang-format off */
#define SHIM(name, f)                                                                                        \
	int tt_##name(const struct tt_args *a, struct tt **ret, struct err *e)                               \
	{                                                                                                    \
		return guarded(#name, ret, e, [&] { return f(a); });                                         \
	}
/* clang-format on */
SHIM(linear, linear)
SHIM(gather, gather)
SHIM(rms_norm, rms_norm)
SHIM(layer_norm, layer_norm)
SHIM(rope, rope)
SHIM(attention, attention)
SHIM(l2_normalize, l2_normalize)
SHIM(softmax, softmax)
SHIM(causal_conv, causal_conv)
SHIM(delta_rule, delta_rule)
SHIM(silu, silu)
SHIM(gelu, gelu)
SHIM(gelu_tanh, gelu_tanh)
SHIM(quick_gelu, quick_gelu)
SHIM(sigmoid, sigmoid)
SHIM(softplus, softplus)
SHIM(exp, exp)
SHIM(cos, cos)
SHIM(sin, sin)
SHIM(add, add)
SHIM(sub, sub)
SHIM(mul, mul)
SHIM(div, div)
SHIM(mod, mod)
SHIM(min, min)
SHIM(max, max)
SHIM(equal, equal)
SHIM(less, less)
SHIM(and, both)
SHIM(or, either)
SHIM(not, negation)
SHIM(where, where)
SHIM(cast, cast)
SHIM(reshape, reshape)
SHIM(transpose, transpose)
SHIM(concat, concat)
SHIM(slice, slice)
SHIM(size, size)
SHIM(iota, iota)
SHIM(cumsum, cumsum)
SHIM(sum, sum)
SHIM(shift, shift)
SHIM(any, any)
SHIM(check, check)

int
tt_over(enum elem dtype, const struct tt_shape *shape, const void *data, enum tt_device device,
	struct tt **ret, struct err *e)
{
	if (types[dtype] == at::ScalarType::Undefined)
		return err_set(e, E_TRACE, "libtorch has no element type %s", elem_name(dtype));
	return guarded("tensor", ret, e, [&] {
		auto opt = at::TensorOptions().dtype(types[dtype]);

		if (device == TT_META)
			return at::empty(dims(*shape), opt.device(at::kMeta));
		Tensor t = at::from_blob(const_cast<void *>(data), dims(*shape), opt);
		/* A safetensors file may put a tensor at any offset; kernels want it aligned. */
		if (reinterpret_cast<uintptr_t>(data) % t.element_size()) {
			t = at::empty(dims(*shape), opt);
			std::memcpy(t.data_ptr(), data, t.nbytes());
		}
		return device == TT_CUDA ? t.to(at::kCUDA) : t;
	});
}

int
tt_over_take(enum elem dtype, const struct tt_shape *shape, void *data, enum tt_device device,
	     struct tt **ret, struct err *e)
{
	std::unique_ptr<void, decltype(&free)> owned(data, free);

	return guarded("tensor", ret, e, [&] {
		Tensor t = at::from_blob(data, dims(*shape), free, at::TensorOptions().dtype(types[dtype]));

		owned.release();
		return device == TT_CUDA ? t.to(at::kCUDA) : t;
	});
}

void
tt_free(struct tt **t)
{
	delete *t;
	*t = nullptr;
}

struct tt_shape
tt_shape_get(const struct tt *t)
{
	struct tt_shape s = {};

	s.rank = static_cast<int>(t->t.dim());
	for (int i = 0; i < s.rank && i < TT_RANK_MAX; i++)
		s.dim[i] = t->t.size(i);
	return s;
}

int
tt_read(const struct tt *t, void *ret, size_t len, struct err *e)
{
	struct tt *copy = nullptr;
	int r = guarded("read", &copy, e, [&] { return t->t.to(at::kCPU).contiguous(); });

	if (r < 0)
		return r;
	if (copy->t.nbytes() == len)
		std::memcpy(ret, copy->t.data_ptr(), len);
	else
		r = err_set(e, E_INTERNAL, "a tensor has %zu bytes, not %zu", copy->t.nbytes(), len);
	tt_free(&copy);
	return r;
}

int
tt_convert(struct tt **t, struct err *e)
{
	return guarded_run("convert", e, [&] {
		if ((*t)->t.is_floating_point())
			(*t)->t = (*t)->t.to(at::kFloat);
	});
}

int
tt_linear_rows(const struct tt *const *x, size_t n, const struct tt *weight, const struct tt *bias,
	       struct tt **ret, struct err *e)
{
	return guarded_run("linear", e, [&] {
		const int64_t in = weight->t.size(1), out = weight->t.size(0);
		std::vector<std::unique_ptr<struct tt>> made;
		std::vector<Tensor> rows;
		int64_t at = 0;

		for (size_t i = 0; i < n; i++)
			rows.push_back(x[i]->t.to(at::kFloat).reshape({-1, in}));
		Tensor all = n == 1 ? rows[0] : at::cat(rows, 0);
		Tensor y = at::matmul(all, weight->t.t());
		if (bias)
			y.add_(bias->t);
		for (size_t i = 0; i < n; i++) {
			std::vector<int64_t> shape = x[i]->t.sizes().vec();
			shape.back() = out;
			made.emplace_back(new tt{y.narrow(0, at, rows[i].size(0)).reshape(shape)});
			at += rows[i].size(0);
		}
		for (size_t i = 0; i < n; i++)
			ret[i] = made[i].release();
	});
}

int
tt_plus_one(const struct tt *t, struct tt **ret, struct err *e)
{
	return guarded("plus_one", ret, e, [&] { return t->t.to(at::kFloat) + 1; });
}

/*
 * Singular values closer together than this, relative to the largest one, cannot be distinguished in float32.
 */
static constexpr double gap_min = 1e-5;

static Tensor
matrix_over(const float *w, int64_t rows, int64_t cols)
{
	return at::from_blob(const_cast<float *>(w), {rows, cols}, at::kFloat).to(at::kDouble);
}

/* b is an orthonormal basis and a = b^T w, so their product is w projected onto that basis. */
static void
factors_copy(const Tensor &w, const Tensor &b, float *ret_b, float *ret_a)
{
	Tensor left = b.to(at::kFloat).contiguous(), right = at::matmul(b.t(), w).to(at::kFloat).contiguous();

	std::memcpy(ret_b, left.data_ptr(), left.nbytes());
	std::memcpy(ret_a, right.data_ptr(), right.nbytes());
}

/*
 * Computes the left singular vectors from the eigenvectors of w w^T, or of w^T w when that is smaller.
 * Squaring loses digits, but in double more of them remain than a float32 decomposition has.
 */
int
tt_factors_svd(const float *w, int64_t rows, int64_t cols, int64_t rank, float *ret_b, float *ret_a,
	       struct err *e)
{
	double gap = 1;
	int r = guarded_run("svd", e, [&] {
		Tensor m = matrix_over(w, rows, cols), values, vectors;
		const bool wide = rows <= cols;
		const int64_t n = wide ? rows : cols;

		std::tie(values, vectors) =
			at::linalg_eigh(wide ? at::matmul(m, m.t()) : at::matmul(m.t(), m));
		values = values.clamp_min(0).sqrt(); /* ascending */
		if (rank < n)
			gap = (values[n - rank] - values[n - rank - 1]).item<double>() /
			      values[n - 1].item<double>();
		vectors = vectors.narrow(1, n - rank, rank);
		factors_copy(m, wide ? vectors : at::matmul(m, vectors) / values.narrow(0, n - rank, rank),
			     ret_b, ret_a);
	});

	if (r == 0 && !(gap >= gap_min))
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "its singular values %lld and %lld are almost equal, so its largest "
			       "%lld singular "
			       "vectors are not determined",
			       static_cast<long long>(rank), static_cast<long long>(rank + 1),
			       static_cast<long long>(rank));
	return r;
}

int
tt_factors_qr(const float *w, int64_t rows, int64_t cols, int64_t rank, float *ret_b, float *ret_a,
	      struct err *e)
{
	double least = 1;
	int r = guarded_run("qr", e, [&] {
		Tensor m = matrix_over(w, rows, cols), q, upper, diagonal;

		std::tie(q, upper) = at::linalg_qr(m.narrow(1, 0, rank), "reduced");
		diagonal = upper.diagonal().abs();
		least = (diagonal.min() / m.norm()).item<double>();
		factors_copy(m, q, ret_b, ret_a);
	});

	if (r == 0 && !(least >= gap_min / 10))
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "its first %lld columns are linearly dependent, so its Q R is not determined",
			       static_cast<long long>(rank));
	return r;
}

bool
tt_cuda_available(void)
{
	static const bool available = [] {
		/* For cuBLAS as a whole: some containers set a variable of libtorch that turns TF32 on. */
		(void)setenv("NVIDIA_TF32_OVERRIDE", "0", /*overwrite=*/1);
		at::globalContext().setAllowTF32CuBLAS(false);
		at::globalContext().setAllowTF32CuDNN(false);
		return at::hasCUDA();
	}();

	return available;
}

const char *
tt_version(void)
{
	return TORCH_VERSION;
}
