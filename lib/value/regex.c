// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * regex.c - regular expressions as Go writes them (RE2), for short texts
 *
 * The expression is not compiled.  A function for each part of the grammar reads its part, and
 * answers in which positions of the text a match can end, given those in which it can begin.  A
 * repeated part is read once for each repetition.
 */
#include <ctype.h>
#include <stdlib.h>

#include "value/regex.h"

enum { DEPTH_MAX = 50, REPEAT_MAX = 1000, UNLIMITED = -1 };

/* Positions between the bytes of the text: 0 to its length. */
struct places {
	uint64_t w[2];
};

struct scan {
	const char *p; /* the rest of the expression */
	const char *text;
	unsigned len, depth;
	bool icase;
	unsigned *steps; /* that are left */
	const char *why; /* the first mistake */
};

/* A set of bytes. */
struct bytes {
	bool has[256];
};

static const struct places nowhere;

static bool at(struct places p, unsigned i)
{
	return p.w[i / 64] >> i % 64 & 1;
}

static void put(struct places *p, unsigned i)
{
	p->w[i / 64] |= (uint64_t)1 << i % 64;
}

static bool same(struct places a, struct places b)
{
	return a.w[0] == b.w[0] && a.w[1] == b.w[1];
}

static struct places both(struct places a, struct places b)
{
	return (struct places){ { a.w[0] | b.w[0], a.w[1] | b.w[1] } };
}

/* Ends the reading, because the rest is skipped. */
static struct places refuse(struct scan *s, const char *why)
{
	if (!s->why)
		s->why = why;
	s->p += strlen(s->p);
	return nowhere;
}

static struct places over_byte(const struct scan *s, struct places in, const struct bytes *b)
{
	struct places out = nowhere;

	for (unsigned i = 0; i < s->len; i++)
		if (at(in, i) && b->has[(uint8_t)s->text[i]])
			put(&out, i + 1);
	return out;
}

/* ---- sets of bytes ------------------------------------------------------ */

static void add_range(struct bytes *b, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		b->has[c] = true;
}

static void add_class(struct bytes *b, int (*is)(int c))
{
	for (int c = 0; c < 128; c++)
		b->has[c] |= is(c) != 0;
}

static int is_word(int c)
{
	return (c < 128 && isalnum(c)) || c == '_';
}

/* RE2's \s, which has no vertical tab. */
static int is_perl_space(int c)
{
	return c && strchr(" \t\n\f\r", c) != NULL;
}

static void invert(struct bytes *b)
{
	for (unsigned c = 0; c < 256; c++)
		b->has[c] = !b->has[c];
}

static void fold(struct bytes *b)
{
	for (unsigned c = 'a'; c <= 'z'; c++)
		b->has[c] = b->has[c - 'a' + 'A'] = b->has[c] || b->has[c - 'a' + 'A'];
}

/* \d, \w, \s and their opposites, c being the letter; false for another. */
static bool add_perl_class(struct bytes *b, char c)
{
	struct bytes class = { .has = { false } };

	switch (tolower((unsigned char)c)) {
	case 'd':
		add_class(&class, isdigit);
		break;
	case 'w':
		add_class(&class, is_word);
		break;
	case 's':
		add_class(&class, is_perl_space);
		break;
	default:
		return false;
	}
	if (isupper((unsigned char)c))
		invert(&class);
	for (unsigned i = 0; i < 256; i++)
		b->has[i] |= class.has[i];
	return true;
}

/* The byte that an escape stands for, whose backslash was read; -1: none that is supported. */
static int escaped_byte(struct scan *s)
{
	static const char names[] = "tnfrva", bytes[] = "\t\n\f\r\v\a";
	char c = *s->p, hex[3] = "";
	const char *name;

	if (!c)
		return -1;
	s->p++;
	if (ispunct((unsigned char)c))
		return (uint8_t)c;
	name = strchr(names, c);
	if (name)
		return bytes[name - names];
	if (c != 'x' || !isxdigit((unsigned char)s->p[0]) || !isxdigit((unsigned char)s->p[1]))
		return -1;
	memcpy(hex, s->p, 2);
	s->p += 2;
	return (int)strtol(hex, NULL, 16);
}

static int set_byte(struct scan *s)
{
	if (*s->p != '\\')
		return (uint8_t)*s->p++;
	s->p++;
	return escaped_byte(s);
}

