/*
 * alt := cat ('|' cat)*      cat := repeat*      repeat := atom ('*' | '+' | '?' | '{m,n}') '?'?
 * atom := literal | '.' | class | escape | '(' alt ')' | '^' | '$'
 */
#include "base/str.h"
#include "pattern_private.h"

#define DEPTH_MAX 100 /* nested groups */
#define COUNT_MAX 1000

struct parser {
	const char *s; /* the rest of the text */
	struct pattern_tree *t;
	int depth;
	struct err *e;
};

static int parse_alt(struct parser *p);

static int
refuse(const struct parser *p, const char *at, const char *what)
{
	return err_set(p->e, E_UNSUPPORTED_MODEL, "%s ('%.4s') in a pattern is not supported", what, at);
}

static int
wrong(const struct parser *p, const char *words)
{
	return err_set(p->e, E_BAD_CHECKPOINT, "the pattern is not a regular expression: %s", words);
}

/* Both arrays have room for one node and one set per byte of the text, and a few more. */
static int
node_add(struct parser *p, enum pattern_node_kind kind, int a, int b)
{
	p->t->node[p->t->nodes] = (struct pattern_node){.kind = kind, .a = a, .b = b, .min = 1, .max = 1};
	return p->t->nodes++;
}

static void
set_add(struct pattern_set *s, unsigned from, unsigned to)
{
	for (; from <= to; from++)
		s->bits[from / 32] |= 1u << from % 32;
}

static void
set_invert(struct pattern_set *s)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(s->bits); i++)
		s->bits[i] = ~s->bits[i];
}

static void
set_join(struct pattern_set *s, const struct pattern_set *other)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(s->bits); i++)
		s->bits[i] |= other->bits[i];
}

static int
set_node(struct parser *p, const struct pattern_set *s)
{
	p->t->set[p->t->sets] = *s;
	return node_add(p, NODE_SET, p->t->sets++, 0);
}

static int
byte_node(struct parser *p, unsigned char c)
{
	struct pattern_set s = {{0}};

	set_add(&s, c, c);
	return set_node(p, &s);
}

/* \d, \s, \w and their opposites, of ASCII; false for another letter. */
static bool
class_set(char letter, struct pattern_set *ret)
{
	memset(ret, 0, sizeof(*ret));
	switch (letter | 0x20) {
	case 'd':
		set_add(ret, '0', '9');
		break;
	case 's':
		set_add(ret, '\t', '\r');
		set_add(ret, 0x1c, ' ');
		break;
	case 'w':
		set_add(ret, '0', '9');
		set_add(ret, 'A', 'Z');
		set_add(ret, 'a', 'z');
		set_add(ret, '_', '_');
		break;
	default:
		return false;
	}
	if (!(letter & 0x20))
		set_invert(ret);
	return true;
}

static bool
is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Reads an escape, with p->s after the backslash, and returns its byte. */
static int
escape_byte(struct parser *p, unsigned char *ret)
{
	static const char letters[] = "abfnrtv", bytes[] = "\a\b\f\n\r\t\v";
	const char *at;

	if (!*p->s)
		return wrong(p, "it ends with a backslash");
	at = strchr(letters, *p->s);
	if (!at && is_letter_or_digit(*p->s))
		return refuse(p, p->s - 1, "this escape");
	*ret = (unsigned char)(at ? bytes[at - letters] : *p->s);
	p->s++;
	return 0;
}

static int
parse_escape(struct parser *p)
{
	static const struct {
		char letter;
		enum pattern_assert kind;
	} asserts[] = {
		{'A', ASSERT_BEGIN},
		{'Z', ASSERT_VERY_END},
		{'b', ASSERT_WORD},
		{'B', ASSERT_NO_WORD},
	};
	struct pattern_set s;
	unsigned char c;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(asserts); i++)
		if (*p->s == asserts[i].letter) {
			p->s++;
			return node_add(p, NODE_ASSERT, (int)asserts[i].kind, 0);
		}
	if (*p->s && class_set(*p->s, &s)) {
		p->s++;
		return set_node(p, &s);
	}
	r = escape_byte(p, &c);
	return r < 0 ? r : byte_node(p, c);
}

