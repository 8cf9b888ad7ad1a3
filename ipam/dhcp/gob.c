// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gob.c - the encoding of Go's net/rpc
 *
 * A definition stays in the stream; the reader remembers where it begins and follows it when a
 * value of the type comes.  So definitions need no memory, and a wrong one is found by its use.
 */
#include <limits.h>
#include <stdio.h>

#include "ipam/dhcp/gob.h"

/* Fields of wireType, from 1. */
enum form { ARRAY = 1, LIST, STRUCT, MAP, GOB_ENCODER, BINARY_MARSHALER, TEXT_MARSHALER };

/*
 * A definition is read again for each value of its type, so the time is not bounded by the size of
 * the stream: the numbers that are read for one message are.
 */
enum { DEPTH_MAX = 10, STEPS_MAX = 1 << 25 };

/* ---- primitives --------------------------------------------------------- */

struct cursor {
	const struct gob_in *g;
	size_t at, end;
	unsigned *steps; /* of all cursors of a message */
	bool bad;        /* sticky: later reads return 0 */
	char path[GOB_PATH_MAX];
	size_t path_len;
	int (*visit)(void *arg, const struct gob_value *v);
	void *arg;
};

static int64_t bad(struct cursor *c)
{
	c->bad = true;
	c->at = c->end;
	return 0;
}

/* A byte below 128 is the number; else the negated count of the bytes that follow. */
static uint64_t read_uint(struct cursor *c)
{
	uint64_t n = 0;
	unsigned count;
	uint8_t first;

	if (c->at >= c->end || ++*c->steps > STEPS_MAX)
		return (uint64_t)bad(c);
	first = c->g->data[c->at++];
	if (first < 0x80)
		return first;
	count = 256u - first;
	if (count > 8 || count > c->end - c->at)
		return (uint64_t)bad(c);
	while (count--)
		n = n << 8 | c->g->data[c->at++];
	return n;
}

static int64_t to_int(uint64_t n)
{
	return n & 1 ? (int64_t) ~(n >> 1) : (int64_t)(n >> 1);
}

static int64_t read_int(struct cursor *c)
{
	return to_int(read_uint(c));
}

/* A length that the rest of the message can have. */
static size_t read_size(struct cursor *c)
{
	uint64_t n = read_uint(c);

	if (n > c->end - c->at)
		return (size_t)bad(c);
	return (size_t)n;
}

/* The number of the next field of a structure; 0 at its end. */
static unsigned read_field(struct cursor *c, unsigned last)
{
	uint64_t delta = read_uint(c);

	if (delta > 64)
		return (unsigned)bad(c);
	return delta ? last + (unsigned)delta : 0;
}

/* ---- definitions -------------------------------------------------------- */

static void skip_bytes(struct cursor *c)
{
	c->at += read_size(c);
}

/* CommonType: Name, Id. */
static void skip_common(struct cursor *c)
{
	for (unsigned f = 0; (f = read_field(c, f));)
		if (f == 1)
			skip_bytes(c);
		else
			read_uint(c);
}

/* A definition is remembered if it is one; what it says is read when it is used. */
static int remember(struct gob_in *g, struct cursor *c, int64_t id)
{
	unsigned form = read_field(c, 0);

	if (c->bad || form < ARRAY || form > TEXT_MARSHALER || id < 16 ||
	    g->n_types == GOB_TYPES_MAX)
		return -EBADMSG;
	g->types[g->n_types++] = (struct gob_type){ .id = id, .form = form, .at = c->at };
	return 0;
}

int gob_next(struct gob_in *g, struct gob_message *ret)
{
	unsigned steps = 0;

	while (g->at < g->size) {
		struct cursor c = { .g = g, .at = g->at, .end = g->size, .steps = &steps };
		uint64_t size = read_uint(&c);
		int64_t id;

		/* Nine bytes hold any number. */
		if (c.bad)
			return g->size - g->at < 9 ? 0 : -EBADMSG;
		if (size > INT_MAX)
			return -EBADMSG;
		if (size > g->size - c.at)
			return 0;
		c.end = c.at + (size_t)size;
		g->at = c.end;
		id = read_int(&c);
		if (c.bad || id == INT64_MIN)
			return -EBADMSG;
		if (id >= 0) {
			*ret = (struct gob_message){ .type = id, .at = c.at, .end = c.end };
			return 1;
		}
		TRY(remember(g, &c, -id));
	}
	return 0;
}

static const struct gob_type *find_type(const struct gob_in *g, int64_t id)
{
	for (unsigned i = 0; i < g->n_types; i++)
		if (g->types[i].id == id)
			return &g->types[i];
	return NULL;
}

/* ---- values ------------------------------------------------------------- */

static int read_value(struct cursor *c, int64_t type, unsigned depth);

static int visit(struct cursor *c, struct gob_value v)
{
	v.path = c->path;
	if (c->bad)
		return -EBADMSG;
	return c->visit(c->arg, &v);
}

