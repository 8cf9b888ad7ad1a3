// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * foreign_fw_legacy.c - the forward chain of iptables-legacy
 *
 * The kernel returns a table as a block of entries that refer to each other by offset.  A chain
 * begins at the target of a jump and ends with an entry that returns; a built-in chain ends with
 * its policy, which is an entry, too (the underflow).  A table that is not in use is not read,
 * because reading it would create it.
 *
 * linux/netfilter_ipv4/ip_tables.h, linux/netfilter/x_tables.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "firewall/foreign_fw_impl.h"

#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "sys/file.h"

enum { DEPTH_MAX = 16, STEPS_MAX = 100000, TRIES = 5 };

enum end { PASSES, STOPS, FALLS };

struct legacy {
	const struct link *bridge;
	bool six;
	const char *entries; /* the block */
	unsigned size;
	unsigned underflow; /* offset of the policy */
	unsigned stopped;   /* offset of the entry that drops the packet */
	unsigned steps;
};

/* An entry of either family, decoded. */
struct entry {
	const char *in, *in_mask, *out, *out_mask; /* interface names */
	bool in_not, out_not, jumps_for_good, narrow, icmp;
	unsigned matches, target, next; /* offsets in the block */
};

static bool is_zero(const void *p, size_t n)
{
	const char *c = p;

	while (n && !*c) {
		c++;
		n--;
	}
	return !n;
}

static void read_four(const struct ipt_entry *e, struct entry *ret)
{
	ret->in = e->ip.iniface;
	ret->in_mask = (const char *)e->ip.iniface_mask;
	ret->out = e->ip.outiface;
	ret->out_mask = (const char *)e->ip.outiface_mask;
	ret->in_not = e->ip.invflags & IPT_INV_VIA_IN;
	ret->out_not = e->ip.invflags & IPT_INV_VIA_OUT;
	ret->jumps_for_good = e->ip.flags & IPT_F_GOTO;
	ret->icmp = e->ip.proto == IPPROTO_ICMP && !(e->ip.invflags & IPT_INV_PROTO);
	ret->narrow =
		e->ip.proto || e->ip.smsk.s_addr || e->ip.dmsk.s_addr || e->ip.flags & IPT_F_FRAG;
}

static void read_six(const struct ip6t_entry *e, struct entry *ret)
{
	ret->in = e->ipv6.iniface;
	ret->in_mask = (const char *)e->ipv6.iniface_mask;
	ret->out = e->ipv6.outiface;
	ret->out_mask = (const char *)e->ipv6.outiface_mask;
	ret->in_not = e->ipv6.invflags & IP6T_INV_VIA_IN;
	ret->out_not = e->ipv6.invflags & IP6T_INV_VIA_OUT;
	ret->jumps_for_good = e->ipv6.flags & IP6T_F_GOTO;
	ret->icmp = e->ipv6.proto == IPPROTO_ICMPV6 && !(e->ipv6.invflags & IP6T_INV_PROTO);
	ret->narrow = e->ipv6.proto || !is_zero(&e->ipv6.smsk, sizeof(e->ipv6.smsk)) ||
		      !is_zero(&e->ipv6.dmsk, sizeof(e->ipv6.dmsk));
}

/* Decodes the entry at an offset; false if there is none, or it is invalid. */
static bool entry_at(const struct legacy *l, unsigned at, struct entry *ret)
{
	const void *p = l->entries + at;
	unsigned head = l->six ? sizeof(struct ip6t_entry) : sizeof(struct ipt_entry);
	unsigned target, next;

	if (at > l->size || l->size - at < head || at % __alignof__(struct ip6t_entry))
		return false;
	*ret = (struct entry){ .matches = at + head };
	if (l->six) {
		const struct ip6t_entry *e = p;

		read_six(e, ret);
		target = e->target_offset;
		next = e->next_offset;
	} else {
		const struct ipt_entry *e = p;

		read_four(e, ret);
		target = e->target_offset;
		next = e->next_offset;
	}
	ret->target = at + target;
	ret->next = at + next;
	return target >= head && next >= target + sizeof(struct xt_entry_target) &&
	       next <= l->size - at;
}

/* ---- does it match? ---- */

static bool is_named(const char *wanted, const char *mask, const char *name)
{
	char padded[IFNAMSIZ] = "";

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	for (unsigned i = 0; i < IFNAMSIZ; i++)
		if ((padded[i] ^ wanted[i]) & mask[i])
			return false;
	return true;
}

/*
 * NO if a new connection does not have the state; without other conditions (alone) YES, else MAYBE.
 */
static enum foreign_fw_answer state_answer(unsigned mask, bool inverted, bool alone)
{
	if (!(mask & XT_CONNTRACK_STATE_BIT(IP_CT_NEW)) != inverted)
		return FOREIGN_FW_NO;
	return alone ? FOREIGN_FW_YES : FOREIGN_FW_MAYBE;
}