/* Reads one member of a class: its byte in *ret, or 1 when it is a set such as \d, which is added to `s`. */
static int
class_member(struct parser *p, struct pattern_set *s, unsigned char *ret)
{
	struct pattern_set of;

	if (!*p->s)
		return wrong(p, "a '[' without its ']'");
	if (*p->s != '\\') {
		*ret = (unsigned char)*p->s++;
		return 0;
	}
	p->s++;
	if (*p->s && class_set(*p->s, &of)) {
		p->s++;
		set_join(s, &of);
		return 1;
	}
	return escape_byte(p, ret);
}

/* p->s is after the '['. A ']' in the first position is a member. */
static int
parse_class(struct parser *p)
{
	struct pattern_set s = {{0}};
	const bool inverted = *p->s == '^';
	const char *begin = p->s += inverted;
	unsigned char from, to;
	int r, is_set;

	while (*p->s != ']' || p->s == begin) {
		is_set = class_member(p, &s, &from);
		if (is_set < 0)
			return is_set;
		to = from;
		if (p->s[0] == '-' && p->s[1] && p->s[1] != ']') {
			p->s++;
			r = is_set ? 1 : class_member(p, &s, &to);
			if (r < 0)
				return r;
			if (r == 1 || from > to)
				return wrong(p, "an invalid range between '[' and ']'");
		}
		if (!is_set)
			set_add(&s, from, to);
	}
	p->s++;
	if (inverted)
		set_invert(&s);
	return set_node(p, &s);
}

/* p->s is after the '('. */
static int
parse_group(struct parser *p)
{
	const char *at = p->s - 1;
	int look = -1, r;

	if (str_starts(p->s, "?:")) {
		p->s += 2;
	} else if (str_starts(p->s, "?=") || str_starts(p->s, "?!")) {
		look = p->s[1] == '!';
		p->s += 2;
	} else if (*p->s == '?') {
		return refuse(p, at, "this kind of group");
	}
	if (p->depth == DEPTH_MAX)
		return err_set(p->e, E_UNSUPPORTED_MODEL,
			       "a pattern with groups nested more than %d deep is not supported", DEPTH_MAX);
	p->depth++;
	r = parse_alt(p);
	p->depth--;
	if (r < 0)
		return r;
	if (*p->s != ')')
		return wrong(p, "a '(' without its ')'");
	p->s++;
	return look < 0 ? r : node_add(p, NODE_LOOK, r, look);
}

/*
 * Reads digits from *s on as a number; `otherwise` when there are none. Numbers above COUNT_MAX become
 * COUNT_MAX + 1.
 */
static int
count_read(const char **s, int otherwise)
{
	int n = 0;

	if (**s < '0' || **s > '9')
		return otherwise;
	for (; **s >= '0' && **s <= '9'; (*s)++)
		n = MIN(n * 10 + (**s - '0'), COUNT_MAX + 1);
	return n;
}

/* Reads "{m}", "{m,}", "{,n}" or "{m,n}" at p->s; 0 when the brace is a literal, by Python's rules. */
static int
count_parse(struct parser *p, int *ret_min, int *ret_max)
{
	const char *s = p->s + 1;

	if (*s == '}')
		return 0;
	*ret_min = count_read(&s, 0);
	*ret_max = *ret_min;
	if (*s == ',') {
		s++;
		*ret_max = count_read(&s, PATTERN_INFINITE);
	} else if (s == p->s + 1) {
		return 0;
	}
	if (*s != '}')
		return 0;
	if (*ret_min > COUNT_MAX || *ret_max > COUNT_MAX)
		return err_set(p->e, E_BAD_CHECKPOINT, "the pattern repeats something more than %d times",
			       COUNT_MAX);
	if (*ret_max != PATTERN_INFINITE && *ret_min > *ret_max)
		return wrong(p, "a repeat whose minimum is above its maximum");
	p->s = s + 1;
	return 1;
}

