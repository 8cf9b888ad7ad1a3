// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ipt.c - accepted addresses in the table filter of iptables-nft
 *
 * ADD reads whether FORWARD leads to CNI-FORWARD, and the head of CNI-FORWARD, where the jumps to
 * the administrators' chains are, but not the rules of other attachments.  A transaction that adds
 * a jump or a chain is bound to the generation id, so that two ADDs do not both add it.
 *
 * The kernel tells the handles of new rules, and DEL and CHECK ask for these handles.  Only if one
 * of them is another rule by now (the ruleset was saved and loaded, or the rule deleted), they read
 * all rules of the chain.
 */
#include "firewall/ipt.h"

#include <linux/netfilter.h>

#include "base/differ.h"
#include "base/log.h"
#include "nft/nft_xt.h"

enum {
	RULES = 3, /* of an address */
	HEAD = 64, /* rules of CNI-FORWARD among which the jumps to administrators' chains are */
	ADMINS_MAX = 32, /* such jumps, with names that configurations have chosen */
	TRIES = 200,
	FAMILIES = 2,
};

static const char table[] = "filter", forward[] = "FORWARD", ours[] = "CNI-FORWARD";
static const char overrides[] = "CNI firewall plugin admin overrides";

static const struct {
	int family;
	uint8_t nfproto;
} families[FAMILIES] = { { AF_INET, NFPROTO_IPV4 }, { AF_INET6, NFPROTO_IPV6 } };

static struct nft_ref chain_ref(unsigned f, const char *chain)
{
	return (struct nft_ref){ families[f].nfproto, table, chain };
}

/* ---- the rules ---- */

static struct nft_xt_rule jump_rule(void)
{
	return (struct nft_xt_rule){
		.chain = forward,
		.first = true,
		.comment = "CNI firewall plugin rules",
		.jump = ours,
	};
}

static struct nft_xt_rule admin_rule(const char *admin)
{
	return (struct nft_xt_rule){
		.chain = ours,
		.first = true,
		.comment = overrides,
		.jump = admin,
	};
}

/* The rules of the addresses of a family; returns their number. */
static unsigned address_rules(struct mem *mem, const struct ip *ips, unsigned n, unsigned f,
			      struct nft_xt_rule **ret)
{
	static const struct {
		bool source;
		enum nft_xt_state state;
	} forms[RULES] = { { false, NFT_XT_RELATED_ESTABLISHED },
			   { true, NFT_XT_ANY },
			   { false, NFT_XT_DNAT } };
	struct nft_xt_rule *v = mem_alloc(mem, (n * RULES + 1) * sizeof(*v));
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		for (unsigned r = 0; ips[i].family == families[f].family && r < RULES; r++)
			v[k++] = (struct nft_xt_rule){
				.chain = ours,
				.ip = ips[i],
				.source = forms[r].source,
				.state = forms[r].state,
				.answer = true,
			};
	*ret = v;
	return k;
}

static const char *rule_text(struct mem *mem, const struct nft_xt_rule *r)
{
	static const char *const states[] = { "", " -m conntrack --ctstate RELATED,ESTABLISHED",
					      " -m conntrack --ctstate DNAT" };

	if (!ip_set(r->ip))
		return mem_printf(mem, "jump to %s in chain %s of iptables", r->jump, r->chain);
	return mem_printf(mem, "rule %s %s%s -j ACCEPT in chain %s of iptables",
			  r->source ? "-s" : "-d", IP_S(r->ip), states[r->state], r->chain);
}

/* ---- what the kernel has ---- */

/* A family's state: which of the wanted rules are there. */
struct found {
	struct nft_xt_rule *rules;
	unsigned n;
	uint64_t *handles; /* of each rule; 0 = not there */
	/* FORWARD leads to CNI-FORWARD, this one to the administrator's chain */
	uint64_t jumps, admins;
};

static void note_there(unsigned want, uint64_t handle, void *arg)
{
	uint64_t *handles = arg;

	handles[want] = handle;
}

/* ---- the record ---- */

/* Bytes: the numbers of handles of both families, then the handles, in the order of the rules. */
enum { RECORD_HEAD = 2, HANDLE = sizeof(uint32_t) };

