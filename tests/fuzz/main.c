/*
 * Runs a harness without libFuzzer: the empty input, every seed as it is, then random mutations of them.
 *
 *	fuzz_NAME [--runs N] [--seed N] FOLDER
 *
 * The seeds are the files of the folder, tests/fuzz/corpus/NAME. To replay one input, put it in
 * a folder of its own and say --runs 0. The same --seed gives the same inputs; the one that
 * crashed is left in fuzz_NAME.crash.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>

#include "base/fs.h"
#include "base/str.h"

#define INPUT_LEN_MAX (1u << 20)
#define MUTATIONS_MAX 8

struct input {
	uint8_t *data;
	size_t len;
};

static uint64_t rng;
static struct input current; /* for the crash handler */
static char crash_path[256];

/* SplitMix64: below n. */
static size_t
below(size_t n)
{
	uint64_t z = rng += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return n ? (size_t)((z ^ z >> 31) % n) : 0;
}

/* A copy of exactly this length, so that a sanitizer sees a read past the end. */
static void
run_one(const uint8_t *data, size_t len)
{
	current.data = malloc(len ? len : 1);
	current.len = len;
	if (!current.data)
		abort();
	memcpy(current.data, data, len);
	(void)LLVMFuzzerTestOneInput(current.data, len);
	free(current.data);
	current.data = NULL;
}

static void
crash_save(int sig)
{
	if (current.data)
		(void)fs_write_file(crash_path, current.data, current.len, NULL);
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

/* One small change; `cap` bytes have room. */
static size_t
mutate(uint8_t *p, size_t len, size_t cap, const struct input *other)
{
	static const uint8_t bytes[] = {0,   1,   0x7f, 0x80, 0xff, '"', '\\', '{', '}',
					'[', ']', ',',  ':',  '-',  '0', '9',  ' '};
	size_t at = below(len), n = 1 + below(8), from;

	switch (below(6)) {
	case 0: /* flip a bit */
		if (len)
			p[at] ^= (uint8_t)(1 << below(8));
		return len;
	case 1: /* a telling byte */
		if (len)
			p[at] = bytes[below(sizeof(bytes))];
		return len;
	case 2: /* cut out */
		n = MIN(n, len - at);
		memmove(p + at, p + at + n, len - at - n);
		return len - n;
	case 3: /* repeat */
		n = MIN(n, MIN(len - at, cap - len));
		memmove(p + at + n, p + at, len - at);
		return len + n;
	case 4: /* cut off */
		return below(4) ? len : at;
	default: /* a piece of another seed */
		from = below(other->len);
		n = MIN(MIN(8 * n, len - at), other->len - from);
		memcpy(p + at, other->data + from, n);
		return len;
	}
}

static void
run_mutations(const struct input *seeds, size_t count, uint64_t runs)
{
	_cleanup_free_ uint8_t *p = malloc(INPUT_LEN_MAX);
	const struct input *seed;
	size_t len, k;
	uint64_t i;

	if (!p)
		abort();
	for (i = 0; i < runs; i++) {
		seed = &seeds[below(count)];
		len = seed->len;
		memcpy(p, seed->data, len);
		for (k = 1 + below(MUTATIONS_MAX); k; k--)
			len = mutate(p, len, INPUT_LEN_MAX, &seeds[below(count)]);
		run_one(p, len);
	}
}

static int
is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int
seeds_read(const char *dir, struct dirent **names, int count, struct input *ret, struct err *e)
{
	int i, r = 0;

	for (i = 0; i < count && r == 0; i++) {
		_cleanup_free_ char *path = fs_join(dir, names[i]->d_name);

		r = fs_read(path, INPUT_LEN_MAX, E_USAGE, (char **)&ret[i].data, &ret[i].len, e);
	}
	return r;
}

static int
folder_run(const char *dir, uint64_t runs, struct err *e)
{
	struct dirent **names = NULL;
	int i, r, count = scandir(dir, &names, is_visible, alphasort);
	struct input *seeds;

	if (count < 0)
		return err_errno(e, E_USAGE, errno, "cannot read the folder '%s'", dir);
	seeds = calloc((size_t)count + 1, sizeof(*seeds));
	if (!seeds)
		abort();
	run_one((const uint8_t *)"", 0);
	r = seeds_read(dir, names, count, seeds, e);
	for (i = 0; i < count && r == 0; i++)
		run_one(seeds[i].data, seeds[i].len);
	if (r == 0 && count)
		run_mutations(seeds, (size_t)count, runs);
	for (i = 0; i < count; i++) {
		free(seeds[i].data);
		free(names[i]);
	}
	free(seeds);
	free(names);
	return r;
}

static int
options_run(int argc, char **argv, struct err *e)
{
	static const struct option longs[] = {{"runs", required_argument, NULL, 'n'},
					      {"seed", required_argument, NULL, 's'},
					      {NULL, 0, NULL, 0}};
	const char *name = fs_basename(argv[0]);
	uint64_t runs = 100000;
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (c == 'n')
			r = str_to_u64(optarg, 0, UINT64_MAX, "--runs", &runs, e);
		else if (c == 's')
			r = str_to_u64(optarg, 0, UINT64_MAX, "--seed", &rng, e);
		else
			r = E_USAGE;
	}
	if (r < 0 || optind != argc - 1)
		return err_set(e, E_USAGE, "usage: %s [--runs N] [--seed N] FOLDER", name);
	(void)snprintf(crash_path, sizeof(crash_path), "%s.crash", name);
	return folder_run(argv[optind], runs, e);
}

int
main(int argc, char **argv)
{
	struct err e = ERR_INIT;

	(void)signal(SIGSEGV, crash_save);
	(void)signal(SIGBUS, crash_save);
	(void)signal(SIGFPE, crash_save);
	(void)signal(SIGABRT, crash_save);
	if (options_run(argc, argv, &e) == 0)
		return 0;
	(void)fprintf(stderr, "%s: %s\n", fs_basename(argv[0]), e.msg);
	return err_exit_status(e.code);
}
