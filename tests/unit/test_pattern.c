#include "test.h"

#include "base/buf.h"
#include "base/str.h"
#include "checkpoint/pattern.h"

#define BUDGET UINT64_C(1000000000)

static int
match(const char *pattern, const char *text)
{
	uint64_t budget = BUDGET;
	struct pattern *p = NULL;
	struct err e = ERR_INIT;
	int r;

	(void)pattern_new(pattern, &p, &e);
	if (e.code)
		fail_msg("'%s': %s", pattern, e.msg);
	r = pattern_match(p, text, &budget, &e);
	assert_no_error(&e);
	pattern_free(&p);
	return r;
}

/* The expected results are those of re.match() in Python 3.11. */
static const struct {
	const char *pattern, *text;
	int want;
} cases[] = {
	{"", "", 1},
	{"", "x", 1},
	{"$", "x", 0},
	{"a", "abc", 1},
	{"a$", "abc", 0},
	{"b", "abc", 0},
	{".", "\n", 0},
	{"a|bc", "bcd", 1},
	{"(a|bc)d$", "bcd", 1},
	{"a||b$", "c", 1},
	{"(.*\\.)?(q_proj)$", "model.layers.0.self_attn.q_proj", 1},
	{"(.*\\.)?(q_proj)$", "q_proj", 1},
	{"(.*\\.)?(q_proj)$", "xq_proj", 0},
	{"(.*\\.)?(a)|(b)$", "ax", 1},
	{"a{3}$", "aaa", 1},
	{"a{3}$", "aa", 0},
	{"a{2,3}$", "aaaa", 0},
	{"a{2,}$", "aaaa", 1},
	{"a{,2}$", "aaa", 0},
	{"a{0}$", "", 1},
	{"a{}$", "a{}", 1},
	{"a{x}$", "a{x}", 1},
	{"a{1,x}$", "a{1,x}", 1},
	{"a{", "a{", 1},
	{"x{2}{", "xx{", 1},
	{"(ab){2}(cd?){1,2}$", "ababcdc", 1},
	{"(a*)*$", "aaaa", 1},
	{"(a*)*b", "aaaa", 0},
	{"(a|b*)+c", "abbac", 1},
	{"(^)*a", "a", 1},
	{"()*a", "a", 1},
	{"a*?b+?c??$", "aabbc", 1},
	{"(?:ab)+$", "abab", 1},
	{"(?=ab)a", "ab", 1},
	{"(?=ab)a", "ac", 0},
	{"(?!.*visual).*proj$", "model.q_proj", 1},
	{"(?!.*visual).*proj$", "model.visual.q_proj", 0},
	{"^(?!.*(lm_head|visual)).*\\.(q|k)_proj$", "a.b.q_proj", 1},
	{"(?!a(?!b))a", "ac", 0},
	{"(?!a(?!b))a", "ab", 1},
	{"(?=(?=a)ab)(?!aba)", "abc", 1},
	{"((?=ab)a|b)*$", "abab", 1},
	{"((?!aa)a|b)*$", "abaab", 0},
	{"(?=a){0}b", "b", 1},
	{"\\Aa\\Z", "a", 1},
	{"a\\Z", "a\n", 0},
	{"a$", "a\n", 1},
	{"a$", "a\n\n", 0},
	{"a\\b\\.", "a.", 1},
	{"a\\bb", "ab", 0},
	{"a\\Bb", "ab", 1},
	{"\\B", "", 0},
	{"\\b", "", 0},
	{"\\d+\\D$", "12x", 1},
	{"\\w+$", "aZ_09", 1},
	{"\\w", "-", 0},
	{"\\s\\S", "\x1cx", 1},
	{"[a-c]+$", "abc", 1},
	{"[^a-c]+$", "xb", 0},
	{"[]a]+$", "]a", 1},
	{"[^]a]$", "b", 1},
	{"[a-]+$", "a-", 1},
	{"[\\w.-]+$", "a.b-c_0", 1},
	{"[\\]\\\\]+$", "]\\", 1},
	{"[\\b]", "\b", 1},
	{"[$^.*+?(){}|]+$", "$^.*+?(){}|", 1},
	{"\\.\\-\\/\\_\\n\\t", ".-/_\n\t", 1},
	{"}]", "}]", 1},
};

TEST(test_match)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++)
		if (match(cases[i].pattern, cases[i].text) != cases[i].want)
			fail_msg("'%s' on '%s' is not %d", cases[i].pattern, cases[i].text, cases[i].want);
}

static void
assert_refused(const char *pattern, int code, const char *words)
{
	struct pattern *p = NULL;
	struct err e = ERR_INIT;

	if (pattern_new(pattern, &p, &e) != code)
		fail_msg("'%s' is not %s", pattern, err_name(code));
	assert_null(p);
	assert_error(&e, code, words);
}