static void write_record(struct mem *mem, const struct found found[FAMILIES],
			 struct ipt_record *ret)
{
	unsigned n = found[0].n + found[1].n, at = RECORD_HEAD;
	uint8_t *bytes = mem_alloc(mem, RECORD_HEAD + n * HANDLE);

	*ret = (struct ipt_record){ .bytes = NULL };
	if (RECORD_HEAD + n * HANDLE > NFT_PRIVATE_MAX)
		return;
	for (unsigned f = 0; f < FAMILIES; f++) {
		bytes[f] = (uint8_t)found[f].n;
		for (unsigned k = 0; k < found[f].n; k++, at += HANDLE) {
			uint32_t handle = (uint32_t)found[f].handles[k];

			if (!handle || handle != found[f].handles[k])
				return;
			memcpy(bytes + at, &handle, sizeof(handle));
		}
	}
	*ret = (struct ipt_record){ .bytes = bytes, .len = at };
}

/* The handles of n rules of a family; false if the record has another number. */
static bool read_record(struct ipt_record r, unsigned f, unsigned n, uint64_t *handles)
{
	unsigned at = RECORD_HEAD, all;

	if (!r.bytes || r.len < RECORD_HEAD)
		return false;
	all = (unsigned)r.bytes[0] + r.bytes[1];
	if (r.bytes[f] != n || r.len != RECORD_HEAD + all * HANDLE)
		return false;
	if (f)
		at += r.bytes[0] * HANDLE;
	for (unsigned k = 0; k < n; k++, at += HANDLE) {
		uint32_t handle;

		memcpy(&handle, r.bytes + at, sizeof(handle));
		handles[k] = handle;
	}
	return true;
}

/* Are all rules still those that the record names?  1 and their handles, 0, or -errno. */
static int find_recorded(struct mem *mem, struct nfnl *nl, struct ipt_record r, unsigned f,
			 const struct found *want)
{
	if (!read_record(r, f, want->n, want->handles))
		return 0;
	for (unsigned k = 0; k < want->n; k++) {
		int same = nft_xt_is_rule(mem, nl, chain_ref(f, ours), want->handles[k],
					  &want->rules[k]);

		if (same == 1)
			continue;
		memset(want->handles, 0, want->n * sizeof(*want->handles));
		return same;
	}
	return 1;
}

/* ---- finding ---- */

/* The rules of the addresses of a family; none is known to be there. */
static struct found want_rules(struct mem *mem, const struct ip *ips, unsigned n, unsigned f)
{
	struct found w = { .n = 0 };

	w.n = address_rules(mem, ips, n, f, &w.rules);
	w.handles = mem_alloc(mem, (w.n + 1) * sizeof(*w.handles));
	return w;
}

static int find_shared(struct mem *mem, struct nfnl *nl, const struct ipt *i, unsigned f,
		       struct found *ret)
{
	struct nft_xt_rule jump = jump_rule(), admin = admin_rule(i->admin);

	TRY(nft_xt_find_rules(mem, nl, chain_ref(f, forward), &jump, 1, 0, note_there,
			      &ret->jumps));
	return nft_xt_find_rules(mem, nl, chain_ref(f, ours), &admin, 1, HEAD, note_there,
				 &ret->admins);
}

/* Which rules of the addresses are there?  recorded: the record may name them. */
static int find_rules(struct mem *mem, struct nfnl *nl, unsigned f, struct ipt_record recorded,
		      struct found *ret)
{
	int there;

	TRY(there = find_recorded(mem, nl, recorded, f, ret));
	if (there)
		return 0;
	return nft_xt_find_rules(mem, nl, chain_ref(f, ours), ret->rules, ret->n, 0, note_there,
				 ret->handles);
}

static int fail_find(struct tx *tx, const struct nfnl *nl, int r)
{
	return tx_fail(tx, r, "host: read the rules of iptables: %s%s", strerror(-r),
		       nfnl_why(&tx->mem, nl));
}

/* ---- ADD ---- */

