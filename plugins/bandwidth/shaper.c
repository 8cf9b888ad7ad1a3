// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shaper.c - the limit of one direction of an attachment: all verbs
 *
 * A link limits what it sends with a token bucket as its root qdisc.  What arrives is redirected
 * to an ifb, which has the bucket, and hands the packets back.  With subnets both directions are
 * redirected, because a filter can choose packets, and a token bucket cannot.
 */
#include <stdio.h>

#include "base/differ.h"
#include "cni/iface.h"
#include "plugins/bandwidth/bandwidth.h"
#include "value/name.h"

static const char *const words[DIRECTIONS] = { [INGRESS] = "ingress", [EGRESS] = "egress" };

struct shaper shaper_of(struct tx *tx, struct call *c, const struct place *p,
			const struct bandwidth_conf *conf, enum direction d)
{
	const char *owner = mem_printf(&tx->mem, "%s/%s/%s", c->network, c->id, c->ifname);
	struct shaper s = {
		.place = *p,
		.direction = d,
		.limit = &conf->limit[d],
		.conf = conf,
		.leaving = (d == EGRESS) == p->inside,
		.mark = call_mark(tx, c),
	};

	/* "bwp" is the reference's prefix for egress. */
	name_hash(s.name, sizeof(s.name) - 1, d == EGRESS ? "bwp" : "bwi", owner);
	return s;
}

static bool needs_ifb(const struct shaper *s)
{
	return !s->leaving || s->conf->n_subnets;
}

static struct tc_tbf tbf_of(const struct shaper *s)
{
	return bandwidth_tbf(s->limit, s->place.link.mtu);
}

/* The address of the other side is the destination of what the container sends. */
static struct tc_redirect redirect_of(const struct shaper *s, const struct link *ifb)
{
	return (struct tc_redirect){
		.to = ifb,
		.leaving = s->leaving,
		.by_source = s->direction == INGRESS,
		.except = s->conf->except,
		.subnets = s->conf->subnets,
		.n = s->conf->n_subnets,
	};
}

int shaper_find_ifb(struct tx *tx, const struct shaper *s, struct link *ret)
{
	int there;

	TRY(there = link_find(tx, s->place.rt, s->name, ret));
	return there && str_eq(ret->kind, "ifb") && link_is_marked(ret, s->mark);
}

/* ---- ADD ---------------------------------------------------------------- */

static int add_ifb(struct tx *tx, const struct shaper *s, struct link *ret)
{
	struct link_new n = {
		.kind = "ifb",
		.name = s->name,
		.mtu = s->place.link.mtu,
		.mac = link_random_mac(),
		.mark = s->mark,
	};

	return link_add(tx, s->place.rt, &n, ret);
}

/*
 * In the container, tap with redirect may have taken all that arrives: no packet would reach the
 * ifb, and so none be limited.
 */
static int need_arrivals(struct tx *tx, const struct shaper *s, const struct link *ifb)
{
	const struct place *p = &s->place;
	int there = 0, to = 0;

	if (p->inside && !s->leaving)
		TRY(there = tc_redirect_rival(tx, p->rt, &p->link, ifb->index, &to));
	if (!there)
		return 0;
	return tx_fail_as(
		tx, CPLUG_E_TAKEN, -EEXIST,
		"%sRate: what arrives at %s is redirected to another interface already, so "
		"nothing would be limited (leave %sRate out, or make the interface with "
		"bridge or ptp, which are limited on the host)",
		words[s->direction], p->link.name, words[s->direction]);
}

/* Up only with its limit, and redirected to only when it is up: a link that is down drops. */
static int ensure_ifb(struct tx *tx, const struct shaper *s, struct link *ifb, bool is_new)
{
	struct link_want want = { .up = true, .mark = s->mark, .mtu = s->place.link.mtu };
	struct tc_redirect redirect = redirect_of(s, ifb);
	struct tc_tbf tbf = tbf_of(s);

	TRY(need_arrivals(tx, s, ifb));
	if (is_new)
		TRY(tc_tbf_add(tx, s->place.rt, ifb, &tbf));
	else
		TRY(tc_tbf_ensure(tx, s->place.rt, ifb, &tbf));
	TRY(link_ensure(tx, s->place.rt, ifb, &want));
	return tc_redirect_ensure(tx, s->place.rt, &s->place.link, &redirect);
}

int shaper_add(struct tx *tx, const struct shaper *s, struct link *ret_ifb)
{
	struct tc_tbf tbf = tbf_of(s);

	*ret_ifb = (struct link){ .index = 0 };
	if (!s->limit->rate)
		return 0;
	if (!needs_ifb(s))
		return tc_tbf_add(tx, s->place.rt, &s->place.link, &tbf);
	TRY(add_ifb(tx, s, ret_ifb));
	TRY(link_set_no_ipv6(tx, s->place.rt, ret_ifb, s->mark));
	return ensure_ifb(tx, s, ret_ifb, true);
}

/* ---- CHECK -------------------------------------------------------------- */

/* Is it that of the MTU at ADD? */
static bool matches_former(const struct shaper *s, const struct tc_tbf_params *have)
{
	struct tc_tbf tbf;

	if (!s->former_mtu)
		return false;
	tbf = bandwidth_tbf(s->limit, s->former_mtu);
	return tc_tbf_matches(have, &tbf);
}

