/*
 * colconv-embed: embeds queries and pages with an artifact, and ranks the pages.
 *
 * Exit status: 0, or that of base/errors.def. On failure the last line on stderr is "colconv-embed: REASON:
 * MESSAGE"; REASON is a wire name.
 */
#include "base/fs.h"
#include "base/str.h"
#include "output.h"
#include "parity/program.h"

struct args {
	struct program p;
	const char *dir;
	struct item *items;
	size_t n;
	const char *task;
	bool rank;
};

enum opt { OPT_QUERY = 1000, OPT_IMAGE, OPT_TASK, OPT_RANK };

static const struct option options[] = {
	{"query", required_argument, NULL, OPT_QUERY},
	{"image", required_argument, NULL, OPT_IMAGE},
	{"task", required_argument, NULL, OPT_TASK},
	{"rank", no_argument, NULL, OPT_RANK},
	PROGRAM_OPTIONS,
	{0},
};

static const char help[] =
	"usage: colconv-embed ARTIFACT (--query TEXT | --image FILE)... [options]\n"
	"Embeds queries and pages by an artifact of colconv. `colconvctl embed` and\n"
	"`colconvctl rank` run it.\n"
	"\n"
	"  --query TEXT      a query\n"
	"  --image FILE      a page: a PNG or JPEG picture\n"
	"  --task NAME       of an artifact with several tasks: the one to embed for\n"
	"  --rank            give the pages of each query, best first, instead of embeddings\n"
	"  --output FILE     write FILE.json or FILE.npy; else JSON on the standard output\n"
	"  --threads N       threads of ONNX Runtime (as many as CPUs)\n"
	"  --runtime FILE    ONNX Runtime's library; else $COLCONV_ORT_LIBRARY, else the one\n"
	"                    installed with colconv, else the system's\n"
	"  --progress        print a line 'item N TOTAL NAME' for each; needs --output\n"
	"  --help, --version\n";

static int
item_add(struct args *a, bool page, struct err *e)
{
	const size_t len = strlen(optarg);

	/* Queries are checked later, where the tokenizer is available. */
	if (page && !str_is_utf8(optarg, len))
		return err_set(e, E_USAGE, "the name of the file given with --image is not UTF-8; rename it");
	if (page && !fs_exists(optarg))
		return err_set(e, E_USAGE, "there is no file '%s'", optarg);
	a->items[a->n++] = (struct item){.page = page, .name = optarg};
	return 0;
}

static int
option_take(struct args *a, int opt, char *const *argv, struct err *e)
{
	switch (opt) {
	case OPT_QUERY:
	case OPT_IMAGE:
		return item_add(a, opt == OPT_IMAGE, e);
	case OPT_TASK:
		a->task = optarg;
		return 0;
	case OPT_RANK:
		a->rank = true;
		return 0;
	default:
		return program_take(&a->p, opt, argv, e);
	}
}

/* A ranking needs both kinds. */
static int
items_check(const struct args *a, struct err *e)
{
	size_t i, pages = 0;

	for (i = 0; i < a->n; i++)
		pages += a->items[i].page;
	if (a->n == 0)
		return err_set(e, E_USAGE, "nothing to embed: give --query TEXT or --image FILE");
	if (a->rank && (pages == 0 || pages == a->n))
		return err_set(e, E_USAGE, "a ranking needs a query and a page");
	return 0;
}

static int
output_check(const struct args *a, struct err *e)
{
	if (!a->p.output)
		return a->p.progress ? err_set(e, E_USAGE, "--progress needs --output") : 0;
	if (!str_ends(a->p.output, ".json") && !str_ends(a->p.output, ".npy"))
		return err_set(e, E_USAGE, "'%s': the output must end in .json or .npy", a->p.output);
	if (a->rank && str_ends(a->p.output, ".npy"))
		return err_set(e, E_USAGE, "a ranking is written as .json, not as '%s'", a->p.output);
	return 0;
}

static int
args_parse(struct args *a, int argc, char **argv, struct err *e)
{
	int opt, r;

	a->items = calloc((size_t)argc, sizeof(*a->items));
	if (!a->items)
		return err_no_memory(e);
	while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		r = option_take(a, opt, argv, e);
		if (r < 0)
			return r;
	}
	if (optind + 1 != argc)
		return err_set(e, E_USAGE, "give one artifact; see --help");
	a->dir = argv[optind];
	r = items_check(a, e);
	return r < 0 ? r : output_check(a, e);
}

/* Embeds all items of one kind, so that their graph is loaded only once. */
static int
items_embed(const struct args *a, struct embedder *m, bool pages, size_t *done, struct err *e)
{
	struct item *i;
	int r = 0;

	for (i = a->items; r == 0 && i < a->items + a->n; i++) {
		if (i->page != pages)
			continue;
		if (a->p.progress) {
			(void)printf("item %zu %zu %s\n", ++*done, a->n, i->page ? i->name : "query");
			(void)fflush(stdout);
		}
		r = i->page ? embedder_page(m, i->name, &i->v, e) : embedder_query(m, i->name, &i->v, e);
	}
	return r;
}

static int
result_write(const struct args *a, const struct artifact *artifact, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	if (a->rank)
		r = output_ranking(artifact, a->items, a->n, &b, e);
	else if (a->p.output && str_ends(a->p.output, ".npy"))
		r = output_npy(artifact, a->items, a->n, &b, e);
	else
		r = output_json(artifact, a->items, a->n, &b, e);
	if (r < 0)
		return r;
	return a->p.output ? fs_write_file(a->p.output, b.data, b.len, e)
			   : fs_write_all(STDOUT_FILENO, b.data, b.len, "the standard output", e);
}

static int
embed(const struct args *a, struct err *e)
{
	_cleanup_(artifact_release) struct artifact artifact = ARTIFACT_INIT;
	_cleanup_(embedder_release) struct embedder m = EMBEDDER_INIT;
	size_t done = 0;
	int r;

	r = artifact_open(&artifact, a->dir, e);
	if (r == 0)
		r = artifact_task(&artifact, a->task, &m.task, e);
	if (r == 0)
		r = ort_open(a->p.runtime, e);
	if (r < 0)
		return r;
	m.artifact = &artifact;
	m.threads = a->p.threads;
	r = items_embed(a, &m, /*pages=*/false, &done, e);
	if (r == 0)
		r = items_embed(a, &m, /*pages=*/true, &done, e);
	return r < 0 ? r : result_write(a, &artifact, e);
}

int
main(int argc, char **argv)
{
	struct args a = {.n = 0};
	struct err e = ERR_INIT;
	size_t i;
	int r;

	program_init(&a.p, "colconv-embed", help);
	r = args_parse(&a, argc, argv, &e);
	if (r == 0)
		r = embed(&a, &e);
	for (i = 0; i < a.n; i++)
		embedding_release(&a.items[i].v);
	free(a.items);
	return program_end(r, &e);
}
