// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * accept_policy.c - ingress policies: between which links no traffic is forwarded
 *
 * A policy is matched by links, not by addresses, because a container chooses its source address.
 * A packet between two different links with a policy is dropped.  A packet that is routed back to
 * the link it came from (two networks of one bridge, a published port), or that br_netfilter shows
 * to this hook, passes, unless attachments on that link are isolated: then both addresses must be
 * those of attachments that are not.  An isolated container may reach its own published port.
 *
 * The elements of a link are shared by its attachments.  They are put by the skeleton, because the
 * first attachment of a link fails with ENOENT (the chain that counts is missing); and deleted with
 * that chain, when the last attachment is gone.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "base/differ.h"
#include "firewall/accept_impl.h"

static const enum nft_type one_link[] = { NFT_T_IFNAME, NFT_T_END };
static const enum nft_type two_links[] = { NFT_T_IFNAME, NFT_T_IFNAME, NFT_T_END };

static const char same_bridge[] = "same-bridge/", isolated[] = "isolated/";

enum { TRIES = 100 };

/* An element that a link has in one of the sets. */
struct link_elem {
	const char *set;
	bool pair; /* (link . link) */
	const char *chain;
};

static const struct link_elem link_elems[] = {
	{ "policies", false, same_bridge },
	{ "same-bridge", true, same_bridge },
	{ "isolated", true, isolated },
};

const char *accept_policy_chain(struct mem *mem, enum accept_use use, const char *dev)
{
	return mem_printf(mem, "%s%s", use == USES_ISOLATION ? isolated : same_bridge, dev);
}

bool accept_is_policy_chain(const char *chain)
{
	return chain && (str_starts(chain, same_bridge) || str_starts(chain, isolated));
}

static const char *dev_of(const char *chain)
{
	return strchr(chain, '/') + 1;
}

static struct nft_elem elem_of(const struct link_elem *l, const char *dev)
{
	struct nft_elem e = { .key.len = 0 };

	nft_key_ifname(&e.key, dev);
	if (l->pair)
		nft_key_ifname(&e.key, dev);
	return e;
}

/* ---- the skeleton ---- */

void accept_put_policy_sets(struct nft *n)
{
	for (unsigned i = 0; i < ARRAY_LEN(link_elems); i++)
		nft_set(n, link_elems[i].set, link_elems[i].pair ? two_links : one_link, NULL,
			false);
}

void accept_put_policy(struct nft *n, struct mem *mem, const struct accept *a)
{
	nft_chain(n, accept_policy_chain(mem, USES_POLICY, a->dev));
	if (a->policy == ACCEPT_ISOLATED)
		nft_chain(n, accept_policy_chain(mem, USES_ISOLATION, a->dev));
	for (unsigned i = 0; i < ARRAY_LEN(link_elems); i++) {
		struct nft_elem e = elem_of(&link_elems[i], a->dev);

		if (link_elems[i].chain == same_bridge || a->policy == ACCEPT_ISOLATED)
			nft_add_elem(n, link_elems[i].set, &e, false);
	}
}

static void match_links(struct nft *n, const char *set)
{
	nft_load(n, NFT_META_IIFNAME);
	nft_load(n, NFT_META_OIFNAME);
	nft_lookup(n, set, false);
}

static void put_ingress(struct nft *n)
{
	nft_fresh_chain(n, "ingress");
	nft_rule(n, "ingress");
	match_links(n, "isolated");
	nft_jump(n, "isolated");
	nft_rule_end(n, NULL);
	nft_rule(n, "ingress");
	match_links(n, "same-bridge");
	nft_return(n);
	nft_rule_end(n, NULL);
	nft_rule(n, "ingress");
	nft_drop(n);
	nft_rule_end(n, "between links with ingressPolicy");
}

static void put_isolated(struct nft *n, bool six)
{
	enum nft_field source = six ? NFT_IP6_SADDR : NFT_IP_SADDR;
	enum nft_field to = six ? NFT_IP6_DADDR : NFT_IP_DADDR;
	uint8_t family = six ? NFPROTO_IPV6 : NFPROTO_IPV4;

	nft_rule(n, "isolated");
	nft_match_nfproto(n, family);
	nft_load(n, source);
	nft_load(n, to);
	nft_lookup(n, six ? "self6" : "self4", false);
	nft_return(n);
	nft_rule_end(n, NULL);
	for (unsigned i = 0; i < 2; i++) {
		nft_rule(n, "isolated");
		nft_match_nfproto(n, family);
		nft_load(n, i ? to : source);
		nft_lookup(n, six ? "isolated6" : "isolated4", false);
		nft_drop(n);
		nft_rule_end(n, NULL);
	}
	nft_rule(n, "isolated");
	nft_match_nfproto(n, family);
	nft_load(n, source);
	nft_lookup(n, six ? "accepted6" : "accepted4", false);
	nft_load(n, to);
	nft_lookup(n, six ? "accepted6" : "accepted4", false);
	nft_return(n);
	nft_rule_end(n, NULL);
}

