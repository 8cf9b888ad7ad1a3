// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * accept.c - accepted addresses and ingress policy: one description of the elements, and the verbs
 */
#include <netinet/in.h>

#include "base/log.h"
#include "firewall/accept_impl.h"
#include "firewall/firewalld.h"

/* ---- the elements ------------------------------------------------------- */

static struct owned_elem *append_elem(struct mem *mem, struct owned_change *c, enum accept_set set,
				      const char *what)
{
	c->elems = mem_grow(mem, c->elems, c->n, sizeof(*c->elems));
	c->elems[c->n] = (struct owned_elem){ .set = set, .conflict = OWNED_HELD, .what = what };
	return &c->elems[c->n++];
}

static void append_ip(struct mem *mem, struct owned_change *c, enum accept_set four, struct ip ip,
		      bool twice)
{
	enum accept_set set = ip.family == AF_INET6 ? four + 1 : four;
	const char *what = mem_printf(mem, "%s of %s", accept_table.sets[set].name, IP_S(ip));
	struct owned_elem *e = append_elem(mem, c, set, what);

	nft_key_ip(&e->e.key, ip);
	if (twice)
		nft_key_ip(&e->e.key, ip);
}

/* OWNED_REPLACE, because the key has the owner's: the index refuses another owner of that key. */
static void append_use(struct mem *mem, struct owned_change *c, const struct accept *a,
		       enum accept_use use, const char *chain)
{
	const char *what = mem_printf(mem, "use of chain %s", chain);
	struct owned_elem *e = append_elem(mem, c, USES, what);

	nft_key_ifname(&e->e.key, a->owner->key.s);
	nft_key_u32(&e->e.key, use);
	e->e.chain = chain;
	e->conflict = OWNED_REPLACE;
}

static struct nft_key elsewhere_key(const char *key, enum accept_elsewhere_bit b)
{
	struct nft_key k = { .len = 0 };

	nft_key_ifname(&k, key);
	nft_key_u32(&k, b);
	return k;
}

static void append_elsewhere(struct mem *mem, struct owned_change *c, const struct accept *a,
			     enum accept_elsewhere_bit bit)
{
	struct owned_elem *e;

	if (!(a->elsewhere & bit))
		return;
	e = append_elem(mem, c, ELSEWHERE, "record of the backend");
	e->e.key = elsewhere_key(a->owner->key.s, bit);
	e->conflict = OWNED_REPLACE; /* as append_use() */
	if (bit != ACCEPT_FIREWALLD)
		return;
	e->e.private = (const uint8_t *)a->zone;
	e->e.private_len = (unsigned)strnlen(a->zone, ACCEPT_ZONE_MAX);
}

static struct owned_change *compose_accept(struct mem *mem, const struct accept *a,
					   struct accept_skeleton *s)
{
	struct owned_change *c = mem_alloc(mem, sizeof(*c));

	*c = (struct owned_change){
		.in = { &accept_table, "" },
		.owner = a->owner,
		.kind = OWNED_FIREWALL,
		.link = a->link,
		.arg = s,
		.repair = a->repair,
	};
	append_use(mem, c, a, USES_ADMIN, accept_admin_chain(mem, a->admin));
	if (a->policy != ACCEPT_OPEN)
		append_use(mem, c, a, USES_POLICY, accept_policy_chain(mem, USES_POLICY, a->dev));
	if (a->policy == ACCEPT_ISOLATED)
		append_use(mem, c, a, USES_ISOLATION,
			   accept_policy_chain(mem, USES_ISOLATION, a->dev));
	for (unsigned i = 0; i < a->n_ips; i++) {
		append_ip(mem, c, ACCEPTED4, a->ips[i], false);
		if (a->policy != ACCEPT_ISOLATED)
			continue;
		append_ip(mem, c, ISOLATED4, a->ips[i], false);
		append_ip(mem, c, SELF4, a->ips[i], true);
	}
	append_elsewhere(mem, c, a, ACCEPT_IPTABLES);
	append_elsewhere(mem, c, a, ACCEPT_FIREWALLD);
	return c;
}

/* ---- ADD and CHECK ------------------------------------------------------- */

/* A policy without attachments is no policy: the undo of the elements comes first. */
static int undo_policy(struct tx *tx, void *arg)
{
	return accept_sweep_policies(tx, *(struct nfnl **)arg);
}

int accept_add(struct tx *tx, struct nfnl *nl, struct rt *host, struct accept *a)
{
	struct accept_skeleton *s = mem_alloc(&tx->mem, sizeof(*s));
	struct owned_change *c;

	*s = (struct accept_skeleton){ .mem = &tx->mem, .a = a };
	c = compose_accept(&tx->mem, a, s);
	if (a->policy != ACCEPT_OPEN)
		TRY(tx_undo(tx, undo_policy, "add the ingress policy", &nl));
	TRY(owned_add(tx, nl, host, c));
	a->inherits = c->inherits || a->repair;
	return accept_frames_add(tx, nl, host, a);
}