/* Returns true if it adds something that another ADD might add, too. */
static bool put_shared(struct nft *n, const struct ipt *i, const struct found *found)
{
	struct nft_xt_rule jump = jump_rule(), admin = admin_rule(i->admin);

	if (found->jumps && found->admins)
		return false;
	nft_table(n, NULL);
	nft_base_chain_of_others(n, forward, "filter", NF_INET_FORWARD, 0);
	nft_chain(n, ours);
	nft_chain(n, i->admin);
	if (!found->jumps)
		nft_xt_put_rule(n, &jump);
	if (!found->admins)
		nft_xt_put_rule(n, &admin);
	return true;
}

/* The kernel tells the handles of the rules that were put, family by family, in their order. */
static void note_new(uint8_t family, uint64_t handle, void *arg)
{
	struct found *found = arg;
	unsigned f = family == NFPROTO_IPV6;

	for (unsigned k = 0; k < found[f].n; k++) {
		if (found[f].handles[k])
			continue;
		found[f].handles[k] = handle;
		return;
	}
}

static int count_admin(const struct nft_rule_info *w, void *arg)
{
	unsigned *n = arg;

	if (!w)
		*n = 0;
	else if (w->comment && str_eq(w->comment, overrides))
		++*n;
	return 0;
}

/*
 * Nothing removes a jump to an administrator's chain, as with the reference, and each forwarded
 * packet passes it.  So configurations can have no number of new names; the default one always.
 */
static int need_admin_room(struct nfnl *nl, const struct ipt *i, unsigned f)
{
	unsigned n = 0;

	if (str_eq(i->admin, IPT_ADMIN))
		return 0;
	TRY(nft_each_rule(nl, chain_ref(f, ours), count_admin, &n));
	return n < ADMINS_MAX ? 0 : -EDQUOT;
}

/* Puts what is missing of a family.  Returns whether the change must be bound to the generation. */
static int put_family(struct mem *mem, struct nfnl *nl, const struct ipt *i, unsigned f,
		      struct found *found, struct nft *n)
{
	static const struct ipt_record none = { .bytes = NULL };
	bool bound;

	*found = want_rules(mem, i->ips, i->n_ips, f);
	if (!found->n)
		return false;
	TRY(find_shared(mem, nl, i, f, found));
	if (!found->admins)
		TRY(need_admin_room(nl, i, f));
	if (i->careful)
		TRY(find_rules(mem, nl, f, none, found));
	nft_switch_table(n, families[f].nfproto, table);
	bound = put_shared(n, i, found);
	for (unsigned k = 0; k < found->n; k++)
		if (!found->handles[k])
			nft_xt_put_rule(n, &found->rules[k]);
	return bound;
}

/* One attempt.  Returns 0, -ERESTART = try again, or -errno. */
static int add_once(struct mem *mem, struct nfnl *nl, struct ipt *i)
{
	struct nft *n = nft_new(mem, NFPROTO_IPV4, table);
	struct found found[FAMILIES] = { { .n = 0 } };
	bool bound = i->careful;
	uint32_t genid;
	int r;

	TRY(nft_genid(nl, &genid));
	for (unsigned f = 0; f < FAMILIES; f++) {
		TRY(r = put_family(mem, nl, i, f, &found[f], n));
		bound |= r;
	}
	r = nft_try_handles(nl, n, bound ? genid : 0, note_new, found);
	if (r == 0)
		write_record(mem, found, &i->record);
	return r == -ENOENT && !bound ? -ERESTART : r;
}

struct undo_ipt {
	struct nfnl *nl;
	const struct ip *ips;
	unsigned n;
	struct ipt_record record;
};

static int undo_ipt(struct tx *tx, void *arg)
{
	struct undo_ipt *u = arg;

	return ipt_del(tx, u->nl, u->ips, u->n, u->record);
}

