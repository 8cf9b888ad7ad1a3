/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gob.h - the encoding of Go's net/rpc (encoding/gob, https://pkg.go.dev/encoding/gob)
 *
 * A stream is a sequence of messages.  Each has a length and either defines a type (a negative
 * type id) or carries a value.  The reader follows the definitions of the stream, so it reads the
 * values of any version of the other program; it allocates nothing and bounds everything.
 */
#ifndef CPLUG_DHCP_GOB_H
#define CPLUG_DHCP_GOB_H

#include "base/mem.h"

/* The type ids that every stream knows. */
enum gob_basic { GOB_BOOL = 1, GOB_INT, GOB_UINT, GOB_FLOAT, GOB_BYTES, GOB_STRING, GOB_COMPLEX };

/* The first type id that a stream may define itself. */
enum { GOB_FIRST_ID = 65 };

/* ---- reading ---- */

enum { GOB_TYPES_MAX = 48, GOB_PATH_MAX = 96 };

struct gob_type {
	int64_t id;
	unsigned form; /* the field of wireType that is set */
	size_t at;     /* where its definition begins */
};

struct gob_in {
	const uint8_t *data; /* the stream from its beginning, as far as it was received */
	size_t size;
	size_t at; /* what was read */
	struct gob_type types[GOB_TYPES_MAX];
	unsigned n_types;
};

struct gob_message {
	int64_t type;
	size_t at, end; /* the value, in data */
};

/*
 * Reads definitions up to the next value.  Returns 1, 0 if the message is not complete yet, or
 * -EBADMSG.
 */
int gob_next(struct gob_in *g, struct gob_message *ret) CHECKED;

struct gob_value {
	/* "Routes.Dst.IP": names of fields.  The elements of a list have the path of the list. */
	const char *path;
	/* 0: an element of a list of structures begins */
	enum gob_basic type;
	uint64_t number;     /* bool, int (as two's complement), uint */
	const uint8_t *data; /* bytes and string, which are not terminated */
	size_t size;
};

/*
 * Calls visit(arg, value) for each value in a message that is not zero.  Returns 0, -EBADMSG, or
 * what visit returned if that is negative.
 */
int gob_walk(const struct gob_in *g, const struct gob_message *m,
	     int (*visit)(void *arg, const struct gob_value *v), void *arg) CHECKED;

/* ---- writing (builders: rule R5) ---- */

struct gob_out {
	struct mem *mem;
	uint8_t *data;
	size_t size, room;
	size_t begin; /* of the current message */
	int field;    /* of the current structure: the last one that was written */
};

void gob_begin(struct gob_out *o);
void gob_end(struct gob_out *o);

void gob_uint(struct gob_out *o, uint64_t n);
void gob_int(struct gob_out *o, int64_t n);
void gob_bytes(struct gob_out *o, const void *data, size_t size);
void gob_string(struct gob_out *o, const char *s);

/* Begins a structure; returns what gob_leave() restores. */
int gob_enter(struct gob_out *o);
void gob_field(struct gob_out *o, int index);
void gob_leave(struct gob_out *o, int outer);

/* Fields that are left out if they are zero, as the encoding wants. */
void gob_field_string(struct gob_out *o, int index, const char *s);
void gob_field_int(struct gob_out *o, int index, int64_t n);
void gob_field_bytes(struct gob_out *o, int index, const void *data, size_t size);
void gob_field_strings(struct gob_out *o, int index, const char *const *list, unsigned n);

struct gob_member {
	const char *name;
	int type;
};

/* Messages that define a structure, and a list. */
void gob_define_struct(struct gob_out *o, int id, const char *name, const struct gob_member *m,
		       unsigned n);
void gob_define_list(struct gob_out *o, int id, int element);

#endif
