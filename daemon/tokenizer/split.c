#include "split.h"

#include <oniguruma.h>
#include <pthread.h>
#include <string.h>

#include "base/str.h"

/*
 * Limit of steps for one match. A tokenizer.json may be hostile, and a pattern can need any number of steps.
 */
#define RETRIES_MAX 1000000

/* The pattern of a ByteLevel pre-tokenizer that does not have its own (GPT-2's). */
static const char byte_level_pattern[] =
	"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static void
library_init(void)
{
	OnigEncoding use[] = {ONIG_ENCODING_UTF8};

	(void)onig_initialize(use, ARRAY_LEN(use));
}

static int
regex_new(const char *pattern, void **ret, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	OnigUChar words[ONIG_MAX_ERROR_MESSAGE_LEN];
	size_t len = strlen(pattern);
	OnigErrorInfo info = {0};
	regex_t *regex = NULL;
	int r;

	(void)pthread_once(&once, library_init);
	if (len > SPLIT_PATTERN_MAX)
		return err_set(e, E_UNSUPPORTED_MODEL, "a pattern of %zu bytes; at most %d are read", len,
			       SPLIT_PATTERN_MAX);
	r = onig_new(&regex, (const OnigUChar *)pattern, (const OnigUChar *)pattern + len, ONIG_OPTION_NONE,
		     ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
	if (r == ONIG_NORMAL) {
		*ret = regex;
		return 0;
	}
	words[onig_error_code_to_str(words, r, &info)] = '\0';
	return err_set(e, E_BAD_CHECKPOINT, "pattern '%s': %s", pattern, (const char *)words);
}

void
split_release(struct split *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->step[i].regex)
			onig_free(s->step[i].regex);
	memset(s, 0, sizeof(*s));
}

/* Makes a regular expression of a plain string: escapes every character with a special meaning. */
static int
regex_of_str(const char *s, void **ret, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;

	for (; *s; s++) {
		if ((unsigned char)*s < 0x80 &&
		    !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", *s))
			buf_puts(&b, "\\");
		buf_add(&b, s, 1);
	}
	return buf_failed(&b, e) < 0 ? E_NO_MEMORY : regex_new(b.len ? b.data : "", ret, e);
}

static int
load_split(const json_t *j, struct split_step *ret, struct err *e)
{
	static const struct {
		const char *word;
		enum split_what what;
	} behaviors[] = {
		{"Isolated", SPLIT_ISOLATED},
		{"Removed", SPLIT_REMOVED},
		{"MergedWithPrevious", SPLIT_BEFORE},
	};
	const char *behavior = NULL, *text = NULL;
	const json_t *pattern = NULL;
	bool invert = false;
	size_t i;
	int r;

	r = json_get_str(j, "pre_tokenizer", "behavior", JSON_REQUIRED, E_BAD_CHECKPOINT, &behavior, e);
	if (r == 0)
		r = json_get_obj(j, "pre_tokenizer", "pattern", JSON_REQUIRED, E_BAD_CHECKPOINT, &pattern, e);
	if (r == 0)
		r = json_get_bool(j, "pre_tokenizer", "invert", JSON_OPTIONAL, E_BAD_CHECKPOINT, &invert, e);
	if (r < 0)
		return r;
	for (i = 0; i < ARRAY_LEN(behaviors) && !str_eq(behavior, behaviors[i].word); i++)
		;
	if (i == ARRAY_LEN(behaviors) || invert)
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "pre_tokenizer: Split with behavior '%s'%s is not written here", behavior,
			       invert ? ", inverted," : "");
	ret->what = behaviors[i].what;
	text = json_string_value(json_object_get(pattern, "Regex"));
	if (text)
		return regex_new(text, &ret->regex, e);
	text = json_string_value(json_object_get(pattern, "String"));
	if (!text || !*text)
		return err_set(e, E_BAD_CHECKPOINT, "pre_tokenizer: a Split without a pattern");
	return regex_of_str(text, &ret->regex, e);
}

