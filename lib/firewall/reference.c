// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reference.c - what the reference plugins have made in nf_tables for an attachment
 *
 * A host that never had the reference has none of the chains that are asked for first, in one
 * datagram.  What is deleted is read before, and the transaction is bound to the generation id.
 *
 * Names and comments: the Go packages ip, link, utils and portmap of
 * github.com/containernetworking/plugins.
 */
#include "firewall/reference.h"

#include <stdio.h>

#include <linux/netfilter.h>

#include "base/log.h"
#include "nft/nft_xt.h"
#include "sys/turn.h"
#include "value/name.h"

enum { TRIES = 200, CHAIN_LEN = 28, HASH_LEN = 16 };

/* Where attachments have rules. */
struct place {
	uint8_t part, family;
	bool addressed; /* such a rule has the attachment's address */
	const char *table;
	const char *prefix; /* of the chain of an attachment, to which it jumps; NULL: there is
			     * none, but rules with a comment */
	const char *chains[4];
};

#define HOSTPORT_CHAINS                                                                            \
	{                                                                                          \
		"hostports", "hostip_hostports", "masquerading"                                    \
	}

static const struct place places[] = {
	{ REFERENCE_MASQ, NFPROTO_IPV4, true, "nat", "CNI-", { "POSTROUTING" } },
	{ REFERENCE_MASQ, NFPROTO_IPV6, true, "nat", "CNI-", { "POSTROUTING" } },
	{ REFERENCE_MASQ, NFPROTO_INET, false, "cni_plugins_masquerade", NULL, { "masq_checks" } },
	{ REFERENCE_SPOOF, NFPROTO_BRIDGE, false, "nat", "cni-br-iface-", { "PREROUTING" } },
	{ REFERENCE_PORTS, NFPROTO_IPV4, false, "nat", "CNI-DN-", { "CNI-HOSTPORT-DNAT" } },
	{ REFERENCE_PORTS, NFPROTO_IPV6, false, "nat", "CNI-DN-", { "CNI-HOSTPORT-DNAT" } },
	{ REFERENCE_PORTS, NFPROTO_IPV4, true, "cni_hostport", NULL, HOSTPORT_CHAINS },
	{ REFERENCE_PORTS, NFPROTO_IPV6, true, "cni_hostport", NULL, HOSTPORT_CHAINS },
};

enum { PLACES = ARRAY_LEN(places) };

/* ---- names ---- */

/* The chain of an attachment. */
static const char *child_of(struct mem *mem, const struct place *p, const struct reference *r)
{
	const char *ifname = r->ifname ? r->ifname : "";
	char *name;

	if (!p->prefix)
		return NULL;
	if (p->part == REFERENCE_SPOOF)
		return mem_printf(mem, "%s%s-%s", p->prefix, r->id, ifname);
	name = mem_alloc(mem, CHAIN_LEN + 1);
	name_hash(name, CHAIN_LEN, p->prefix, mem_printf(mem, "%s%s", r->network, r->id));
	return name;
}

/* The comment of an attachment's rules, or its beginning. */
static const char *comment_of(struct mem *mem, const struct place *p, const struct reference *r)
{
	char net[HASH_LEN + 1], interface[HASH_LEN + 1];

	if (p->part == REFERENCE_PORTS || !r->ifname)
		return r->id;
	name_hash(net, HASH_LEN, "", r->network);
	name_hash(interface, HASH_LEN, "", mem_printf(mem, "%s:%s", r->ifname, r->id));
	return mem_printf(mem, "%s-%s,", net, interface);
}

/* The text behind before, up to one of stops; NULL if it is not there. */
static const char *word_after(struct mem *mem, const char *text, const char *before,
			      const char *stops)
{
	const char *p = strstr(text, before);

	if (!p)
		return NULL;
	p += strlen(before);
	return mem_printf(mem, "%.*s", (int)strcspn(p, stops), p);
}