void accept_put_policy_rules(struct nft *n)
{
	nft_fresh_chain(n, "isolated");
	put_isolated(n, false);
	put_isolated(n, true);
	nft_rule(n, "isolated");
	nft_drop(n);
	nft_rule_end(n, NULL);
	put_ingress(n);
}

/* ---- CHECK ---- */

static int find_elem(struct tx *tx, struct nfnl *nl, const struct link_elem *l, const char *dev,
		     bool *ret)
{
	struct nft_elem e = elem_of(l, dev);
	int r = nft_find_elems(&tx->mem, nl, accept_ref(l->set), &e, 1);

	if (r < 0 && r != -EINVAL) /* EINVAL: a set of another type, which nft_compare() notes */
		return tx_fail(tx, r, "host: look up the policy of %s: %s", dev, strerror(-r));
	*ret = r == 0 && e.found;
	return 0;
}

int accept_check_policy(struct tx *tx, struct nfnl *nl, const struct accept *a)
{
	for (unsigned i = 0; i < ARRAY_LEN(link_elems); i++) {
		const struct link_elem *l = &link_elems[i];
		bool there;

		if (a->policy == ACCEPT_OPEN ||
		    (l->chain == isolated && a->policy != ACCEPT_ISOLATED))
			continue;
		TRY(find_elem(tx, nl, l, a->dev, &there));
		if (!there)
			differ(tx,
			       mem_printf(&tx->mem, "%s in set %s of nftables table %s", a->dev,
					  l->set, accept_table.name),
			       "present", NULL);
	}
	return 0;
}

/* ---- releasing ---- */

/* One attempt.  Returns 0, -ERESTART = try again, or a recorded failure. */
static int release_once(struct tx *tx, struct nfnl *nl, const char *chain)
{
	struct nft *n = nft_new(&tx->mem, accept_table.family, accept_table.name);
	const char *prefix = str_starts(chain, isolated) ? isolated : same_bridge;
	unsigned use = 1;
	uint32_t genid;
	int r = nft_genid(nl, &genid);

	if (r == 0)
		r = nft_chain_use(nl, accept_ref(chain), &use);
	if (r == -ENOENT || (r == 0 && use))
		return 0;
	for (unsigned i = 0; r == 0 && i < ARRAY_LEN(link_elems); i++) {
		struct nft_elem e = elem_of(&link_elems[i], dev_of(chain));
		bool there = false;

		if (link_elems[i].chain != prefix)
			continue;
		TRY(find_elem(tx, nl, &link_elems[i], dev_of(chain), &there));
		if (there)
			nft_del_elem(n, link_elems[i].set, &e);
	}
	nft_del_chain(n, chain);
	if (r == 0)
		r = nft_try(nl, n, genid);
	if (r == -ERESTART || r == -ENOENT || r == -EBUSY)
		return -ERESTART;
	if (r < 0)
		return tx_fail(tx, r, "host: delete chain %s of nftables table %s: %s", chain,
			       accept_table.name, strerror(-r));
	return 0;
}

int accept_release_policy(struct tx *tx, struct nfnl *nl, const char *chain)
{
	int r = -ERESTART;

	for (unsigned tries = 0; r == -ERESTART && tries < TRIES; tries++) {
		TRY(tx_interrupted(tx));
		r = release_once(tx, nl, chain);
	}
	if (r == -ERESTART)
		return tx_fail_as(tx, CNI_E_AGAIN, -EAGAIN,
				  "host: delete chain %s of nftables table %s: the ruleset changed "
				  "%d times meanwhile",
				  chain, accept_table.name, TRIES);
	return r;
}

struct chains {
	struct mem *mem;
	const char **v;
	unsigned n;
};

static int note_chain(const char *chain, unsigned use, void *arg)
{
	struct chains *c = arg;

	if (!chain) {
		c->n = 0;
		return 0;
	}
	if (use || !accept_is_policy_chain(chain))
		return 0;
	c->v = mem_grow(c->mem, c->v, c->n, sizeof(*c->v));
	c->v[c->n++] = mem_str(c->mem, chain);
	return 0;
}

int accept_sweep_policies(struct tx *tx, struct nfnl *nl)
{
	struct chains c = { .mem = &tx->mem };
	int r = nft_each_chain(nl, accept_ref(NULL), note_chain, &c);

	if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0; /* without nf_tables there is nothing */
	if (r < 0)
		return tx_fail(tx, r, "host: list the chains of nftables table %s: %s",
			       accept_table.name, strerror(-r));
	for (unsigned i = 0; i < c.n; i++)
		r = also(r, accept_release_policy(tx, nl, c.v[i]));
	return r;
}