static int
load_byte_level(const json_t *j, struct split_step *ret, struct err *e)
{
	bool use_regex = true;
	int r;

	ret->what = SPLIT_BYTES;
	ret->prefix_space = true;
	r = json_get_bool(j, "pre_tokenizer", "add_prefix_space", JSON_OPTIONAL, E_BAD_CHECKPOINT,
			  &ret->prefix_space, e);
	if (r == 0)
		r = json_get_bool(j, "pre_tokenizer", "use_regex", JSON_OPTIONAL, E_BAD_CHECKPOINT,
				  &use_regex, e);
	return r < 0 || !use_regex ? r : regex_new(byte_level_pattern, &ret->regex, e);
}

static int
load_digits(const json_t *j, struct split_step *ret, struct err *e)
{
	bool each = false;
	int r;

	ret->what = SPLIT_ISOLATED;
	r = json_get_bool(j, "pre_tokenizer", "individual_digits", JSON_OPTIONAL, E_BAD_CHECKPOINT, &each, e);
	return r < 0 ? r : regex_new(each ? "\\p{N}" : "\\p{N}+", &ret->regex, e);
}

static const struct {
	const char *type;
	int (*load)(const json_t *j, struct split_step *ret, struct err *e);
} kinds[] = {
	{"Split", load_split},
	{"ByteLevel", load_byte_level},
	{"Digits", load_digits},
};

static int
load_step(const json_t *j, struct split *ret, struct err *e)
{
	const char *type = NULL;
	const json_t *list;
	size_t i;
	int r;

	r = json_get_str(j, "pre_tokenizer", "type", JSON_REQUIRED, E_BAD_CHECKPOINT, &type, e);
	if (r < 0)
		return r;
	if (str_eq(type, "Sequence")) {
		r = json_get_array(j, "pre_tokenizer", "pretokenizers", JSON_REQUIRED, E_BAD_CHECKPOINT,
				   &list, e);
		for (i = 0; r == 0 && i < json_array_size(list); i++)
			r = load_step(json_array_get(list, i), ret, e);
		return r;
	}
	if (ret->n == SPLIT_MAX)
		return err_set(e, E_UNSUPPORTED_MODEL, "more than %d pre-tokenizers", SPLIT_MAX);
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(type, kinds[i].type))
			return kinds[i].load(j, &ret->step[ret->n++], e);
	return err_set(e, E_UNSUPPORTED_MODEL, "pre_tokenizer '%s' is not written here", type);
}

int
split_load(const json_t *j, struct split *ret, struct err *e)
{
	if (!j || json_is_null(j))
		return 0;
	return load_step(j, ret, e);
}

/* One run of the steps, beginning with `step`. */
struct run {
	const struct split *split;
	size_t step;
	split_fn word;
	void *arg;
};

static int run_step(const struct run *run, const char *text, size_t len, struct err *e);

/* Data for one search, besides the text. */
struct matcher {
	regex_t *regex;
	OnigRegion *region;
	OnigMatchParam *param;
};

static void
matcher_release(struct matcher *m)
{
	if (m->region)
		onig_region_free(m->region, 1);
	if (m->param)
		onig_free_match_param(m->param);
}

static int
matcher_init(struct matcher *m, regex_t *regex, struct err *e)
{
	*m = (struct matcher){regex, onig_region_new(), onig_new_match_param()};
	if (!m->region || !m->param)
		return err_no_memory(e);
	(void)onig_initialize_match_param(m->param);
	(void)onig_set_retry_limit_in_match_of_match_param(m->param, RETRIES_MAX);
	(void)onig_set_retry_limit_in_search_of_match_param(m->param, RETRIES_MAX);
	return 0;
}

/* Finds the next match at or after `from`; 0 when there is none. */
static int
match_next(struct matcher *m, const char *text, size_t len, size_t from, struct err *e)
{
	const OnigUChar *s = (const OnigUChar *)text;
	OnigUChar words[ONIG_MAX_ERROR_MESSAGE_LEN];
	int r;

	r = onig_search_with_param(m->regex, s, s + len, s + from, s + len, m->region, ONIG_OPTION_NONE,
				   m->param);
	if (r >= 0)
		return 1;
	if (r == ONIG_MISMATCH)
		return 0;
	words[onig_error_code_to_str(words, r)] = '\0';
	return err_set(e, E_BAD_CHECKPOINT, "a pattern of the tokenizer: %s", (const char *)words);
}

