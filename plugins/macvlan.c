// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * macvlan.c - an interface on the host's wire, with a MAC of its own (kind "macvlan")
 *
 * The link is made in the container, on top of a parent of the host (or of the container, with
 * linkInContainer).  By design the host and its macvlan containers do not reach each other.
 */
#include <linux/if_link.h>

#include "base/differ.h"
#include "cni/leg.h"
#include "plugins/list.h"

static const char *const names[] = { "bridge", "private", "vepa", "passthru", "source" };
static const uint32_t modes[] = { MACVLAN_MODE_BRIDGE, MACVLAN_MODE_PRIVATE, MACVLAN_MODE_VEPA,
				  MACVLAN_MODE_PASSTHRU, MACVLAN_MODE_SOURCE };

enum { MAX_SOURCES = 256 }; /* must fit into one request */

/* The MAC addresses that frames come from in mode source. */
struct sources {
	struct mac *mac;
	unsigned n;
};

struct macvlan {
	uint32_t mode;      /* MACVLAN_MODE_* */
	uint32_t queue_len; /* IFLA_MACVLAN_BC_QUEUE_LEN, packets; 0 = the kernel's default */
	struct sources sources;
};

static bool is_listed(const struct sources *s, struct mac mac)
{
	for (unsigned i = 0; i < s->n; i++)
		if (mac_eq(s->mac[i], mac))
			return true;
	return false;
}

static void put_macvlan(struct rt_msg *m, const void *data)
{
	const struct macvlan *v = data;
	struct nlattr *list;

	rt_put_u32(m, IFLA_MACVLAN_MODE, v->mode);
	if (v->queue_len)
		rt_put_u32(m, IFLA_MACVLAN_BC_QUEUE_LEN, v->queue_len);
	if (v->mode != MACVLAN_MODE_SOURCE)
		return;
	rt_put_u16(m, IFLA_MACVLAN_FLAGS, 0);
	rt_put_u32(m, IFLA_MACVLAN_MACADDR_MODE, MACVLAN_MACADDR_SET);
	list = rt_nest(m, IFLA_MACVLAN_MACADDR_DATA);
	for (unsigned i = 0; i < v->sources.n; i++)
		rt_put_mac(m, IFLA_MACVLAN_MACADDR, v->sources.mac[i]);
	rt_nest_end(m, list);
}

static const char *mode_name(uint32_t mode)
{
	for (unsigned i = 0; i < ARRAY_LEN(modes); i++)
		if (modes[i] == mode)
			return names[i];
	return "another";
}

/* The list that the link has. */
static struct sources sources_of(struct mem *mem, const struct link *l)
{
	struct nlattr *list =
		(struct nlattr *)(uintptr_t)link_data_attr(l, IFLA_MACVLAN_MACADDR_DATA);
	struct sources s = { .n = 0 };
	struct nlattr *a;
	int left;

	if (!list)
		return s;
	s.mac = mem_alloc(mem, ((unsigned)nla_len(list) / sizeof(*a) + 1) * sizeof(*s.mac));
	nla_for_each_nested (a, list, left) {
		if (nla_len(a) != 6)
			continue;
		s.mac[s.n].len = 6;
		memcpy(s.mac[s.n++].b, nla_data(a), 6);
	}
	return s;
}

static const char *text_of(struct mem *mem, const struct sources *s)
{
	struct mem_text text = { .mem = mem };

	for (unsigned i = 0; i < s->n; i++)
		mem_text_add(&text, "%s%s", mem_text_comma(&text, ", "), MAC_S(s->mac[i]));
	return mem_text_end(&text);
}

static void check_sources(struct tx *tx, const struct macvlan *v, const struct link *have)
{
	enum { NODST = 2 }; /* older headers do not have MACVLAN_FLAG_NODST */
	struct sources s = sources_of(&tx->mem, have);
	bool same = s.n == v->sources.n;

	for (unsigned i = 0; i < s.n; i++)
		same &= is_listed(&v->sources, s.mac[i]);
	if (!same)
		differ(tx, mem_printf(&tx->mem, "sourceMacs of %s", have->name),
		       text_of(&tx->mem, &v->sources), text_of(&tx->mem, &s));
	/* With it, the host and its other macvlan links do not get the frames of these sources. */
	if (link_data_number(have, IFLA_MACVLAN_FLAGS, 0) & NODST)
		differ(tx, mem_printf(&tx->mem, "flag nodst of %s", have->name), "off", "on");
}