/* Reads the counts of a repeat at p->s; 0 when there is no repeat. */
static int
repeat_parse(struct parser *p, int *ret_min, int *ret_max)
{
	if (*p->s == '{')
		return count_parse(p, ret_min, ret_max);
	if (!*p->s || !strchr("*+?", *p->s))
		return 0;
	*ret_min = *p->s == '+';
	*ret_max = *p->s == '?' ? 1 : PATTERN_INFINITE;
	p->s++;
	return 1;
}

static int
parse_atom(struct parser *p)
{
	struct pattern_set any = {{0}};
	int min, max;

	if (repeat_parse(p, &min, &max))
		return wrong(p, "a repeat of nothing");
	switch (*p->s++) {
	case '.':
		set_add(&any, '\n', '\n');
		set_invert(&any);
		return set_node(p, &any);
	case '^':
		return node_add(p, NODE_ASSERT, ASSERT_BEGIN, 0);
	case '$':
		return node_add(p, NODE_ASSERT, ASSERT_END, 0);
	case '[':
		return parse_class(p);
	case '(':
		return parse_group(p);
	case '\\':
		return parse_escape(p);
	default:
		return byte_node(p, (unsigned char)p->s[-1]);
	}
}

static int
parse_repeat(struct parser *p)
{
	int atom = parse_atom(p), node, min, max, r;

	if (atom < 0)
		return atom;
	r = repeat_parse(p, &min, &max);
	if (r <= 0)
		return r < 0 ? r : atom;
	if (p->t->node[atom].kind == NODE_ASSERT)
		return wrong(p, "a repeat of an assertion such as '^'");
	if (*p->s == '+')
		return refuse(p, p->s - 1, "a repeat without backtracking");
	if (*p->s == '?')
		p->s++; /* lazy: only changes which match is found first, which does not matter here */
	node = node_add(p, NODE_REPEAT, atom, 0);
	p->t->node[node].min = min;
	p->t->node[node].max = max;
	r = repeat_parse(p, &min, &max);
	return r < 0 ? r : r ? wrong(p, "a repeat of a repeat") : node;
}

static int
parse_cat(struct parser *p)
{
	int all = node_add(p, NODE_EMPTY, 0, 0), next;

	while (*p->s && *p->s != '|' && *p->s != ')') {
		next = parse_repeat(p);
		if (next < 0)
			return next;
		all = node_add(p, NODE_CAT, all, next);
	}
	return all;
}

static int
parse_alt(struct parser *p)
{
	int all = parse_cat(p), next;

	while (all >= 0 && *p->s == '|') {
		p->s++;
		next = parse_cat(p);
		if (next < 0)
			return next;
		all = node_add(p, NODE_ALT, all, next);
	}
	return all;
}

int
pattern_parse(const char *text, struct pattern_tree *ret, struct err *e)
{
	struct pattern_tree t = {.node = NULL};
	struct parser p = {.s = text, .t = &t, .e = e};
	const size_t len = strlen(text);
	const char *s;
	int r;

	if (len > PATTERN_LEN_MAX)
		return err_set(e, E_BAD_CHECKPOINT, "the pattern is longer than %d bytes", PATTERN_LEN_MAX);
	for (s = text; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return err_set(e, E_UNSUPPORTED_MODEL,
				       "a pattern with non-ASCII characters is not supported");
	/* A byte adds an item and its place in a sequence, or a repeat; '(' and '|' also begin a sequence. */
	t.node = calloc(3 * len + 3, sizeof(*t.node));
	t.set = calloc(len + 1, sizeof(*t.set));
	r = t.node && t.set ? parse_alt(&p) : err_no_memory(e);
	if (r >= 0 && *p.s)
		r = wrong(&p, "a ')' without its '('");
	if (r < 0) {
		pattern_tree_release(&t);
		return r;
	}
	t.root = r;
	*ret = t;
	return 0;
}

void
pattern_tree_release(struct pattern_tree *t)
{
	free(t->node);
	free(t->set);
}