/* The owner of a rule, by its comment; false if it is not a rule of the reference. */
static bool read_owner(struct mem *mem, const struct place *p, const struct nft_rule_info *w,
		       struct reference *ret)
{
	*ret = (struct reference){ .network = NULL };
	if (!w || !w->comment)
		return false;
	if (p->prefix) { /* name: "NETWORK" id: "ID" */
		ret->network = word_after(mem, w->comment, "name: \"", "\"");
		ret->id = word_after(mem, w->comment, " id: \"", "\"");
	} else { /* HASH-HASH, net: NETWORK, if: IFNAME, id: ID */
		ret->network = word_after(mem, w->comment, " net: ", ",");
		ret->ifname = word_after(mem, w->comment, " if: ", ",");
		ret->id = word_after(mem, w->comment, " id: ", "");
	}
	if (!ret->network || !ret->id)
		return false;
	if (p->prefix)
		return str_eq(w->chain, child_of(mem, p, ret));
	return ret->ifname && str_starts(w->comment, comment_of(mem, p, ret));
}

/* ---- deleting ---- */

struct reading {
	struct mem *mem;
	const struct place *place;
	const struct reference *of;
	const char *child, *comment;
	uint64_t *handles; /* of the rules to delete */
	unsigned n, others;
};

static bool is_alike(const struct reading *d, const struct nft_rule_info *w)
{
	if (d->child)
		return str_eq(w->chain, d->child);
	if (d->place->part == REFERENCE_PORTS)
		return str_eq(w->comment, d->comment);
	return w->comment && str_starts(w->comment, d->comment);
}

static bool has_our_address(const struct reading *d, const struct nft_rule_info *w)
{
	for (unsigned i = 0; i < d->of->n_ips; i++)
		if (nft_rule_has_ip(w, d->of->ips[i]))
			return true;
	return d->of->dead || !d->of->n_ips || !d->place->addressed;
}

static int note_rule(const struct nft_rule_info *w, void *arg)
{
	struct reading *d = arg;

	if (!w) {
		d->n = d->others = 0;
		return 0;
	}
	if (!is_alike(d, w))
		return 0;
	if (!has_our_address(d, w)) {
		d->others++;
		return 0;
	}
	d->handles = mem_grow(d->mem, d->handles, d->n, sizeof(*d->handles));
	d->handles[d->n++] = w->handle;
	return 0;
}

/* The chain of an attachment.  keep: a rule that is not the reference's leads to it. */
static void put_child(struct nft *n, const struct reading *d, bool keep)
{
	const char *mac = mem_printf(d->mem, "%s-mac", d->child);

	nft_flush_chain(n, d->child);
	if (keep)
		return;
	nft_del_chain(n, d->child);
	if (d->place->part != REFERENCE_SPOOF)
		return;
	nft_chain(n, mac); /* it may be missing */
	nft_del_chain(n, mac);
}

static int put_chain(struct nfnl *nl, struct reading *d, const char *chain, bool keep,
		     struct nft *n)
{
	const struct place *p = d->place;

	TRY(nft_each_rule(nl, (struct nft_ref){ p->family, p->table, chain }, note_rule, d));
	/* Jumps of two interfaces, and nothing tells which is whose. */
	if (p->addressed && d->child && d->n > 1 && !d->of->n_ips && !d->of->dead)
		return 0;
	nft_switch_table(n, p->family, p->table);
	for (unsigned i = 0; i < d->n; i++)
		nft_del_rule(n, chain, d->handles[i]);
	if (d->child && !d->others)
		put_child(n, d, keep);
	return 0;
}

static int put_place(struct mem *mem, struct nfnl *nl, const struct place *p,
		     const struct reference *r, bool keep, struct nft *n)
{
	for (unsigned i = 0; p->chains[i]; i++) {
		struct reading d = { .mem = mem, .place = p, .of = r };

		d.child = child_of(mem, p, r);
		d.comment = comment_of(mem, p, r);
		TRY(put_chain(nl, &d, p->chains[i], keep, n));
	}
	return 0;
}