int accept_check(struct tx *tx, struct nfnl *nl, const struct accept *a)
{
	struct accept_skeleton s = { .mem = &tx->mem, .a = a };

	TRY(owned_check(tx, nl, compose_accept(&tx->mem, a, &s)));
	TRY(accept_check_policy(tx, nl, a));
	return accept_frames_check(tx, nl, a);
}

int accept_find_elsewhere(struct tx *tx, struct nfnl *nl, const struct owner *o, unsigned *ret)
{
	struct nft_elem e[] = { { .key = elsewhere_key(o->key.s, ACCEPT_IPTABLES) },
				{ .key = elsewhere_key(o->key.s, ACCEPT_FIREWALLD) } };
	struct nft_elem use = { .key.len = 0 };
	int r = nft_find_elems(&tx->mem, nl, accept_ref(accept_table.sets[ELSEWHERE].name), e, 2);

	nft_key_ifname(&use.key, o->key.s);
	nft_key_u32(&use.key, USES_ADMIN);
	if (r == 0)
		r = nft_find_elems(&tx->mem, nl, accept_ref(accept_table.sets[USES].name), &use, 1);
	if (r < 0 && r != -EINVAL)
		return tx_fail(tx, r, "host: look up where %s is accepted: %s", o->key.s,
			       strerror(-r));
	*ret = 0;
	if (e[0].found)
		*ret |= ACCEPT_IPTABLES;
	if (e[1].found)
		*ret |= ACCEPT_FIREWALLD;
	return *ret || use.found;
}

void accept_keep_record(struct tx *tx, struct nfnl *nl, const struct owner *o,
			struct ipt_record record)
{
	const char *set = accept_table.sets[ELSEWHERE].name;
	struct nft *n = nft_new(&tx->mem, accept_table.family, accept_table.name);
	const struct nft_elem e = {
		.key = elsewhere_key(o->key.s, ACCEPT_IPTABLES),
		.comment = o->comment,
		.private = record.bytes,
		.private_len = record.len,
	};
	int r;

	if (!record.bytes)
		return;
	/* The kernel changes no private bytes of an element that is there. */
	nft_del_elem(n, set, &e);
	nft_add_elem(n, set, &e, true);
	r = nft_try(nl, n, 0);
	if (r < 0)
		log_step("host: keep the handles of rules of iptables: %s", strerror(-r));
}

struct ipt_record accept_find_record(struct tx *tx, struct nfnl *nl, const struct owner *o)
{
	struct nft_elem e = { .key = elsewhere_key(o->key.s, ACCEPT_IPTABLES) };

	if (nft_find_elems(&tx->mem, nl, accept_ref(accept_table.sets[ELSEWHERE].name), &e, 1) <
		    0 ||
	    !e.found)
		return (struct ipt_record){ .bytes = NULL };
	return (struct ipt_record){ .bytes = e.private, .len = e.private_len };
}

/* ---- deleting ------------------------------------------------------------ */

/* Collected from the elements that are deleted (struct owned_cleanup). */
struct after_del {
	struct mem *mem;
	struct ip *ips;
	unsigned n_ips;
	unsigned iptables;        /* number of attachments with rules there */
	struct ipt_record record; /* of the only one */
	const char **zones;       /* of firewalld, each once; "" = the record has lost the name */
	unsigned n_zones;
	const char **chains; /* of ingress policies */
	unsigned n_chains;
	bool any;
};

static void note_ip(struct after_del *d, const struct owned_elem *e)
{
	struct ip ip = { .family = e->set == ACCEPTED6 ? AF_INET6 : AF_INET };

	memcpy(ip.b, e->there.key.b, ip_bytes(ip));
	d->ips = mem_grow(d->mem, d->ips, d->n_ips, sizeof(*d->ips));
	d->ips[d->n_ips++] = ip;
}

static void note_zone(struct after_del *d, const char *name, unsigned len)
{
	const char *zone = mem_printf(d->mem, "%.*s", (int)len, name);

	for (unsigned i = 0; i < d->n_zones; i++)
		if (str_eq(d->zones[i], zone))
			return;
	d->zones = mem_grow(d->mem, d->zones, d->n_zones, sizeof(*d->zones));
	d->zones[d->n_zones++] = zone;
}

static void note_record(struct after_del *d, const struct nft_elem *e)
{
	d->record = (struct ipt_record){ .bytes = NULL };
	if (!d->iptables++)
		d->record = (struct ipt_record){ .bytes = e->private, .len = e->private_len };
}

static void note_elsewhere(struct after_del *d, const struct owned_elem *e)
{
	const struct nft_elem *t = &e->there;
	uint32_t bit;

	memcpy(&bit, t->key.b + IFNAMSIZ, sizeof(bit));
	if (bit == ACCEPT_IPTABLES)
		note_record(d, t);
	else if (bit == ACCEPT_FIREWALLD)
		note_zone(d, t->private ? (const char *)t->private : "", t->private_len);
}