static int read_basic(struct cursor *c, int64_t type)
{
	struct gob_value v = { .type = (enum gob_basic)type };

	switch (type) {
	case GOB_INT:
		v.number = (uint64_t)read_int(c);
		break;
	case GOB_BYTES:
	case GOB_STRING:
		v.size = read_size(c);
		v.data = c->g->data + c->at;
		c->at += v.size;
		break;
	case GOB_COMPLEX:
		read_uint(c);
		read_uint(c);
		return c->bad ? -EBADMSG : 0;
	default:
		v.number = read_uint(c);
	}
	return visit(c, v);
}

/* The definition: a number is at field `want` of the structure after CommonType. */
static int64_t defined_type(const struct cursor *c, const struct gob_type *t, unsigned want)
{
	struct cursor d = { .g = c->g, .at = t->at, .end = c->g->size, .steps = c->steps };
	int64_t id = 0;

	for (unsigned f = 0; (f = read_field(&d, f));) {
		if (f == 1) {
			skip_common(&d);
			continue;
		}
		id = read_int(&d);
		if (f == want)
			return d.bad ? 0 : id;
	}
	return 0;
}

static int read_list(struct cursor *c, const struct gob_type *t, unsigned depth)
{
	int64_t element = defined_type(c, t, 2);
	const struct gob_type *e = find_type(c->g, element);
	size_t n = read_size(c);

	while (n-- && !c->bad) {
		if (e && e->form == STRUCT)
			TRY(visit(c, (struct gob_value){ .type = 0 }));
		TRY(read_value(c, element, depth + 1));
	}
	return c->bad ? -EBADMSG : 0;
}

/* Values of maps are skipped: no message of ours has one. */
static int read_map(struct cursor *c, const struct gob_type *t, unsigned depth)
{
	int64_t key = defined_type(c, t, 2), element = defined_type(c, t, 3);
	size_t n = read_size(c);

	while (n-- && !c->bad) {
		TRY(read_value(c, key, depth + 1));
		TRY(read_value(c, element, depth + 1));
	}
	return c->bad ? -EBADMSG : 0;
}

struct member {
	const uint8_t *name;
	size_t len;
	int64_t type;
};

/* The next fieldType of a definition. */
static struct member read_member(struct cursor *d)
{
	struct member m = { .type = 0 };

	for (unsigned f = 0; (f = read_field(d, f));)
		if (f == 1) {
			m.len = read_size(d);
			m.name = d->g->data + d->at;
			d->at += m.len;
		} else {
			m.type = read_int(d);
		}
	return m;
}

/* Stands the cursor d on the members of a structure; returns their number. */
static size_t find_members(struct cursor *d)
{
	for (unsigned f = 0; (f = read_field(d, f));) {
		if (f == 2)
			return read_size(d);
		skip_common(d);
	}
	return 0;
}

/* Appends a name; returns the length before, for the caller to restore. */
static size_t push_name(struct cursor *c, const struct member *m)
{
	size_t before = c->path_len, dot = before > 0;

	if (m->len + dot + 1 > sizeof(c->path) - before) {
		bad(c);
		return before;
	}
	if (dot)
		c->path[c->path_len++] = '.';
	memcpy(c->path + c->path_len, m->name, m->len);
	c->path_len += m->len;
	c->path[c->path_len] = '\0';
	return before;
}

static int read_struct(struct cursor *c, const struct gob_type *t, unsigned depth)
{
	struct cursor d = { .g = c->g, .at = t->at, .end = c->g->size, .steps = c->steps };
	size_t n = find_members(&d), known = 0;
	struct member m = { .type = 0 };

	for (unsigned f = 0; (f = read_field(c, f));) {
		size_t before;

		if (f > n)
			return -EBADMSG;
		for (; known < f; known++)
			m = read_member(&d);
		if (d.bad || !m.name)
			return -EBADMSG;
		before = push_name(c, &m);
		TRY(read_value(c, m.type, depth + 1));
		c->path_len = before;
		c->path[before] = '\0';
	}
	return c->bad ? -EBADMSG : 0;
}

static int read_value(struct cursor *c, int64_t type, unsigned depth)
{
	const struct gob_type *t;

	if (depth > DEPTH_MAX || c->bad)
		return -EBADMSG;
	if (type >= GOB_BOOL && type <= GOB_COMPLEX)
		return read_basic(c, type);
	t = find_type(c->g, type);
	if (!t)
		return -EBADMSG;
	switch (t->form) {
	case STRUCT:
		return read_struct(c, t, depth);
	case LIST:
	case ARRAY:
		return read_list(c, t, depth);
	case MAP:
		return read_map(c, t, depth);
	default: /* what encodes itself: bytes */
		return read_basic(c, GOB_BYTES);
	}
}