/* "[:alpha:]" at s->p; false if there is none. */
static bool add_named_class(struct scan *s, struct bytes *b)
{
	static const struct {
		const char *name;
		int (*is)(int c);
	} classes[] = {
		{ "[:alnum:]", isalnum },   { "[:alpha:]", isalpha }, { "[:blank:]", isblank },
		{ "[:cntrl:]", iscntrl },   { "[:digit:]", isdigit }, { "[:graph:]", isgraph },
		{ "[:lower:]", islower },   { "[:print:]", isprint }, { "[:punct:]", ispunct },
		{ "[:space:]", isspace },   { "[:upper:]", isupper }, { "[:word:]", is_word },
		{ "[:xdigit:]", isxdigit },
	};

	for (unsigned i = 0; i < ARRAY_LEN(classes); i++) {
		if (!str_starts(s->p, classes[i].name))
			continue;
		add_class(b, classes[i].is);
		s->p += strlen(classes[i].name);
		return true;
	}
	return false;
}

static void read_member(struct scan *s, struct bytes *b)
{
	int from, to;

	if (str_starts(s->p, "[:")) {
		if (!add_named_class(s, b))
			refuse(s, "it names a class that is not supported");
		return;
	}
	if (*s->p == '\\' && add_perl_class(b, s->p[1])) {
		s->p += 2;
		return;
	}
	from = to = set_byte(s);
	if (s->p[0] == '-' && s->p[1] && s->p[1] != ']') {
		s->p++;
		to = set_byte(s);
	}
	if (from < 0 || to < 0)
		refuse(s, "it has an escape that is not supported");
	else if (from > to)
		refuse(s, "it has a range whose end is before its begin");
	else
		add_range(b, (unsigned)from, (unsigned)to);
}

/* "[…]" at s->p */
static struct places match_set(struct scan *s, struct places in)
{
	struct bytes b = { .has = { false } };
	bool negated = s->p[1] == '^';

	s->p += negated ? 2 : 1;
	do {
		if (!*s->p)
			return refuse(s, "it has a [ without ]");
		read_member(s, &b);
	} while (*s->p != ']' && !s->why);
	s->p += *s->p == ']';
	if (s->icase)
		fold(&b);
	if (negated)
		invert(&b);
	return over_byte(s, in, &b);
}

/* ---- atoms -------------------------------------------------------------- */

static bool is_boundary(const struct scan *s, unsigned i)
{
	bool before = i > 0 && is_word((uint8_t)s->text[i - 1]);
	bool after = i < s->len && is_word((uint8_t)s->text[i]);

	return before != after;
}

/* ^ $ \A \z \b \B: the positions of in that fulfil it. */
static struct places match_assertion(struct scan *s, struct places in, char c)
{
	struct places out = nowhere;

	for (unsigned i = 0; i <= s->len; i++) {
		bool holds = (c == '^' && i == 0) || (c == '$' && i == s->len) ||
			     (c == 'b' && is_boundary(s, i)) || (c == 'B' && !is_boundary(s, i));

		if (at(in, i) && holds)
			put(&out, i);
	}
	return out;
}

static struct places match_byte(struct scan *s, struct places in, int c)
{
	struct bytes b = { .has = { false } };

	if (c < 0)
		return refuse(s, "it has an escape that is not supported");
	b.has[c] = true;
	if (s->icase)
		fold(&b);
	return over_byte(s, in, &b);
}

static struct places match_escape(struct scan *s, struct places in)
{
	struct bytes b = { .has = { false } };
	char c = *++s->p;

	if (add_perl_class(&b, c)) {
		s->p++;
		return over_byte(s, in, &b);
	}
	if (c && strchr("AzbB", c)) {
		s->p++;
		if (c == 'A')
			c = '^';
		else if (c == 'z')
			c = '$';
		return match_assertion(s, in, c);
	}
	return match_byte(s, in, escaped_byte(s));
}

static struct places match_alternatives(struct scan *s, struct places in);

static struct places match_group(struct scan *s, struct places in)
{
	struct places out;

	s->p++;
	if (str_starts(s->p, "?P<") || str_starts(s->p, "?<")) {
		s->p += strcspn(s->p, ">");
		s->p += *s->p == '>';
	} else if (str_starts(s->p, "?:")) {
		s->p += 2;
	} else if (*s->p == '?') {
		return refuse(s, "it has a flag, of which only a leading (?i) is supported");
	}
	if (++s->depth > DEPTH_MAX)
		return refuse(s, "its groups are nested too deep");
	out = match_alternatives(s, in);
	s->depth--;
	if (*s->p != ')')
		return refuse(s, "it has a ( without )");
	s->p++;
	return out;
}