static enum foreign_fw_answer match_answer(const struct xt_entry_match *m, unsigned size)
{
	unsigned room = size - (unsigned)sizeof(*m);
	const void *data = m->data;

	if (strncmp(m->u.user.name, "comment", sizeof(m->u.user.name)) == 0)
		return FOREIGN_FW_YES;
	if (strncmp(m->u.user.name, "state", sizeof(m->u.user.name)) == 0 &&
	    room >= sizeof(struct xt_state_info))
		return state_answer(((const struct xt_state_info *)data)->statemask, false, true);
	if (strncmp(m->u.user.name, "conntrack", sizeof(m->u.user.name)) == 0 &&
	    m->u.user.revision >= 2 && room >= sizeof(struct xt_conntrack_mtinfo2)) {
		const struct xt_conntrack_mtinfo2 *c = data;

		if (c->match_flags & XT_CONNTRACK_STATE)
			return state_answer(c->state_mask, c->invert_flags & XT_CONNTRACK_STATE,
					    c->match_flags == XT_CONNTRACK_STATE);
	}
	return FOREIGN_FW_MAYBE;
}

static enum foreign_fw_answer entry_matches(const struct legacy *l, const struct entry *e)
{
	enum foreign_fw_answer answer = e->narrow ? FOREIGN_FW_MAYBE : FOREIGN_FW_YES;
	bool any_out = is_zero(e->out_mask, IFNAMSIZ);

	/*
	 * As in foreign_fw_rule.c: a rule for ICMP only does not match, because the other traffic
	 * counts.
	 */
	if (!*l->bridge->name && (!is_zero(e->in_mask, IFNAMSIZ) || !any_out))
		return e->icmp ? FOREIGN_FW_NO : FOREIGN_FW_MAYBE;
	if (e->icmp || is_named(e->in, e->in_mask, l->bridge->name) == e->in_not)
		return FOREIGN_FW_NO;
	if (!any_out && !e->out_not && e->out_mask[strlen(l->bridge->name)] &&
	    is_named(e->out, e->out_mask, l->bridge->name))
		return FOREIGN_FW_NO; /* back to the bridge itself */
	if (!any_out)
		answer = FOREIGN_FW_MAYBE;
	for (unsigned at = e->matches; at + sizeof(struct xt_entry_match) <= e->target;) {
		const struct xt_entry_match *m = (const void *)(l->entries + at);
		unsigned size = m->u.user.match_size;
		enum foreign_fw_answer one;

		if (size < sizeof(*m) || size > e->target - at)
			return FOREIGN_FW_MAYBE;
		one = match_answer(m, size);
		answer = one < answer ? one : answer;
		at += size;
	}
	return answer;
}

/* ---- walking ---- */

static enum end walk_entries(struct legacy *l, unsigned at, unsigned depth);

/* The effect of a target that is neither a verdict nor a jump. */
static enum end foreign_target(const char *name)
{
	static const char *const go_on[] = { "LOG",   "NFLOG",    "ULOG",  "MARK",     "CONNMARK",
					     "SET",   "TCPMSS",   "TRACE", "CLASSIFY", "AUDIT",
					     "ERROR", "CHECKSUM", "TOS",   "DSCP" };

	if (str_eq(name, "REJECT"))
		return STOPS;
	for (unsigned i = 0; i < ARRAY_LEN(go_on); i++)
		if (str_eq(name, go_on[i]))
			return FALLS;
	return PASSES; /* in doubt */
}

/* The effect of a matching entry.  *returns: it ends the chain. */
static enum end apply_target(struct legacy *l, const struct entry *e, unsigned depth, bool *returns)
{
	const struct xt_standard_target *t = (const void *)(l->entries + e->target);
	char name[sizeof(t->target.u.user.name) + 1] = "";

	memcpy(name, t->target.u.user.name, sizeof(t->target.u.user.name));
	if (*name)
		return foreign_target(name);
	if (e->next - e->target < sizeof(*t))
		return PASSES;
	if (t->verdict == XT_RETURN) {
		*returns = true;
		return FALLS;
	}
	if (t->verdict < 0)
		return -t->verdict - 1 == NF_DROP ? STOPS : PASSES;
	if ((unsigned)t->verdict == e->next)
		return FALLS; /* a rule without target */
	*returns = e->jumps_for_good;
	return walk_entries(l, (unsigned)t->verdict, depth + 1);
}

static enum end walk_entries(struct legacy *l, unsigned at, unsigned depth)
{
	bool escaped = false; /* part of the traffic may have left the chain */
	struct entry e;