static void check_macvlan(struct tx *tx, const struct leg *leg, const struct link *have)
{
	const struct macvlan *v = leg->link.data;
	uint32_t mode = link_data_number(have, IFLA_MACVLAN_MODE, 0);
	uint32_t queue_len = link_data_number(have, IFLA_MACVLAN_BC_QUEUE_LEN, v->queue_len);

	if (mode != v->mode)
		differ(tx, mem_printf(&tx->mem, "mode of %s", have->name), mode_name(v->mode),
		       mode_name(mode));
	if (v->queue_len)
		differ_number(tx, mem_printf(&tx->mem, "bcqueuelen of %s", have->name),
			      v->queue_len, queue_len);
	if (v->mode == MACVLAN_MODE_SOURCE && mode == v->mode)
		check_sources(tx, v, have);
}

static bool is_unicast(const char *text, struct mac *ret)
{
	static const struct mac zero = { .len = 6 };

	return mac_parse(text, ret) && ret->len == 6 && !(ret->b[0] & 1) && !mac_eq(*ret, zero);
}

static struct sources read_sources(struct mem *mem, const struct cj *c, uint32_t mode)
{
	struct cj list = cj_list(c, "sourceMacs");
	unsigned n = cj_len_max(&list, MAX_SOURCES);
	struct sources s = { .mac = mem_alloc(mem, (n + 1) * sizeof(*s.mac)) };

	for (unsigned i = 0; i < n; i++) {
		struct cj element = cj_at(&list, i);
		const char *text = cj_as_str(&element);
		struct mac mac;

		if (!text && cj_present(&element)) /* a complaint already */
			continue;
		if (!text)
			cj_wrong(&element, NULL, "expected a unicast MAC address, got null");
		else if (!is_unicast(text, &mac))
			cj_wrong(&element, NULL,
				 "expected a unicast MAC address, like 02:00:00:00:00:01, got "
				 "\"%.40s\"",
				 text);
		else if (!is_listed(&s, mac))
			s.mac[s.n++] = mac;
	}
	if (n && mode != MACVLAN_MODE_SOURCE)
		cj_wrong(c, "sourceMacs", "allowed only with mode source");
	if (!n && mode == MACVLAN_MODE_SOURCE)
		cj_wrong(c, "sourceMacs",
			 "missing: mode source receives frames only from the MAC addresses listed "
			 "here");
	return s;
}

static int macvlan_leg(struct tx *tx, struct call *c, struct leg *leg)
{
	struct macvlan *v = mem_alloc(&tx->mem, sizeof(*v));

	leg->link.kind = "macvlan";
	leg->link.put = put_macvlan;
	leg->link.data = v;
	leg->link.hint = "the parent must be an Ethernet interface, and in mode passthru a macvlan "
			 "interface is the only one on its parent";
	leg->check = check_macvlan;
	leg->has_mac = true;
	leg->has_parent = true;
	leg->skips_own_kind = true;
	v->mode = modes[cj_word(&c->conf, "mode", "macvlan mode", names, ARRAY_LEN(names))];
	v->queue_len = (uint32_t)cj_int(&c->conf, "bcqueuelen", 0, 0, UINT32_MAX);
	v->sources = read_sources(&tx->mem, &c->conf, v->mode);
	return leg_read(tx, c, leg);
}

static const char *const args[] = { "MAC", NULL };

const struct plugin macvlan_plugin = {
	.name = "macvlan",
	.about = "an interface on the host's wire, with a MAC of its own",
	.flags = CNI_USES_HOST | CNI_USES_CONT,
	.args = args,
	.leg = macvlan_leg,
	LEG_VERBS,
};