/* ---- sequences and alternatives ----------------------------------------- */

struct times {
	int min, max; /* UNLIMITED: no maximum */
};

/* Reads "{2}", "{2,}" or "{2,5}" at *p; false: there is none, and the brace means itself. */
static bool read_braces(const char **p, struct times *ret)
{
	const char *at = *p + 1;
	char *end;

	if (!isdigit((unsigned char)*at))
		return false;
	ret->min = ret->max = (int)strtol(at, &end, 10);
	if (*end == ',') {
		at = end + 1;
		ret->max = UNLIMITED;
		end += 1;
		if (isdigit((unsigned char)*at))
			ret->max = (int)strtol(at, &end, 10);
	}
	if (*end != '}')
		return false;
	*p = end + 1;
	return true;
}

/* Reads a quantifier; false if there is none. */
static bool read_times(const char **p, struct times *ret)
{
	switch (**p) {
	case '*':
		*ret = (struct times){ 0, UNLIMITED };
		break;
	case '+':
		*ret = (struct times){ 1, UNLIMITED };
		break;
	case '?':
		*ret = (struct times){ 0, 1 };
		break;
	case '{':
		return read_braces(p, ret);
	default:
		return false;
	}
	(*p)++;
	return true;
}

static struct places match_atom(struct scan *s, struct places in)
{
	struct bytes any = { .has = { false } };
	const char *p = s->p;
	struct times times;

	if (!*s->steps)
		return refuse(s, "it takes too long (shorten it, and write no repetition in a "
				 "repetition)");
	--*s->steps;
	switch (*s->p) {
	case '(':
		return match_group(s, in);
	case '[':
		return match_set(s, in);
	case '\\':
		return match_escape(s, in);
	case '^':
	case '$':
		return match_assertion(s, in, *s->p++);
	case '.':
		s->p++;
		any.has['\n'] = true;
		invert(&any);
		return over_byte(s, in, &any);
	default:
		if (read_times(&p, &times))
			return refuse(s, "it has a quantifier without something to repeat");
		return match_byte(s, in, (uint8_t)*s->p++);
	}
}

/* Further repetitions of the atom at start end when they lead to no other place. */
static struct places repeat(struct scan *s, const char *start, struct places in, struct times t)
{
	struct places out = t.min ? nowhere : in, now = in;

	for (int i = 1; (t.max == UNLIMITED || i <= t.max) && !s->why; i++) {
		struct places before = now, all;

		s->p = start;
		now = match_atom(s, before);
		all = i >= t.min || same(now, before) ? both(out, now) : out;
		if (same(now, before) || (i >= t.min && same(all, out)))
			return all;
		out = all;
	}
	return out;
}

static struct places match_repeated(struct scan *s, struct places in)
{
	const char *start = s->p, *end;
	struct places out = match_atom(s, in);
	struct times t, second;

	end = s->p;
	if (s->why || !read_times(&end, &t))
		return out;
	if (t.min < 0 || t.min > REPEAT_MAX || t.max > REPEAT_MAX || t.max < UNLIMITED ||
	    (t.max != UNLIMITED && t.max < t.min))
		return refuse(s, "it has a repetition that is not supported");
	out = repeat(s, start, in, t);
	if (s->why)
		return out;
	end += *end == '?'; /* lazy: the same texts match */
	s->p = end;
	if (read_times(&end, &second))
		return refuse(s, "it has a quantifier of a quantifier");
	return out;
}

static struct places match_alternatives(struct scan *s, struct places in)
{
	struct places out = nowhere;

	for (;; s->p++) {
		struct places now = in;

		while (*s->p && *s->p != '|' && *s->p != ')')
			now = match_repeated(s, now);
		out = both(out, now);
		if (*s->p != '|')
			return out;
	}
}

int regex_match_try(const char *re, const char *text, unsigned *steps, const char **ret_why)
{
	struct scan s = { .p = re, .text = text, .len = (unsigned)strlen(text), .steps = steps };
	struct places everywhere = nowhere, out;

	if (s.len > REGEX_TEXT_MAX) {
		*ret_why = "the text is too long";
		return -EINVAL;
	}
	for (unsigned i = 0; i <= s.len; i++)
		put(&everywhere, i);
	s.icase = str_starts(re, "(?i)");
	if (s.icase)
		s.p += strlen("(?i)");
	out = match_alternatives(&s, everywhere);
	if (*s.p == ')')
		refuse(&s, "it has a ) without (");
	*ret_why = s.why;
	if (s.why)
		return -EINVAL;
	return !same(out, nowhere);
}