	if (depth > DEPTH_MAX)
		return PASSES;
	for (; entry_at(l, at, &e) && l->steps++ < STEPS_MAX; at = e.next) {
		enum foreign_fw_answer match = entry_matches(l, &e);
		unsigned stopped = l->stopped;
		bool returns = false;
		enum end end;

		if (match == FOREIGN_FW_NO)
			continue;
		l->stopped = at;
		end = apply_target(l, &e, depth, &returns);
		if (end == PASSES || (end == STOPS && match == FOREIGN_FW_YES && !escaped))
			return end;
		l->stopped = stopped;
		if (returns && match == FOREIGN_FW_YES)
			return FALLS;
		escaped |= returns;
	}
	return PASSES; /* no valid chain ends without a policy or a return */
}

/* ---- reading ---- */

static bool in_use(struct mem *mem, bool six)
{
	const char *path =
		six ? "/proc/self/net/ip6_tables_names" : "/proc/self/net/ip_tables_names";
	struct file_text names;

	return file_read(mem, AT_FDCWD, path, 4096, &names) == 0 && strstr(names.s, "filter\n");
}

/*
 * Reads the block, and the offset of the chain FORWARD in it.  Returns 0 or -errno; -EAGAIN: the
 * table changed meanwhile.
 */
static int read_table(struct mem *mem, int fd, struct legacy *l, unsigned *ret_first)
{
	int level = l->six ? IPPROTO_IPV6 : IPPROTO_IP;
	struct ipt_getinfo info = { .name = "filter" };
	socklen_t len = sizeof(info);
	struct ipt_get_entries *all;

	/* The requests and structures of both families are equal, except for the entries. */
	_Static_assert(sizeof(struct ip6t_getinfo) == sizeof(info) &&
			       sizeof(struct ip6t_get_entries) == sizeof(*all),
		       "ip6_tables is as ip_tables");
	if (getsockopt(fd, level, IPT_SO_GET_INFO, &info, &len) < 0)
		return -errno;
	if (!(info.valid_hooks & 1u << NF_INET_FORWARD))
		return -ENOENT;
	all = mem_alloc(mem, sizeof(*all) + info.size);
	memcpy(all->name, info.name, sizeof(info.name));
	all->size = info.size;
	len = (socklen_t)(sizeof(*all) + info.size);
	if (getsockopt(fd, level, IPT_SO_GET_ENTRIES, all, &len) < 0)
		return -errno;
	l->entries = (const char *)all->entrytable;
	l->size = info.size;
	l->underflow = info.underflow[NF_INET_FORWARD];
	*ret_first = info.hook_entry[NF_INET_FORWARD];
	return 0;
}

/*
 * Is there a chain whose name begins with name?  Every chain begins with an entry that has its
 * name.
 */
static bool has_chain(const struct legacy *l, const char *name)
{
	struct entry e;

	for (unsigned at = 0; entry_at(l, at, &e); at = e.next) {
		const struct xt_error_target *t = (const void *)(l->entries + e.target);

		if (e.next - e.target >= sizeof(*t) &&
		    strncmp(t->target.u.user.name, XT_ERROR_TARGET,
			    sizeof(t->target.u.user.name)) == 0 &&
		    strncmp(t->errorname, name, strlen(name)) == 0)
			return true;
	}
	return false;
}

static const char *describe_drop(struct mem *mem, const struct legacy *l)
{
	const char *tool = l->six ? "ip6tables-legacy" : "iptables-legacy", *remedy;
	const char *chain = has_chain(l, "DOCKER-USER") ? "DOCKER-USER" : "FORWARD";
	const char *bridge = foreign_fw_bridge(l->bridge);

	if (has_chain(l, "ufw"))
		remedy = mem_printf(mem, "ufw route allow in on %s; ufw route allow out on %s",
				    bridge, bridge);
	else
		remedy = mem_printf(mem, "%s -I %s -i %s -j ACCEPT; %s -I %s -o %s -j ACCEPT", tool,
				    chain, bridge, tool, chain, bridge);
	return mem_printf(mem,
			  "forwarded traffic of bridge %s is dropped by chain FORWARD of %s, %s "
			  "(let it pass there: %s)",
			  bridge, tool,
			  l->stopped == l->underflow ? "whose policy is drop"
						     : "by one of its rules",
			  remedy);
}

int foreign_fw_legacy(struct mem *mem, const struct link *bridge, bool six, const char **ret)
{
	struct legacy l = { .bridge = bridge, .six = six };
	auto_(fd_close) int fd = -1;
	unsigned first = 0;
	int r = -EAGAIN;

	if (!in_use(mem, six))
		return 0;
	fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (unsigned i = 0; fd >= 0 && r == -EAGAIN && i < TRIES; i++)
		r = read_table(mem, fd, &l, &first);
	/* No permission, or no such table: report nothing. */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (l.entries && walk_entries(&l, first, 0) == STOPS)
		*ret = describe_drop(mem, &l);
	return 0;
}