int gob_walk(const struct gob_in *g, const struct gob_message *m,
	     int (*visit_fn)(void *arg, const struct gob_value *v), void *arg)
{
	const struct gob_type *t = find_type(g, m->type);
	unsigned steps = 0;
	struct cursor c = {
		.g = g, .at = m->at, .end = m->end, .steps = &steps, .visit = visit_fn, .arg = arg
	};

	/* A value that is no structure follows a zero. */
	if ((!t || t->form != STRUCT) && read_uint(&c) != 0)
		return -EBADMSG;
	TRY(read_value(&c, m->type, 0));
	return c.at == c.end ? 0 : -EBADMSG;
}

/* ---- writing ------------------------------------------------------------ */

static void append(struct gob_out *o, const void *data, size_t size)
{
	if (size > o->room - o->size) {
		size_t room = (o->size + size) * 2 + 256;
		uint8_t *more = mem_alloc(o->mem, room);

		if (o->size)
			memcpy(more, o->data, o->size);
		o->data = more;
		o->room = room;
	}
	if (size)
		memcpy(o->data + o->size, data, size);
	o->size += size;
}

/* Returns the number of bytes. */
static size_t encode_uint(uint64_t n, uint8_t ret[9])
{
	size_t count = 0;

	if (n < 0x80) {
		ret[0] = (uint8_t)n;
		return 1;
	}
	for (uint64_t rest = n; rest; rest >>= 8)
		count++;
	ret[0] = (uint8_t)(256 - count);
	for (size_t i = count; i; i--, n >>= 8)
		ret[i] = (uint8_t)n;
	return count + 1;
}

void gob_uint(struct gob_out *o, uint64_t n)
{
	uint8_t text[9];

	append(o, text, encode_uint(n, text));
}

void gob_int(struct gob_out *o, int64_t n)
{
	gob_uint(o, n < 0 ? ~(uint64_t)n << 1 | 1 : (uint64_t)n << 1);
}

void gob_bytes(struct gob_out *o, const void *data, size_t size)
{
	gob_uint(o, size);
	append(o, data, size);
}

void gob_string(struct gob_out *o, const char *s)
{
	gob_bytes(o, s, strlen(s));
}

void gob_begin(struct gob_out *o)
{
	o->begin = o->size;
	o->field = -1;
}

/* Moves the message behind its length. */
void gob_end(struct gob_out *o)
{
	size_t size = o->size - o->begin, len;
	uint8_t text[9];

	len = encode_uint(size, text);
	append(o, text, len); /* makes room */
	memmove(o->data + o->begin + len, o->data + o->begin, size);
	memcpy(o->data + o->begin, text, len);
}

int gob_enter(struct gob_out *o)
{
	int outer = o->field;

	o->field = -1;
	return outer;
}

void gob_field(struct gob_out *o, int index)
{
	gob_uint(o, (uint64_t)(index - o->field));
	o->field = index;
}

void gob_leave(struct gob_out *o, int outer)
{
	gob_uint(o, 0);
	o->field = outer;
}

void gob_field_string(struct gob_out *o, int index, const char *s)
{
	if (str_empty(s))
		return;
	gob_field(o, index);
	gob_string(o, s);
}

void gob_field_int(struct gob_out *o, int index, int64_t n)
{
	if (!n)
		return;
	gob_field(o, index);
	gob_int(o, n);
}

void gob_field_bytes(struct gob_out *o, int index, const void *data, size_t size)
{
	if (!size)
		return;
	gob_field(o, index);
	gob_bytes(o, data, size);
}

void gob_field_strings(struct gob_out *o, int index, const char *const *list, unsigned n)
{
	if (!n)
		return;
	gob_field(o, index);
	gob_uint(o, n);
	for (unsigned i = 0; i < n; i++)
		gob_string(o, list[i]);
}

/* CommonType, field 1 of each definition. */
static void put_common(struct gob_out *o, int id, const char *name)
{
	int outer;

	gob_field(o, 0);
	outer = gob_enter(o);
	gob_field_string(o, 0, name);
	gob_field_int(o, 1, id);
	gob_leave(o, outer);
}

void gob_define_struct(struct gob_out *o, int id, const char *name, const struct gob_member *m,
		       unsigned n)
{
	int outer;

	gob_begin(o);
	gob_int(o, -id);
	gob_field(o, STRUCT - 1);
	outer = gob_enter(o);
	put_common(o, id, name);
	if (n) {
		gob_field(o, 1);
		gob_uint(o, n);
	}
	for (unsigned i = 0; i < n; i++) {
		int list = gob_enter(o);

		gob_field_string(o, 0, m[i].name);
		gob_field_int(o, 1, m[i].type);
		gob_leave(o, list);
	}
	gob_leave(o, outer);
	gob_uint(o, 0);
	gob_end(o);
}

void gob_define_list(struct gob_out *o, int id, int element)
{
	int outer;

	gob_begin(o);
	gob_int(o, -id);
	gob_field(o, LIST - 1);
	outer = gob_enter(o);
	put_common(o, id, "");
	gob_field_int(o, 1, element);
	gob_leave(o, outer);
	gob_uint(o, 0);
	gob_end(o);
}