/* In which places is there anything?  Returns 1, 0 if there is nothing, or -errno. */
static int find_places(struct mem *mem, struct nfnl *nl, const struct reference *r, unsigned parts,
		       bool *ret)
{
	struct nft_ref refs[PLACES];
	bool found[PLACES] = { false };
	const char *child = NULL;
	unsigned n = 0, any = 0;

	for (unsigned i = 0; i < PLACES; i++) {
		const struct place *p = &places[i];

		if (!(p->part & parts))
			continue;
		if (!i || p->prefix != p[-1].prefix) /* a hash takes long */
			child = child_of(mem, p, r);
		refs[n++] = (struct nft_ref){ p->family, p->table, child ? child : p->chains[0] };
	}
	TRY(nft_find_chains(mem, nl, refs, n, found));
	for (unsigned i = n = 0; i < PLACES; i++) {
		ret[i] = places[i].part & parts && found[n++];
		any |= ret[i];
	}
	return any > 0;
}

/* One attempt.  Returns 0, -ERESTART = try again, -EBUSY = with keep, or -errno. */
static int del_once(struct mem *mem, struct nfnl *nl, const struct reference *r, unsigned parts,
		    bool keep)
{
	struct nft *n = nft_new(mem, NFPROTO_IPV4, places[0].table);
	bool there[PLACES];
	uint32_t genid;
	int any;

	TRY(nft_genid(nl, &genid));
	TRY(any = find_places(mem, nl, r, parts, there));
	for (unsigned i = 0; any && i < PLACES; i++)
		if (there[i])
			TRY(put_place(mem, nl, &places[i], r, keep, n));
	if (nft_is_empty(n))
		return 0;
	any = nft_try(nl, n, genid);
	return any == -ENOENT ? -ERESTART : any;
}

static int fail(struct tx *tx, const struct nfnl *nl, const char *verb, int r)
{
	/* Without nf_tables there is nothing. */
	if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP || r == -EINVAL)
		return 0;
	return tx_fail(tx, r, "host: %s the rules of the reference plugins: %s%s", verb,
		       strerror(-r), nfnl_why(&tx->mem, nl));
}

int reference_del(struct tx *tx, struct nfnl *nl, const struct reference *r, unsigned parts)
{
	bool there[PLACES], keep = false;
	auto_(fd_close) int turn = -1;
	int any = find_places(&tx->mem, nl, r, parts, there);

	if (any < 0)
		return fail(tx, nl, "look for", any);
	if (!any)
		return 0;
	TRY(turn_take(tx, TURN_NFT, &turn));
	any = -ERESTART;
	for (unsigned tries = 0; any == -ERESTART && tries < TRIES; tries++) {
		TRY(tx_interrupted(tx));
		any = del_once(&tx->mem, nl, r, parts, keep);
		if (any != -EBUSY || keep)
			continue;
		keep = true;
		any = -ERESTART;
	}
	if (any < 0)
		return fail(tx, nl, "delete", any == -ERESTART ? -EAGAIN : any);
	log_step("host: rules of the reference plugins deleted");
	return 0;
}

/* ---- GC ---- */

struct owners {
	struct mem *mem;
	const struct place *place;
	struct reference *v;
	unsigned n;
};

static int note_owner(const struct nft_rule_info *w, void *arg)
{
	struct owners *o = arg;
	struct reference r;

	if (!read_owner(o->mem, o->place, w, &r))
		return 0;
	for (unsigned i = 0; i < o->n; i++)
		if (str_eq(o->v[i].network, r.network) && str_eq(o->v[i].id, r.id) &&
		    (str_eq(o->v[i].ifname, r.ifname) || (!o->v[i].ifname && !r.ifname)))
			return 0;
	o->v = mem_grow(o->mem, o->v, o->n, sizeof(*o->v));
	o->v[o->n++] = r;
	return 0;
}

int reference_survey(struct tx *tx, struct nfnl *nl, struct reference **ret, unsigned *ret_n)
{
	struct owners o = { .mem = &tx->mem };

	*ret_n = 0;
	for (unsigned i = 0; i < PLACES; i++) {
		const struct nft_ref ref = { places[i].family, places[i].table,
					     places[i].chains[0] };
		int r;

		o.place = &places[i];
		r = nft_each_rule(nl, ref, note_owner, &o);
		if (r < 0)
			return fail(tx, nl, "list", r);
	}
	*ret = o.v;
	*ret_n = o.n;
	return 0;
}
