// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * foreign_fw.c - does another program's firewall drop forwarded traffic of a bridge?
 *
 * Every base chain of the forward hook is evaluated, with the chains that it leads to.  The result
 * is one of three: PASSES, a rule may accept the packet; STOPS, a rule drops it; FALLS, it reaches
 * the end of the chain, and a base chain's policy decides.  iptables-nft has ordinary tables (ip
 * filter); iptables-legacy is read separately.
 */
#include <stdio.h>

#include <libnftnl/common.h>

#include "firewall/foreign_fw_impl.h"

enum { DEPTH_MAX = 16, RULES_MAX = 100000 };

enum end { PASSES, STOPS, FALLS };

struct chain {
	uint8_t family;
	const char *table, *name;
	bool drops; /* the policy is drop */
};

/* The base chains of the forward hook, and which programs made chains. */
struct ruleset {
	struct mem *mem;
	struct chain *chains;
	unsigned n;
	bool docker, ufw;
	unsigned read; /* number of rules read so far */
	/* What drops, of each kind and first of all; for a new attachment of the firewall plugin */
	const char *first, *why[FOREIGN_FW_BY];
	bool surveys;
};

struct nlmsghdr *foreign_fw_ask(char *buf, int type, uint8_t family, const char *table,
				uint16_t name_attr, const char *name)
{
	struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf, (uint16_t)type, family, NLM_F_DUMP, 0);

	if (table)
		mnl_attr_put_strz(h, 1, table);
	if (name)
		mnl_attr_put_strz(h, name_attr, name);
	return h;
}

/* ---- reading chains ---- */

static uint8_t family_of(const struct nlmsghdr *h)
{
	return ((const struct nfgenmsg *)mnl_nlmsg_get_payload(h))->nfgen_family;
}

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_BRIDGE:
		return "bridge";
	default:
		return "inet";
	}
}

static bool is_ours(const char *table)
{
	return str_eq(table, "cplug") || str_eq(table, "cplug-firewall");
}

static int note_chain(const struct nlmsghdr *h, void *arg)
{
	struct ruleset *s = arg;
	const struct nlattr *hook, *policy;
	const char *table, *name;
	uint8_t family;

	if (!h) {
		s->n = 0;
		return 0;
	}
	family = family_of(h);
	table = nfnl_text(nfnl_attr(h, NFTA_CHAIN_TABLE));
	name = nfnl_text(nfnl_attr(h, NFTA_CHAIN_NAME));
	hook = nfnl_attr(h, NFTA_CHAIN_HOOK);
	policy = nfnl_attr(h, NFTA_CHAIN_POLICY);
	s->ufw |= str_starts(name, "ufw");
	if (!hook || is_ours(table) ||
	    nfnl_be32(nfnl_attr_in(hook, NFTA_HOOK_HOOKNUM)) != NF_INET_FORWARD ||
	    (family != NFPROTO_INET && family != NFPROTO_IPV4 && family != NFPROTO_IPV6 &&
	     family != NFPROTO_BRIDGE))
		return 0;
	s->chains = mem_grow(s->mem, s->chains, s->n, sizeof(*s->chains));
	s->chains[s->n++] = (struct chain){
		.family = family,
		.table = mem_str(s->mem, table),
		.name = mem_str(s->mem, name),
		.drops = policy && nfnl_be32(policy) == NF_DROP,
	};
	return 0;
}

/* Packets do not pass the chains of a dormant table. */
static int forget_dormant(const struct nlmsghdr *h, void *arg)
{
	struct ruleset *s = arg;
	const char *table;

	if (!h || !(nfnl_be32(nfnl_attr(h, NFTA_TABLE_FLAGS)) & NFT_TABLE_F_DORMANT))
		return 0;
	table = nfnl_text(nfnl_attr(h, NFTA_TABLE_NAME));
	for (unsigned i = 0; i < s->n; i++)
		while (i < s->n && s->chains[i].family == family_of(h) &&
		       str_eq(s->chains[i].table, table))
			s->chains[i] = s->chains[--s->n];
	return 0;
}

struct rules {
	struct mem *mem;
	const char *chain;
	const struct nlattr **rule;
	unsigned n;
};

static int keep_rule(const struct nlmsghdr *h, void *arg)
{
	struct rules *r = arg;
	const struct nlattr *a;

	if (!h) {
		r->n = 0;
		return 0;
	}
	a = nfnl_attr(h, NFTA_RULE_EXPRESSIONS);
	if (!a || !str_eq(nfnl_text(nfnl_attr(h, NFTA_RULE_CHAIN)), r->chain))
		return 0;
	r->rule = mem_grow(r->mem, r->rule, r->n, sizeof(*r->rule));
	r->rule[r->n++] = mem_dup(r->mem, a, a->nla_len);
	return 0;
}

