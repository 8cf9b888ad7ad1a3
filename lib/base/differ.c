// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * differ.c - CHECK: collect the differences between wanted and present state
 */
#include "base/differ.h"
#include "base/log.h"

/* As tx_fail() does with its text. */
static char *copy_plain(struct mem *mem, const char *s)
{
	char *copy = mem_str(mem, s ? s : "");

	text_plain(copy);
	return copy;
}

void differ_as(struct tx *tx, const char *sentence, const char *object, const char *want,
	       const char *have)
{
	struct difference *d;

	tx->differences = mem_grow(&tx->mem, tx->differences, tx->n_differences, sizeof(*d));
	d = &tx->differences[tx->n_differences++];
	*d = (struct difference){
		.object = copy_plain(&tx->mem, object),
		.want = copy_plain(&tx->mem, want),
		.have = copy_plain(&tx->mem, have),
		.sentence = copy_plain(&tx->mem, sentence),
	};
	log_step("differs: %s: want %s, have %s", d->object, d->want,
		 *d->have ? d->have : "nothing");
}

void differ(struct tx *tx, const char *object, const char *want, const char *have)
{
	const char *found = str_empty(have) ? "nothing" : have;

	differ_as(tx, mem_printf(&tx->mem, "%s: expected %s, found %s", object, want, found),
		  object, want, have);
}

void differ_number(struct tx *tx, const char *object, int64_t want, int64_t have)
{
	if (want != have)
		differ(tx, object, mem_printf(&tx->mem, "%lld", (long long)want),
		       mem_printf(&tx->mem, "%lld", (long long)have));
}

static void keep(struct tx *tx, const struct difference *d)
{
	struct difference *copy;

	tx->differences = mem_grow(&tx->mem, tx->differences, tx->n_differences, sizeof(*copy));
	copy = &tx->differences[tx->n_differences++];
	*copy = (struct difference){
		.object = mem_str(&tx->mem, d->object),
		.want = mem_str(&tx->mem, d->want),
		.have = mem_str(&tx->mem, d->have),
		.sentence = mem_str(&tx->mem, d->sentence),
	};
}

/* If memory runs out in check(), the call goes on to its end with that arena. */
int differ_apart(struct tx *tx, int (*check)(struct tx *tx, void *arg), void *arg)
{
	struct difference *before = tx->differences, *found;
	unsigned n_before = tx->n_differences, n;
	struct mem kept = tx->mem, own;
	int r;

	tx->mem = (struct mem){ .max = tx->mem.max,
				.exhausted = tx->mem.exhausted,
				.arg = tx->mem.arg };
	differ_forget(tx);
	r = check(tx, arg);
	own = tx->mem;
	found = tx->differences;
	n = tx->n_differences;
	tx->mem = kept;
	tx->differences = before;
	tx->n_differences = n_before;
	for (unsigned i = 0; i < n; i++)
		keep(tx, &found[i]);
	mem_free(&own);
	return r;
}

void differ_forget(struct tx *tx)
{
	tx->differences = NULL;
	tx->n_differences = 0;
}