static int
emit(const struct run *next, const char *text, size_t begin, size_t end, struct err *e)
{
	return begin < end ? run_step(next, text + begin, end - begin, e) : 0;
}

/* Where to continue after an empty match, which splits nothing: one character further. */
static size_t
after_empty(const char *text, size_t len, size_t at)
{
	size_t k = at < len ? str_utf8_len(text + at, len - at) : 0;

	return at + (k ? k : 1);
}

/* Splits the text into words by the matches; `next` gets each word. */
static int
run_regex(regex_t *regex, enum split_what what, const struct run *next, const char *text, size_t len,
	  struct err *e)
{
	_cleanup_(matcher_release) struct matcher m;
	size_t at = 0, word = 0, begin, end;
	int r = matcher_init(&m, regex, e);

	if (r < 0)
		return r;
	while (at <= len && (r = match_next(&m, text, len, at, e)) > 0) {
		begin = (size_t)m.region->beg[0];
		end = (size_t)m.region->end[0];
		if (begin == end) {
			at = after_empty(text, len, end);
			continue;
		}
		r = emit(next, text, word, what == SPLIT_BEFORE ? end : begin, e);
		if (r == 0 && what == SPLIT_ISOLATED)
			r = emit(next, text, begin, end, e);
		if (r < 0)
			return r;
		word = at = end;
	}
	return r < 0 ? r : emit(next, text, word, len, e);
}

/*
 * Writes each byte as one printable character: printable Latin-1 bytes unchanged, the other 68 from U+0100
 * on.
 */
static void
bytes_to_chars(const char *text, size_t len, struct buf *ret)
{
	unsigned c, other;
	size_t i;

	for (i = 0; i < len; i++) {
		c = (unsigned char)text[i];
		if (!((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || c >= 174)) {
			other = c <= 32 ? c : c <= 160 ? c - 127 + 33 : 67;
			c = 256 + other;
		}
		if (c < 0x80)
			buf_add(ret, &(char){(char)c}, 1);
		else
			buf_add(ret, (char[2]){(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))}, 2);
	}
}

static int
byte_level_word(void *arg, const char *word, size_t len, struct err *e)
{
	_cleanup_(buf_release) struct buf chars = BUF_INIT;
	const struct run *next = arg;

	bytes_to_chars(word, len, &chars);
	return buf_failed(&chars, e) < 0 ? E_NO_MEMORY : run_step(next, chars.data, chars.len, e);
}

static int
run_byte_level(const struct split_step *s, const struct run *next, const char *text, size_t len,
	       struct err *e)
{
	static const struct split none;
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	struct run words = {&none, 0, byte_level_word, (void *)(uintptr_t)next};

	if (s->prefix_space && text[0] != ' ') {
		buf_puts(&b, " ");
		buf_add(&b, text, len);
		if (buf_failed(&b, e) < 0)
			return E_NO_MEMORY;
		text = b.data;
		len = b.len;
	}
	return s->regex ? run_regex(s->regex, SPLIT_ISOLATED, &words, text, len, e)
			: byte_level_word((void *)(uintptr_t)next, text, len, e);
}

static int
run_step(const struct run *run, const char *text, size_t len, struct err *e)
{
	const struct split_step *s = &run->split->step[run->step];
	struct run next = *run;

	if (run->step == run->split->n)
		return run->word(run->arg, text, len, e);
	next.step++;
	return s->what == SPLIT_BYTES ? run_byte_level(s, &next, text, len, e)
				      : run_regex(s->regex, s->what, &next, text, len, e);
}

int
split_run(const struct split *s, const char *text, size_t len, split_fn word, void *arg, struct err *e)
{
	const struct run run = {s, 0, word, arg};

	return len ? run_step(&run, text, len, e) : 0;
}