static void note_deleted(const struct owned_elem *e, void *arg)
{
	struct after_del *d = arg;

	d->any = true;
	if (e->set == ACCEPTED4 || e->set == ACCEPTED6)
		note_ip(d, e);
	else if (e->set == ELSEWHERE)
		note_elsewhere(d, e);
	if (e->set != USES || !accept_is_policy_chain(e->there.chain))
		return;
	d->chains = mem_grow(d->mem, d->chains, d->n_chains, sizeof(*d->chains));
	d->chains[d->n_chains++] = e->there.chain;
}

static bool is_elsewhere(const struct owned_elem *elems, unsigned n, void *arg UNUSED)
{
	for (unsigned i = 0; i < n; i++)
		if (elems[i].set == ELSEWHERE)
			return true;
	return false;
}

static int finish_del(struct tx *tx, struct nfnl *nl, const struct after_del *d)
{
	int r = 0;

	if (d->iptables)
		r = ipt_del(tx, nl, d->ips, d->n_ips, d->record);
	for (unsigned i = 0; i < d->n_zones; i++)
		r = also(r, firewalld_del(tx, d->zones[i], d->ips, d->n_ips));
	for (unsigned i = 0; i < d->n_chains; i++)
		r = also(r, accept_release_policy(tx, nl, d->chains[i]));
	return r;
}

/* What another suite has added for the addresses that no attachment of ours has. */
static int del_strange(struct tx *tx, struct nfnl *nl, const struct ip *prev, unsigned n)
{
	static const struct ipt_record none = { .bytes = NULL };
	struct ip *ips = mem_alloc(&tx->mem, (n + 1) * sizeof(*ips));
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++) {
		enum accept_set set = prev[i].family == AF_INET6 ? ACCEPTED6 : ACCEPTED4;
		struct nft_elem e = { .key.len = 0 };

		nft_key_ip(&e.key, prev[i]);
		if (nft_find_elems(&tx->mem, nl, accept_ref(accept_table.sets[set].name), &e, 1) ==
			    0 &&
		    !e.found)
			ips[k++] = prev[i];
	}
	if (!k)
		return 0;
	return ipt_del(tx, nl, ips, k, none);
}

/* owned_del() of an owner, or owned_gc() of what is not valid. */
typedef int remove_fn(struct tx *tx, struct nfnl *nl, const void *arg,
		      struct owned_cleanup *cleanup);

static int remove_owner(struct tx *tx, struct nfnl *nl, const void *arg,
			struct owned_cleanup *cleanup)
{
	const struct owner *o = arg;

	return owned_del(tx, nl, &accept_table, o, OWNED_FIREWALL, cleanup);
}

static int remove_invalid(struct tx *tx, struct nfnl *nl, const void *arg,
			  struct owned_cleanup *cleanup)
{
	const struct owned_valid *valid = arg;

	return owned_gc(tx, nl, &accept_table, OWNED_FIREWALL, valid, cleanup);
}

/* The index goes last, after what is elsewhere. */
static int remove_elements(struct tx *tx, struct nfnl *nl, remove_fn *remove, const void *arg,
			   struct after_del *d)
{
	struct owned_cleanup cleanup = { note_deleted, is_elsewhere, d, false };
	int r = remove(tx, nl, arg, &cleanup), gone;

	gone = finish_del(tx, nl, d);
	if (cleanup.unfinished && gone == 0)
		gone = remove(tx, nl, arg, NULL);
	return also(r, gone);
}

int accept_del(struct tx *tx, struct nfnl *nl, const struct owner *o, const struct ip *prev,
	       unsigned n_prev)
{
	struct after_del d = { .mem = &tx->mem };
	int r = remove_elements(tx, nl, remove_owner, o, &d);

	r = also(r, accept_frames_del(tx, nl, o));
	if (d.any)
		return r;
	/* A DEL that was killed may have left a policy without attachments. */
	r = also(r, accept_sweep_policies(tx, nl));
	return also(r, del_strange(tx, nl, prev, n_prev));
}

int accept_gc(struct tx *tx, struct nfnl *nl, const struct owned_valid *valid)
{
	struct after_del d = { .mem = &tx->mem };
	int r = remove_elements(tx, nl, remove_invalid, valid, &d);

	r = also(r, accept_frames_gc(tx, nl, valid));
	return also(r, accept_sweep_policies(tx, nl));
}

/* ---- the tables themselves ----------------------------------------------- */

/*
 * Of a chain that is not ours, only one with rules of an administrator counts: one reference is our
 * jump to it.
 */
static bool chain_is_ours(const char *chain, unsigned use)
{
	static const char *const names[] = { "forward", "ingress", "isolated", "admin" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(chain, names[i]))
			return true;
	return accept_is_policy_chain(chain) || str_starts(chain, "admin/") || use <= 1;
}

int accept_prune(struct tx *tx, struct nfnl *nl)
{
	return owned_prune(tx, nl, &accept_table, chain_is_ours);
}

int accept_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n)
{
	return owned_survey(tx, nl, &accept_table, ret, ret_n);
}

int accept_sweep(struct tx *tx, struct nfnl *nl, const struct owned_seen *s)
{
	int r = owned_sweep(tx, nl, &accept_table, s);

	return also(r, accept_sweep_policies(tx, nl));
}