static void compare_tbf(struct tx *tx, const struct shaper *s, const struct link *l,
			const struct tc_tbf_params *have)
{
	const char *object = mem_printf(&tx->mem, "%s limit of %s", words[s->direction], l->name);
	struct tc_tbf tbf = tbf_of(s);
	struct tc_tbf_params want = tc_tbf_params(&tbf);

	if (!have)
		differ(tx, object, TC_TBF_S(&want), NULL);
	else if (!tc_tbf_matches(have, &tbf) && !matches_former(s, have))
		differ(tx, object, mem_str(&tx->mem, TC_TBF_S(&want)),
		       mem_str(&tx->mem, TC_TBF_S(have)));
}

static int check_tbf(struct tx *tx, const struct shaper *s, const struct link *l)
{
	struct tc_tbf_params have;
	int there;

	TRY(there = tc_tbf_find(tx, s->place.rt, l, &have));
	compare_tbf(tx, s, l, there ? &have : NULL);
	return 0;
}

static int check_ifb(struct tx *tx, const struct shaper *s)
{
	const char *object = mem_printf(&tx->mem, "ifb %s", s->name);
	struct tc_redirect redirect;
	struct link ifb;
	int there;

	TRY(there = shaper_find_ifb(tx, s, &ifb));
	if (!there) {
		differ(tx, object, "present", NULL);
		return 0;
	}
	if (!(ifb.flags & IFF_UP))
		differ(tx, object, "up", "down");
	if (!s->former_mtu || ifb.mtu != s->former_mtu)
		differ_number(tx, mem_printf(&tx->mem, "MTU of %s", object), s->place.link.mtu,
			      ifb.mtu);
	TRY(check_tbf(tx, s, &ifb));
	redirect = redirect_of(s, &ifb);
	TRY(there = tc_redirect_find(tx, s->place.rt, &s->place.link, &redirect));
	if (!there)
		differ(tx,
		       mem_printf(&tx->mem, "redirection of %s to %s", s->place.link.name, s->name),
		       "present", "absent, or of other packets");
	return 0;
}

/* Is there a limit of ours on the link itself? */
static int has_own_tbf(struct tx *tx, const struct shaper *s)
{
	struct tc_tbf_params have;
	int there;

	TRY(there = tc_tbf_find(tx, s->place.rt, &s->place.link, &have));
	return there && have.ours;
}

/* What an earlier configuration has left. */
static int check_absent(struct tx *tx, const struct shaper *s)
{
	bool limited = s->limit->rate > 0;
	struct link ifb;
	int there;

	if (!limited || !needs_ifb(s)) {
		TRY(there = shaper_find_ifb(tx, s, &ifb));
		if (there)
			differ(tx, mem_printf(&tx->mem, "ifb %s", s->name), "absent", "present");
	}
	if (s->leaving && (!limited || needs_ifb(s))) {
		TRY(there = has_own_tbf(tx, s));
		if (there)
			differ(tx,
			       mem_printf(&tx->mem, "%s limit of %s", words[s->direction],
					  s->place.link.name),
			       "absent", "present");
	}
	return 0;
}

int shaper_check(struct tx *tx, const struct call *c, struct shaper *s)
{
	if (s->place.inside)
		s->former_mtu = iface_mtu_before_tuning(tx, c);
	TRY(check_absent(tx, s));
	if (!s->limit->rate)
		return 0;
	if (needs_ifb(s))
		return check_ifb(tx, s);
	return check_tbf(tx, s, &s->place.link);
}

/* ---- repair ------------------------------------------------------------- */

/* The redirection first: packets that are sent to a link which is gone are dropped. */
static int remove_ifb(struct tx *tx, const struct shaper *s)
{
	const struct place *p = &s->place;
	struct link ifb;
	int there, r = 0;

	TRY(there = shaper_find_ifb(tx, s, &ifb));
	if (p->link.index)
		r = tc_redirect_del(tx, p->rt, &p->link, there ? &ifb : NULL, s->leaving);
	if (there)
		r = also(r, link_del(tx, p->rt, &ifb));
	return r;
}

static int remove_own_tbf(struct tx *tx, const struct shaper *s)
{
	int there = 0;

	if (s->leaving && s->place.link.index)
		TRY(there = has_own_tbf(tx, s));
	if (!there)
		return 0;
	return tc_tbf_del(tx, s->place.rt, &s->place.link);
}

int shaper_repair(struct tx *tx, const struct shaper *s)
{
	struct tc_tbf tbf = tbf_of(s);
	struct link ifb;
	int there;

	if (!s->limit->rate)
		return shaper_del(tx, s);
	if (!needs_ifb(s)) {
		TRY(tc_tbf_ensure(tx, s->place.rt, &s->place.link, &tbf));
		return remove_ifb(tx, s);
	}
	TRY(there = shaper_find_ifb(tx, s, &ifb));
	if (!there)
		TRY(add_ifb(tx, s, &ifb));
	TRY(ensure_ifb(tx, s, &ifb, !there));
	return remove_own_tbf(tx, s);
}

/* ---- DEL ---------------------------------------------------------------- */

int shaper_del(struct tx *tx, const struct shaper *s)
{
	int r = remove_own_tbf(tx, s);

	return also(r, remove_ifb(tx, s));
}