/* ---- walking ---- */

static int walk_chain(const struct foreign_fw_packet *p, struct ruleset *s, const char *chain,
		      unsigned depth, enum end *ret);

/* Evaluates one rule.  Returns 1 if the chain ends with it and *ret is the result, 0, or -errno. */
static int walk_rule(const struct foreign_fw_packet *p, struct ruleset *s,
		     const struct nlattr *rule, unsigned depth, bool *escaped, enum end *ret)
{
	struct foreign_fw_verdict v;
	bool sure;

	TRY(foreign_fw_rule(p, rule, &v));
	if (v.match == FOREIGN_FW_NO || v.code == NFT_CONTINUE)
		return 0;
	sure = v.match == FOREIGN_FW_YES && !*escaped;
	if (v.code == NFT_RETURN) {
		*ret = FALLS;
		*escaped = true;
		return v.match == FOREIGN_FW_YES;
	}
	if (v.code == NFT_JUMP && !depth)
		s->docker |= str_eq(v.chain, "DOCKER-USER");
	if (v.code == NFT_JUMP || v.code == NFT_GOTO)
		TRY(walk_chain(p, s, v.chain, depth + 1, ret));
	else
		*ret = v.code == NF_DROP ? STOPS : PASSES;
	if (*ret == PASSES)
		return 1;
	if (v.code == NFT_GOTO && v.match == FOREIGN_FW_YES) {
		*ret = sure ? *ret : FALLS;
		return 1;
	}
	return sure && *ret == STOPS;
}

static int walk_chain(const struct foreign_fw_packet *p, struct ruleset *s, const char *chain,
		      unsigned depth, enum end *ret)
{
	_Alignas(struct nlmsghdr) char buf[FOREIGN_FW_ASK_ROOM];
	struct rules rules = { .mem = s->mem, .chain = chain };
	bool escaped = false;
	struct nlmsghdr *h;
	int r;

	if (s->surveys && str_eq(chain, "CNI-FORWARD")) {
		*ret = FALLS;
		return 0;
	}
	*ret = PASSES;
	if (depth > DEPTH_MAX || s->read > RULES_MAX)
		return 0; /* too deep or too long: in doubt the packet passes */
	h = foreign_fw_ask(buf, NFT_MSG_GETRULE, p->family, p->table, NFTA_RULE_CHAIN, chain);
	r = nfnl_ask(p->nl, h, keep_rule, &rules);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	s->read += rules.n;
	for (unsigned i = 0; i < rules.n; i++) {
		TRY(r = walk_rule(p, s, rules.rule[i], depth, &escaped, ret));
		if (r)
			return 0;
	}
	*ret = FALLS;
	return 0;
}

/* ---- the message ---- */

static const char *remedy_for(struct mem *mem, const struct ruleset *s, const struct chain *c,
			      const char *bridge)
{
	const char *tool = c->family == NFPROTO_IPV6 ? "ip6tables" : "iptables";
	const char *user = s->docker ? "DOCKER-USER" : "FORWARD";
	const char *family = family_name(c->family);
	bool xt = str_eq(c->table, "filter") && str_eq(c->name, "FORWARD");

	if (str_eq(c->table, "firewalld"))
		return mem_printf(mem,
				  "firewall-cmd --permanent --zone=trusted --add-interface=%s; "
				  "firewall-cmd --reload",
				  bridge);
	if (xt && s->ufw)
		return mem_printf(mem, "ufw route allow in on %s; ufw route allow out on %s",
				  bridge, bridge);
	if (xt)
		return mem_printf(mem, "%s -I %s -i %s -j ACCEPT; %s -I %s -o %s -j ACCEPT", tool,
				  user, bridge, tool, user, bridge);
	if (c->family == NFPROTO_BRIDGE)
		return mem_printf(mem, "nft insert rule bridge %s %s meta ibrname %s accept",
				  c->table, c->name, bridge);
	return mem_printf(mem,
			  "nft insert rule %s %s %s iifname %s accept; nft insert rule %s %s %s "
			  "oifname %s accept",
			  family, c->table, c->name, bridge, family, c->table, c->name, bridge);
}

static const char *describe_drop(struct mem *mem, const struct ruleset *s, const struct chain *c,
				 const char *bridge, bool by_policy)
{
	const char *traffic = "forwarded traffic", *why = "by one of its rules";

	if (c->family == NFPROTO_BRIDGE)
		traffic = "traffic between the ports";
	if (by_policy)
		why = "whose policy is drop";
	return mem_printf(mem,
			  "%s of bridge %s is dropped by chain %s of nftables table %s %s, %s (let "
			  "it pass there: %s)",
			  traffic, bridge, c->name, family_name(c->family), c->table, why,
			  remedy_for(mem, s, c, bridge));
}

