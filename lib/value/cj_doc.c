// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cj_doc.c - the document behind the cursors
 *
 * Complaints are kept in the order of reading, each once; beyond COMPLAINTS_MAX they are only
 * counted.
 *
 * To report unknown keys, the document keeps the set of members that were asked for, by the
 * address of their key.  The address of the value would not do, because jansson has only one
 * true and one null.  The set is kept only if the report would be logged.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "value/cj_doc.h"
#include "value/cj_watch.h"
#include "base/log.h"

enum { COMPLAINTS_MAX = 64 };

void doc_no_memory(struct mem *mem)
{
	if (mem->exhausted)
		mem->exhausted(mem->arg);
	abort();
}

struct cj_doc *doc_new(struct mem *mem, json_t *root, const char *what)
{
	struct cj_doc *d = mem_alloc(mem, sizeof(*d));

	d->mem = mem;
	d->root = root;
	d->what = mem_str(mem, what);
	d->watched = log_on(LOG_DEBUG);
	return d;
}

/* The slot of key in a set of n slots (a power of two, never full). */
static size_t slot_of(const char **slots, size_t n, const char *key)
{
	size_t i = (size_t)((uint64_t)(uintptr_t)key * 0x9e3779b97f4a7c15u >> 32);

	for (i &= n - 1; slots[i] && slots[i] != key; i = (i + 1) & (n - 1))
		;
	return i;
}

bool doc_was_seen(const struct cj_doc *d, const char *key)
{
	return d->n_slots && d->seen[slot_of(d->seen, d->n_slots, key)];
}

void doc_see(struct cj_doc *d, const char *key)
{
	if (!d->watched || doc_was_seen(d, key))
		return;
	if (2 * d->n_seen >= d->n_slots) {
		size_t n = d->n_slots ? d->n_slots * 2 : 64;
		const char **bigger = mem_alloc(d->mem, n * sizeof(*bigger));

		for (size_t i = 0; i < d->n_slots; i++)
			if (d->seen[i])
				bigger[slot_of(bigger, n, d->seen[i])] = d->seen[i];
		d->seen = bigger;
		d->n_slots = n;
	}
	d->seen[slot_of(d->seen, d->n_slots, key)] = key;
	d->n_seen++;
}

bool doc_has_room(struct cj_doc *d)
{
	if (d->n_complaints < COMPLAINTS_MAX)
		return true;
	d->n_dropped++;
	return false;
}

void doc_complain(struct cj_doc *d, const char *path, const char *fmt, va_list ap)
{
	struct mem *m = d->mem;
	const char *text = mem_vprintf(m, fmt, ap);

	if (d->watch) {
		d->watch->wrong(d->watch->arg, path, text);
		return;
	}
	text = mem_printf(m, "%s: %s", *path ? path : d->what, text);
	for (unsigned i = 0; i < d->n_complaints; i++)
		if (str_eq(d->complaints[i], text))
			return;
	d->complaints = mem_grow(m, d->complaints, d->n_complaints, sizeof(*d->complaints));
	d->complaints[d->n_complaints++] = text;
}

int doc_fail(struct tx *tx, struct cj_doc *d, enum cni_code code)
{
	char text[sizeof(tx->msg) - 32]; /* room for "and more" */
	unsigned said = 0, all = d->n_complaints + d->n_dropped;
	size_t n = 0;

	if (!all)
		return 0;
	for (; said < d->n_complaints; said++) {
		const char *s = d->complaints[said];

		if (said && n + strlen(s) + 3 > sizeof(text))
			break;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", said ? "; " : "", s);
	}
	d->complaints = NULL;
	d->n_complaints = d->n_dropped = 0;
	if (said < all)
		return tx_fail_as(tx, code, -EINVAL, "%s; and %u more", text, all - said);
	return tx_fail_as(tx, code, -EINVAL, "%s", text);
}

static int quote_some(const char *text, size_t size, void *arg)
{
	struct quote *q = arg;
	size_t n = size < QUOTE_MAX - q->n ? size : QUOTE_MAX - q->n;

	memcpy(q->s + q->n, text, n);
	q->n += n;
	q->cut = n < size;
	return q->cut ? -1 : 0; /* stops the dump */
}

struct quote doc_quote(const json_t *json)
{
	struct quote q = { .n = 0 };

	if (json_dump_callback(json, quote_some, &q,
			       JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) < 0 &&
	    !q.cut)
		q = (struct quote){ .n = 0 };
	if (q.cut) { /* cut at the start of a UTF-8 character */
		while (q.n && ((unsigned char)q.s[q.n - 1] & 0xc0) == 0x80)
			q.n--;
		if (q.n && (unsigned char)q.s[q.n - 1] >= 0xc0)
			q.n--;
		memcpy(q.s + q.n, "…", sizeof("…"));
	}
	return q;
}
