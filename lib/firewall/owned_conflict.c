// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned_conflict.c - another owner has the key of an element
 *
 * Networks whose authors do not trust each other share the tables.  A configuration can name any
 * address (static IPAM, CNI_ARGS, args, a prevResult), so a key is not taken from an owner that may
 * live: its DEL, or ours, would leave the other one without masquerade or without an accept.
 * An owner is dead if its link on the host, or its network namespace, is gone.  A living one can
 * have left an address: owned_left.c.
 */
#include "base/log.h"
#include "firewall/owned_impl.h"
#include "netlink/link.h"
#include "sys/hostconf.h"
#include "value/mark.h"

/* ---- owners ------------------------------------------------------------- */

bool owned_is_ours(const struct nft_elem *e, const char *comment)
{
	return str_eq(e->comment, comment);
}

bool owned_names_owner(const char *comment)
{
	return comment && str_starts(comment, "veth") && strlen(comment) > OWNED_KEY_LEN &&
	       strspn(comment + 4, "0123456789abcdef") == OWNED_KEY_LEN - 4 &&
	       comment[OWNED_KEY_LEN] == ' ';
}

const char *owned_owner_text(const char *comment)
{
	if (!comment || strlen(comment) <= OWNED_KEY_LEN)
		return "an unknown owner";
	return comment + OWNED_KEY_LEN + 1;
}

bool owned_parse(struct mem *mem, const char *comment, struct mark_owner *ret)
{
	*ret = (struct mark_owner){ .network = NULL };
	return strlen(comment) < NFT_COMMENT_MAX &&
	       mark_parse_owner(mem, owned_owner_text(comment), ret) && ret->id;
}

/* ---- is the owner dead? -------------------------------------------------- */

/*
 * Does the index prove that the attachment is gone?  The kernel deletes a link some time after the
 * namespace of its other end, and not every attachment has a link on the host.
 */
static int proves_death(struct owned_judge *j, const struct owned_index *x)
{
	int r;

	if (x->link) {
		TRY(r = link_find_index(j->tx, j->host, (int)x->link, NULL));
		if (!r)
			return 1;
	}
	return x->ino && alive_is_gone(j->tx, &j->alive, (ino_t)x->ino, x->cookie);
}

int owned_is_dead(struct owned_judge *j, const char *comment)
{
	char key[IFNAMSIZ] = "";

	if (!owned_names_owner(comment))
		return 0; /* an administrator's element */
	memcpy(key, comment, OWNED_KEY_LEN);
	for (const struct owned_kind_info *k = owned_kinds; k->kind != OWNED_UNLISTED; k++) {
		struct owned_index x;
		int r;

		if (!k->proves_life)
			continue;
		r = owned_read_index(&j->tx->mem, j->nl, j->t, key, k->kind, &x);
		if (r < 0)
			return owned_fail_look_index(j->tx, j->t, r);
		if (!r)
			continue;
		j->lost |= x.lost;
		j->ino = x.ino;
		j->cookie = x.cookie;
		TRY(r = proves_death(j, &x));
		if (!r)
			return 0;
	}
	return 1;
}

/*
 * The ruleset was saved and loaded as text, for example before and after a reboot, so the owner's
 * index has lost link and namespace.  Then the mark tells whether the host has a link of the owner.
 * Only for addresses, because otherwise no container could have one that was in use before.
 */
static int is_unmarked(struct owned_judge *j, const char *comment)
{
	struct mark_owner o;
	struct mark mark;
	struct link l;
	int there;

	if (!owned_parse(&j->tx->mem, comment, &o))
		return 0;
	mark = mark_of(o.network, o.id, o.ifname);
	TRY(there = link_find_marked(j->tx, j->host, "", &mark, &l));
	return !there;
}

/* ---- keys that are equal ------------------------------------------------- */

/*
 * May the owner of c take over an element of this comment?  A comment that was cut within the
 * network's name proves nothing.
 */
static bool may_replace(struct tx *tx, const struct owner *o, const struct owned_elem *e)
{
	const char *owner = owned_owner_text(e->there.comment);
	size_t n = strlen(o->network);

	if (e->conflict != OWNED_REPLACE_OWN)
		return e->conflict == OWNED_REPLACE;
	if (owned_names_owner(e->there.comment) && str_starts(owner, o->network) && owner[n] == '/')
		return true;
	return hostconf_replaces_across_networks(tx);
}

static int fail_port(struct tx *tx, const struct owned_elem *e, const char *who)
{
	const char *remedy = "or set onConflict to \"replace\"";

	if (e->conflict == OWNED_REPLACE_OWN)
		remedy = "or set replaceAcrossNetworks in /etc/cplug/cplug.conf";
	return tx_fail_as(tx, CPLUG_E_PORT, -EADDRINUSE,
			  "host: publish %s: it belongs to %s "
			  "(network/container/interface) already (choose another port, %s)",
			  e->what, who, remedy);
}

/* A living owner has the key of e, which may not be taken over. */
static int handle_conflict(struct tx *tx, const struct owned_elem *e)
{
	const char *who = owned_owner_text(e->there.comment);

	if (e->conflict == OWNED_HELD)
		return tx_fail_as(tx, CPLUG_E_ADDRESS, -EADDRINUSE,
				  "host: %s belongs to %s (network/container/interface) already "
				  "(choose another address, or DEL that attachment first)",
				  e->what, who);
	if (e->conflict != OWNED_WARN)
		return fail_port(tx, e, who);
	log_warn("%s: left to %s, which has it already", e->what, who);
	return 0;
}

int owned_resolve(struct owned_judge *j, const struct owned_change *c, struct owned_elem *e)
{
	const char *comment = e->there.comment;
	int dead;

	e->takeover = true;
	if (owned_is_ours(&e->there, c->owner->comment) || may_replace(j->tx, c->owner, e))
		return 0;
	j->lost = false;
	j->ino = 0;
	TRY(dead = owned_is_dead(j, comment));
	if (!dead && j->lost && e->conflict == OWNED_HELD)
		TRY(dead = is_unmarked(j, comment));
	if (dead) {
		log_info("%s: taken over from %s, which is gone", e->what,
			 owned_owner_text(comment));
		return 0;
	}
	if (e->conflict == OWNED_HELD && owned_has_left(j, e)) {
		log_info("%s: taken over from %s, whose DHCP lease has another address now",
			 e->what, owned_owner_text(comment));
		return 0;
	}
	e->takeover = false;
	e->skipped = true;
	return handle_conflict(j->tx, e);
}

/* ---- keys that overlap --------------------------------------------------- */

static int resolve_overlap(struct owned_judge *j, struct owned_change *c,
			   const struct owned_elem *e)
{
	int dead;

	TRY(dead = owned_is_dead(j, e->there.comment));
	if (!dead && may_replace(j->tx, c->owner, e))
		return 0;
	if (!dead)
		return handle_conflict(j->tx, e);
	c->inherits = true;
	return owned_del_dead(j->tx, j->nl, j->t, e->there.comment);
}

int owned_clash(struct tx *tx, struct nfnl *nl, struct rt *host, struct owned_change *c)
{
	struct owned_judge j = { .tx = tx, .nl = nl, .host = host, .t = c->in.table };
	int r = owned_look(&tx->mem, nl, c->in, c->elems, c->n);

	if (r < 0)
		return owned_fail_look(tx, c->in.table, r);
	for (unsigned i = 0; i < c->n; i++) {
		const struct owned_elem *e = &c->elems[i];

		if (e->there.found && !owned_is_ours(&e->there, c->owner->comment))
			TRY(resolve_overlap(&j, c, e));
	}
	return 0;
}
