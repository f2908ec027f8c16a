#include "bar.h"

#include <inttypes.h>

#include "base/str.h"
#include "text.h"

#define REDRAW_MS 50
#define TELL_MS 30000  /* without a terminal: between two lines about a stage */
#define RATE_MS 5000.0 /* the rate is averaged over about this time */
#define LABEL_COLUMNS 10
#define CELLS_MIN 8
#define CELLS_MAX 30

#define GREEN "\033[32m"
#define PLAIN "\033[0m"
#define ERASE_BELOW "\033[J"
#define ROWS_KEPT 2 /* rows of the terminal that stay free of bars */

void
board_init(struct board *d, FILE *out)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	*d = (struct board){.out = out, .label = LABEL_COLUMNS};
	TAILQ_INIT(&d->bars);
	d->live = isatty(fileno(out)) && term && *term && !str_eq(term, "dumb");
	d->color = d->live && (!no_color || !*no_color);
}

void
bar_init(struct bar *b, struct board *d, const char *prefix)
{
	*b = (struct bar){.board = d};
	(void)snprintf(b->prefix, sizeof(b->prefix), "%s", prefix);
	TAILQ_INSERT_TAIL(&d->bars, b, entry);
}

static void
bytes_add(uint64_t n, struct buf *ret)
{
	char s[16];

	buf_puts(ret, str_bytes(n, s, sizeof(s)));
}

/* "2.78 GB of 6.17 GB", "812 of 1024 nodes", "812 nodes". */
static void
amount_add(const struct bar *b, uint64_t total, struct buf *ret)
{
	bool bytes = str_eq(b->unit, "bytes");

	if (bytes)
		bytes_add(b->done, ret);
	else
		buf_printf(ret, "%" PRIu64, b->done);
	if (total && bytes) {
		buf_puts(ret, " of ");
		bytes_add(total, ret);
	} else if (total) {
		buf_printf(ret, " of %" PRIu64, total);
	}
	if (!bytes && *b->unit)
		buf_printf(ret, " %s", b->unit);
}

static void
rate_add(const struct bar *b, double rate, struct buf *ret)
{
	if (str_eq(b->unit, "bytes")) {
		bytes_add((uint64_t)rate, ret);
		buf_puts(ret, "/s");
	} else {
		buf_printf(ret, rate < 10 ? "%.1f/s" : "%.0f/s", rate);
	}
}

static void
left_add(const struct bar *b, struct buf *ret)
{
	double s = (double)(b->total - b->done) / b->rate;
	unsigned n = s < 360000 ? (unsigned)(s + 0.5) : 360000;

	if (n < 3600)
		buf_printf(ret, "  %u:%02u left", n / 60, n % 60);
	else
		buf_printf(ret, "  %u:%02u:%02u left", n / 3600, n / 60 % 60, n % 60);
}

static void
stats_add(const struct bar *b, struct buf *ret)
{
	if (b->total)
		buf_printf(ret, "%3u%%  ", (unsigned)(100.0 * (double)b->done / (double)b->total));
	amount_add(b, b->total, ret);
	if (b->rate > 0) {
		buf_puts(ret, "  ");
		rate_add(b, b->rate, ret);
		if (b->total)
			left_add(b, ret);
	}
}

static void
cells_add(const struct bar *b, size_t cells, struct buf *ret)
{
	size_t i, full = (size_t)((double)cells * (double)b->done / (double)b->total);

	buf_puts(ret, "[");
	for (i = 0; i < cells; i++)
		buf_puts(ret, i < full ? "=" : i == full ? ">" : " ");
	buf_puts(ret, "]  ");
}

void
bar_format(const struct bar *b, unsigned width, struct buf *ret)
{
	_cleanup_(buf_release) struct buf stats = BUF_INIT;
	size_t used, cells;

	if (b->board->named)
		buf_printf(ret, "%s: ", b->prefix);
	if (*b->stage)
		buf_printf(ret, "%-*s ", b->board->label, b->stage);
	else
		buf_puts(ret, b->status);
	if (*b->stage && b->known) {
		stats_add(b, &stats);
		/* Columns beside the cells: their brackets and a gap. */
		used = text_width(ret->data) + text_width(stats.data) + 4;
		cells = used < width ? MIN(width - used, CELLS_MAX) : 0;
		if (b->total && cells >= CELLS_MIN)
			cells_add(b, cells, ret);
		buf_puts(ret, stats.data);
		if (*b->detail && text_width(ret->data) + 2 + text_width(b->detail) <= width)
			buf_printf(ret, "  %s", b->detail);
	}
	if (!ret->failed)
		ret->len = text_head_len(ret->data, width);
}

