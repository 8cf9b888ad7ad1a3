// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned_compare.c - CHECK of what elements live in: skeleton and index
 *
 * What ADD would build is said into a change-set, which is then compared instead of
 * committed: so CHECK cannot know less than ADD.
 */
#include "base/differ.h"
#include "firewall/owned_impl.h"

/* What owned_check() left to its owner, ADD had left out, too. */
static struct owned_change without_skipped(struct tx *tx, const struct owned_change *of,
					   const struct nft_elem *there, const bool *found)
{
	struct owned_change c = *of;

	c.elems = mem_dup(&tx->mem, of->elems, of->n * sizeof(*of->elems));
	for (unsigned i = 0; i < c.n; i++)
		c.elems[i].skipped = found[i] && c.elems[i].conflict == OWNED_WARN &&
				     !owned_is_ours(&there[i], c.owner->comment);
	return c;
}

/* Private bytes do not survive a ruleset that was saved and loaded: DEL can do without. */
static const char *index_state(const struct nft_elem *want, const struct nft_elem *have,
			       const char *comment)
{
	if (!owned_is_ours(have, comment))
		return have->comment ? have->comment : "somebody else's";
	if (have->private_len && (have->private_len != want->private_len ||
				  memcmp(have->private, want->private, want->private_len) != 0))
		return "another list";
	return NULL;
}

static int check_index(struct tx *tx, struct nfnl *nl, const struct owned_change *of)
{
	const struct owned_table *t = of->table;
	struct nft_elem *there = mem_alloc(&tx->mem, (of->n + 1) * sizeof(*there)), *want, *have;
	bool *found = mem_alloc(&tx->mem, of->n + 1);
	struct owned_change c;
	unsigned n;

	TRY(owned_look(tx, nl, t, of->group, of->elems, of->n, there, found));
	c = without_skipped(tx, of, there, found);
	want = owned_pack(tx, &c, &n);
	have = mem_dup(&tx->mem, want, n * sizeof(*want));
	found = mem_alloc(&tx->mem, n + 1);
	TRY(nft_find_elems(tx, nl, t->family, t->name, owned_index_set, have, found, n));
	for (unsigned i = 0; i < n; i++) {
		const char *state =
			found[i] ? index_state(&want[i], &have[i], c.owner->comment) : NULL;

		if (!found[i] || state)
			differ(tx,
			       mem_printf(&tx->mem, "index of %s in nftables table %s",
					  c.owner->key.s, t->name),
			       "what ADD made", state);
	}
	return 0;
}

int owned_check_skeleton(struct tx *tx, struct nfnl *nl, const struct owned_change *c)
{
	struct nft *n = nft_new(tx, c->table->family, c->table->name);
	int r;

	owned_put_sets(tx, n, c->table, c->group);
	c->table->skeleton(n, c->group, c->arg);
	TRY(nft_compare(tx, nl, n));
	r = check_index(tx, nl, c);
	if (r < 0 && r != -EINVAL) /* a set of another type, which was told */
		return tx_fail(tx, r, "host: look up the index of table %s: %s", c->table->name,
			       strerror(-r));
	return 0;
}