TEST(test_refused)
{
	static const struct refused bad[] = {
		{"(a", E_BAD_CHECKPOINT, "a '(' without its ')'"},
		{"a)", E_BAD_CHECKPOINT, "a ')' without its '('"},
		{"[a", E_BAD_CHECKPOINT, "a '[' without its ']'"},
		{"[]", E_BAD_CHECKPOINT, "a '[' without its ']'"},
		{"[z-a]", E_BAD_CHECKPOINT, "an invalid range between '[' and ']'"},
		{"[\\d-z]", E_BAD_CHECKPOINT, "an invalid range between '[' and ']'"},
		{"[a-\\d]", E_BAD_CHECKPOINT, "an invalid range between '[' and ']'"},
		{"a\\", E_BAD_CHECKPOINT, "it ends with a backslash"},
		{"*a", E_BAD_CHECKPOINT, "a repeat of nothing"},
		{"a|+", E_BAD_CHECKPOINT, "a repeat of nothing"},
		{"(?:{2})", E_BAD_CHECKPOINT, "a repeat of nothing"},
		{"^*", E_BAD_CHECKPOINT, "a repeat of an assertion such as '^'"},
		{"\\b+", E_BAD_CHECKPOINT, "a repeat of an assertion such as '^'"},
		{"a**", E_BAD_CHECKPOINT, "a repeat of a repeat"},
		{"a*??", E_BAD_CHECKPOINT, "a repeat of a repeat"},
		{"a{2}{3}", E_BAD_CHECKPOINT, "a repeat of a repeat"},
		{"a{3,2}", E_BAD_CHECKPOINT, "minimum is above its maximum"},
		{"a{1001}", E_BAD_CHECKPOINT, "more than 1000 times"},
		{"a{99999999999999999999}", E_BAD_CHECKPOINT, "more than 1000 times"},
		{"((a{100}){100}){100}", E_BAD_CHECKPOINT, "the pattern is too large"},
		{"(((){1000}){1000}){1000}", E_BAD_CHECKPOINT, "the pattern is too large"},
		{"((?=a)){65}", E_BAD_CHECKPOINT, "or 64 lookaheads"},
		{"a*+", E_UNSUPPORTED_MODEL, "a repeat without backtracking ('*+')"},
		{"(?>a)", E_UNSUPPORTED_MODEL, "this kind of group ('(?>a')"},
		{"(?<=a)b", E_UNSUPPORTED_MODEL, "this kind of group ('(?<=')"},
		{"(?P<n>a)", E_UNSUPPORTED_MODEL, "this kind of group ('(?P<')"},
		{"(?i)a", E_UNSUPPORTED_MODEL, "this kind of group ('(?i)')"},
		{"(a)\\1", E_UNSUPPORTED_MODEL, "this escape ('\\1')"},
		{"\\x41", E_UNSUPPORTED_MODEL, "this escape ('\\x41')"},
		{"[\\x41]", E_UNSUPPORTED_MODEL, "this escape ('\\x41')"},
		{"\xc3\xa9", E_UNSUPPORTED_MODEL, "non-ASCII characters"},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_refused(bad[i].text, bad[i].code, bad[i].words);
}

/* Repeats a text. */
static char *
times(const char *s, size_t n)
{
	struct buf b = BUF_INIT;

	while (n--)
		buf_puts(&b, s);
	return buf_take(&b);
}

TEST(test_limits)
{
	_cleanup_free_ char *open = times("(", 101), *close = times(")", 101);
	_cleanup_free_ char *deep = str_printf("%s%s", open, close);
	_cleanup_free_ char *longest = times("a", PATTERN_LEN_MAX), *longer = times("a", PATTERN_LEN_MAX + 1);

	assert_refused(deep, E_UNSUPPORTED_MODEL, "groups nested more than 100 deep");
	assert_refused(longer, E_BAD_CHECKPOINT, "longer than 4096 bytes");
	assert_int_equal(match(longest, longest), 1);
	assert_int_equal(match(longest, "a"), 0);
}

/* A backtracking matcher would never finish these patterns. Ours needs this number of steps. */
TEST(test_hostile)
{
	static const char *const units[] = {"(.*)*",      "(a|a)*",   "(a*)*",          "(.*a){9}",
					    "(?=(a*)*b)", "(a?){50}", "((a|b)*(b|a)*)*"};
	_cleanup_free_ char *text = times("a", 500);
	size_t i;

	for (i = 0; i < ARRAY_LEN(units); i++) {
		_cleanup_free_ char *many = times(units[i], strstr(units[i], "?=") ? 60 : 102),
				    *pattern = str_printf("%sb$", many);
		struct pattern *p = NULL;
		struct err e = ERR_INIT;
		uint64_t budget = BUDGET;

		(void)pattern_new(pattern, &p, &e);
		assert_no_error(&e);
		assert_int_equal(pattern_match(p, text, &budget, &e), 0);
		assert_no_error(&e);
		assert_true(BUDGET - budget < 10 * 500 * pattern_size(p));
		budget = 1000;
		assert_int_equal(pattern_match(p, text, &budget, &e), E_BAD_CHECKPOINT);
		assert_error(&e, E_BAD_CHECKPOINT, "the pattern takes too long to match");
		pattern_free(&p);
	}
}

TEST(test_text)
{
	struct pattern *p = NULL;
	struct err e = ERR_INIT;
	uint64_t budget = BUDGET;

	assert_int_equal(pattern_new(".*", &p, &e), 0);
	assert_int_equal(pattern_match(p, "caf\xc3\xa9", &budget, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "non-ASCII characters");
	pattern_free(&p);
}

int
main(void)
{
	return tests_run("pattern", NULL, NULL);
}