static void
line_add(const struct bar *b, unsigned width, struct buf *ret)
{
	_cleanup_(buf_release) struct buf line = BUF_INIT;
	const char *full, *end;

	bar_format(b, width, &line);
	if (line.failed)
		return;
	line.data[line.len] = '\0';
	end = line.data;
	if (b->board->color && b->known && (full = strchr(line.data, '['))) {
		end = full + 1 + strspn(full + 1, "=>");
		buf_printf(ret, "%.*s" GREEN "%.*s" PLAIN, (int)(full + 1 - line.data), line.data,
			   (int)(end - full - 1), full + 1);
	}
	buf_puts(ret, end);
}

/* Writes lines of words, and the bars below them, in one write. */
static void
board_draw(struct board *d, const char *above)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	/* The last column stays empty, because some terminals wrap as soon as it is filled. */
	const unsigned columns = text_columns(d->out), width = columns ? columns - 1 : 0;
	const size_t rows = text_rows(d->out), most = rows > ROWS_KEPT ? rows - ROWS_KEPT : 1;
	const struct bar *bar;
	size_t hidden = 0;

	d->stale = false;
	if (d->lines > 1)
		buf_printf(&b, "\033[%zuA", d->lines - 1);
	buf_puts(&b, "\r" ERASE_BELOW);
	buf_puts(&b, above);
	d->lines = 0;
	TAILQ_FOREACH(bar, &d->bars, entry) {
		if (!*bar->stage && !*bar->status)
			continue;
		if (d->lines == most) {
			hidden++;
			continue;
		}
		if (d->lines++)
			buf_puts(&b, "\n");
		line_add(bar, width, &b);
	}
	if (hidden) {
		buf_printf(&b, "\n... and %zu more", hidden);
		d->lines++;
	}
	if (!b.failed)
		(void)fwrite(b.data, 1, b.len, d->out);
	(void)fflush(d->out);
}

static void
bar_draw(struct bar *b, int64_t now_ms)
{
	if (!b->board->live)
		return;
	b->board->drawn_ms = now_ms;
	board_draw(b->board, "");
}

/* A line for a reader who has no bars: "export  25%  1.00 GB of 4.00 GB  500 MB/s  0:06 left". */
static void
progress_tell(struct bar *b, int64_t now_ms)
{
	_cleanup_(buf_release) struct buf line = BUF_INIT;

	b->told_ms = now_ms;
	if (b->known)
		stats_add(b, &line);
	else
		buf_printf(&line, "for %" PRId64 " s", (now_ms - b->begun_ms) / 1000);
	bar_note(b, "%s  %s", b->stage, line.data && !line.failed ? line.data + strspn(line.data, " ") : "");
}

/* Tells of every stage that was silent for TELL_MS. Returns when the next one is due; 0: none runs. */
static int64_t
board_tell(struct board *d, int64_t now_ms)
{
	int64_t due_ms = 0;
	struct bar *b;

	TAILQ_FOREACH(b, &d->bars, entry) {
		if (!*b->stage)
			continue;
		if (now_ms >= b->told_ms + TELL_MS)
			progress_tell(b, now_ms);
		due_ms = due_ms ? MIN(due_ms, b->told_ms + TELL_MS) : b->told_ms + TELL_MS;
	}
	return due_ms;
}

void
board_refresh(struct board *d, int64_t now_ms, int64_t *ret_ms)
{
	int64_t due_ms = d->drawn_ms + REDRAW_MS;

	if (!d->live)
		due_ms = board_tell(d, now_ms);
	else if (!d->stale)
		return;
	if (d->live && now_ms >= due_ms) {
		d->drawn_ms = now_ms;
		board_draw(d, "");
	} else if (due_ms) {
		*ret_ms = *ret_ms ? MIN(*ret_ms, due_ms) : due_ms;
	}
}

void
bar_release(struct bar *b)
{
	TAILQ_REMOVE(&b->board->bars, b, entry);
	if (b->board->live && b->board->lines)
		board_draw(b->board, "");
}