int ipt_add(struct tx *tx, struct nfnl *nl, struct ipt *i)
{
	struct undo_ipt u = { .nl = nl, .ips = i->ips, .n = i->n_ips };
	const char *remedy = "";
	int r = -ERESTART;

	for (unsigned tries = 0; r == -ERESTART && tries < TRIES; tries++) {
		TRY(tx_interrupted(tx));
		r = add_once(&tx->mem, nl, i);
	}
	if (r == -ERESTART)
		return tx_fail_as(tx, CNI_E_AGAIN, -EAGAIN,
				  "host: add rules to chain %s of iptables: the ruleset changed %d "
				  "times meanwhile",
				  ours, TRIES);
	if (r == -EDQUOT)
		return tx_fail_as(tx, CNI_E_CONFIG, r,
				  "iptablesAdminChainName: %s of iptables leads to %d chains "
				  "already, and not to %s (delete a jump that no network needs: "
				  "iptables -S %s)",
				  ours, ADMINS_MAX, i->admin, ours);
	if (r == -ENOENT || r == -EOPNOTSUPP)
		remedy = ": load the kernel modules nft_compat, xt_conntrack and xt_comment";
	if (r < 0)
		return tx_fail(tx, r, "host: add rules to chain %s of iptables: %s%s%s", ours,
			       strerror(-r), nfnl_why(&tx->mem, nl), remedy);
	log_step("host: %u addresses accepted by chain %s of iptables", i->n_ips, ours);
	u.record = i->record;
	return tx_undo(tx, undo_ipt, "add rules of iptables", &u);
}

/* ---- CHECK ---- */

static int check_family(struct tx *tx, struct nfnl *nl, const struct ipt *i, unsigned f)
{
	struct nft_xt_rule jump = jump_rule(), admin = admin_rule(i->admin);
	struct found found = want_rules(&tx->mem, i->ips, i->n_ips, f);
	int r;

	if (!found.n)
		return 0;
	r = find_shared(&tx->mem, nl, i, f, &found);
	if (r == 0)
		r = find_rules(&tx->mem, nl, f, i->record, &found);
	if (r < 0)
		return fail_find(tx, nl, r);
	if (!found.jumps)
		differ(tx, rule_text(&tx->mem, &jump), "present", NULL);
	if (!found.admins)
		differ(tx, rule_text(&tx->mem, &admin), "present", NULL);
	for (unsigned k = 0; k < found.n; k++)
		if (!found.handles[k])
			differ(tx, rule_text(&tx->mem, &found.rules[k]), "present", NULL);
	return 0;
}

int ipt_check(struct tx *tx, struct nfnl *nl, const struct ipt *i)
{
	for (unsigned f = 0; f < FAMILIES; f++)
		TRY(check_family(tx, nl, i, f));
	return 0;
}

/* ---- DEL ---- */

static void put_deletion(unsigned want UNUSED, uint64_t handle, void *arg)
{
	nft_del_rule(arg, ours, handle);
}

/* The rules of a family: by their handles, or whatever is like them. */
static int put_deletions(struct mem *mem, struct nfnl *nl, unsigned f, struct ipt_record record,
			 const struct found *w, struct nft *n)
{
	int there;

	TRY(there = find_recorded(mem, nl, record, f, w));
	if (!there)
		return nft_xt_find_rules(mem, nl, chain_ref(f, ours), w->rules, w->n, 0,
					 put_deletion, n);
	for (unsigned k = 0; k < w->n; k++)
		put_deletion(k, w->handles[k], n);
	return 0;
}

static int del_once(struct mem *mem, struct nfnl *nl, const struct ip *ips, unsigned n_ips,
		    struct ipt_record record)
{
	struct nft *n = nft_new(mem, NFPROTO_IPV4, table);
	uint32_t genid;
	int r;

	TRY(nft_genid(nl, &genid));
	for (unsigned f = 0; f < FAMILIES; f++) {
		struct found w = want_rules(mem, ips, n_ips, f);

		nft_switch_table(n, families[f].nfproto, table);
		if (w.n)
			TRY(put_deletions(mem, nl, f, record, &w, n));
	}
	if (nft_is_empty(n))
		return 0;
	r = nft_try(nl, n, genid);
	return r == -ENOENT ? -ERESTART : r;
}

int ipt_del(struct tx *tx, struct nfnl *nl, const struct ip *ips, unsigned n,
	    struct ipt_record record)
{
	int r = -ERESTART;

	for (unsigned tries = 0; r == -ERESTART && tries < TRIES; tries++) {
		TRY(tx_interrupted(tx));
		r = del_once(&tx->mem, nl, ips, n, record);
	}
	if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0; /* without nf_tables there is nothing */
	if (r == -ERESTART)
		r = -EAGAIN;
	if (r < 0)
		return tx_fail(tx, r, "host: delete rules of chain %s of iptables: %s%s", ours,
			       strerror(-r), nfnl_why(&tx->mem, nl));
	return 0;
}