static bool chain_applies(const struct chain *c, uint8_t nfproto)
{
	return c->family == nfproto || (c->family == NFPROTO_INET && nfproto != NFPROTO_BRIDGE);
}

static int read_chains(struct nfnl *nl, struct ruleset *s)
{
	_Alignas(struct nlmsghdr) char buf[FOREIGN_FW_ASK_ROOM];
	struct nlmsghdr *h;

	h = foreign_fw_ask(buf, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NULL, 0, NULL);
	TRY(nfnl_ask(nl, h, note_chain, s));
	h = foreign_fw_ask(buf, NFT_MSG_GETTABLE, NFPROTO_UNSPEC, NULL, 0, NULL);
	return nfnl_ask(nl, h, forget_dormant, s);
}

static enum foreign_fw_by chain_owner(const struct chain *c)
{
	bool xt = c->family == NFPROTO_IPV4 || c->family == NFPROTO_IPV6;

	if (xt && str_eq(c->table, "filter") && str_eq(c->name, "FORWARD"))
		return FOREIGN_FW_IPTABLES;
	return str_eq(c->table, "firewalld") ? FOREIGN_FW_FIREWALLD : FOREIGN_FW_OTHER;
}

static void note_drop(struct ruleset *s, enum foreign_fw_by by, const char *why)
{
	if (!s->first)
		s->first = why;
	if (!s->why[by])
		s->why[by] = why;
}

static int check_chain(struct foreign_fw_packet *p, struct ruleset *s, const struct chain *c,
		       uint8_t nfproto)
{
	enum end end;

	if (!chain_applies(c, nfproto))
		return 0;
	p->nfproto = nfproto;
	p->family = c->family;
	p->table = c->table;
	s->docker = false;
	TRY(walk_chain(p, s, c->name, 0, &end));
	if (end == STOPS || (end == FALLS && c->drops))
		note_drop(s, chain_owner(c),
			  describe_drop(s->mem, s, c, foreign_fw_bridge(p->bridge), end == FALLS));
	return 0;
}

static int check_legacy(struct ruleset *s, const struct link *bridge, bool six)
{
	const char *why = NULL;

	TRY(foreign_fw_legacy(s->mem, bridge, six, &why));
	if (why)
		note_drop(s, FOREIGN_FW_LEGACY, why);
	return 0;
}

/* Until the first chain that drops, or through all of them. */
static int check_all(struct foreign_fw_packet *p, struct ruleset *s, const bool wanted[3])
{
	static const uint8_t protos[] = { NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_BRIDGE };

	for (unsigned i = 0; i < s->n; i++)
		for (unsigned f = 0; f < ARRAY_LEN(protos); f++)
			if (wanted[f] && (s->surveys || !s->first))
				TRY(check_chain(p, s, &s->chains[i], protos[f]));
	for (unsigned six = 0; six < 2; six++)
		if (wanted[six] && (s->surveys || !s->first))
			TRY(check_legacy(s, p->bridge, six));
	return 0;
}

static int survey(struct tx *tx, struct nfnl *nl, const struct foreign_fw_flow *flow,
		  const bool wanted[3], struct ruleset *s)
{
	struct foreign_fw_packet p = {
		.mem = &tx->mem,
		.nl = nl,
		.bridge = flow->bridge,
		.from4 = flow->from4,
		.from6 = flow->from6,
	};
	int r;

	s->mem = &tx->mem;
	r = read_chains(nl, s);
	if (r == 0)
		r = check_all(&p, s, wanted);
	if (r < 0)
		return tx_fail(tx, r, "host: read the forward chains: %s", strerror(-r));
	return 0;
}

int foreign_fw_check(struct tx *tx, struct nfnl *nl, const struct link *bridge, bool four, bool six,
		     const char **ret)
{
	const struct foreign_fw_flow flow = { .bridge = bridge };
	struct ruleset s = { .surveys = false };

	TRY(survey(tx, nl, &flow, (bool[]){ four, six, true }, &s));
	*ret = s.first;
	return 0;
}

int foreign_fw_survey(struct tx *tx, struct nfnl *nl, const struct foreign_fw_flow *flow,
		      const char *ret[FOREIGN_FW_BY])
{
	const bool wanted[] = { flow->any || ip_set(flow->from4), ip_set(flow->from6), true };
	struct ruleset s = { .surveys = true };

	TRY(survey(tx, nl, flow, wanted, &s));
	memcpy(ret, s.why, sizeof(s.why));
	return 0;
}