/* On a terminal, replaces the bar of a finished stage by a line that stays. */
void
bar_end(struct bar *b, int64_t now_ms)
{
	_cleanup_(buf_release) struct buf line = BUF_INIT;
	double seconds = (double)(now_ms - b->begun_ms) / 1000;

	if (!*b->stage)
		return;
	if (b->board->live) {
		if (b->board->named)
			buf_printf(&line, "%s: ", b->prefix);
		buf_printf(&line, "%-*s ", b->board->label, b->stage);
		if (b->known) {
			amount_add(b, /*total=*/0, &line);
			buf_puts(&line, " in ");
		}
		buf_printf(&line, "%.1f s", seconds);
		if (b->known && b->done && seconds > 0.1) {
			buf_puts(&line, ", ");
			rate_add(b, (double)b->done / seconds, &line);
		}
		buf_puts(&line, "\n");
	}
	b->stage[0] = '\0';
	if (b->board->live)
		board_draw(b->board, line.failed ? "" : line.data);
}

void
bar_drop(struct bar *b)
{
	b->stage[0] = b->status[0] = '\0';
	if (b->board->live && b->board->lines)
		board_draw(b->board, "");
}

void
bar_stage(struct bar *b, const char *stage, int64_t now_ms)
{
	bar_end(b, now_ms);
	text_copy(b->stage, sizeof(b->stage), stage);
	b->status[0] = b->unit[0] = b->detail[0] = '\0';
	b->known = false;
	b->done = b->total = 0;
	b->rate = 0;
	b->begun_ms = b->told_ms = now_ms;
	if (b->board->live)
		bar_draw(b, now_ms);
	else
		bar_note(b, "%s", b->stage);
}

static void
rate_begin(struct bar *b, uint64_t done, int64_t now_ms)
{
	b->rate = 0;
	b->rated_done = done;
	b->rated_ms = now_ms;
}

/*
 * Mixes the speed since the last update into the known rate. Bytes that arrive within a millisecond of the
 * last update count in the next one.
 */
static void
rate_update(struct bar *b, uint64_t done, int64_t now_ms)
{
	double ms = (double)(now_ms - b->rated_ms), rate, memory_ms;

	if (done < b->rated_done) { /* the stage began again */
		rate_begin(b, done, now_ms);
		return;
	}
	if (ms <= 0)
		return;
	rate = (double)(done - b->rated_done) / ms * 1000;
	memory_ms = MIN((double)(b->rated_ms - b->begun_ms), RATE_MS);
	b->rate = b->rate > 0 ? b->rate + (rate - b->rate) * ms / (ms + memory_ms) : rate;
	b->rated_done = done;
	b->rated_ms = now_ms;
}

void
bar_progress(struct bar *b, uint64_t done, uint64_t total, const char *unit, const char *detail,
	     int64_t now_ms)
{
	if (b->known)
		rate_update(b, done, now_ms);
	else
		rate_begin(b, done, now_ms);
	b->known = true;
	b->done = total ? MIN(done, total) : done;
	b->total = total;
	text_copy(b->unit, sizeof(b->unit), unit);
	text_copy(b->detail, sizeof(b->detail), detail);
	if (now_ms - b->board->drawn_ms >= REDRAW_MS || done == total)
		bar_draw(b, now_ms);
	else
		b->board->stale = true;
}

void
bar_note(struct bar *b, const char *fmt, ...)
{
	_cleanup_(buf_release) struct buf line = BUF_INIT;
	_cleanup_free_ char *words = NULL;
	va_list ap;

	va_start(ap, fmt);
	words = str_vprintf(fmt, ap);
	va_end(ap);
	buf_printf(&line, "%s: ", b->prefix);
	if (words)
		text_add(&line, words, strlen(words));
	buf_puts(&line, "\n");
	if (line.failed)
		return;
	if (b->board->lines)
		board_draw(b->board, line.data);
	else
		(void)fwrite(line.data, 1, line.len, b->board->out);
	(void)fflush(b->board->out);
}

void
bar_status(struct bar *b, const char *words)
{
	if (!b->board->live || !b->board->named)
		return;
	text_copy(b->status, sizeof(b->status), words);
	board_draw(b->board, "");
}
