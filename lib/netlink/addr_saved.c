// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * addr_saved.c - the addresses of a link as the kernel described them, to be added again
 */
#include <linux/rtnetlink.h>

#include "netlink/addr_impl.h"
#include "value/base64.h"

/* ifa_proto (linux/if_addr.h): the kernel made the address, for these reasons. */
enum { PROTO_ROUTER = 2, PROTO_LINKLOCAL = 3 };

/* Does the kernel make such an address itself, when the link is up? */
static bool is_automatic(struct nlattr *const *tb, uint32_t flags, struct cidr a, struct mac mac)
{
	struct nlattr *proto = tb[ADDR_ATTR_PROTO];
	uint8_t made_for = 0;

	if (a.ip.family != AF_INET6)
		return false;
	if (proto && nla_len(proto) >= 1)
		made_for = nla_get_u8(proto);
	return made_for == PROTO_ROUTER || made_for == PROTO_LINKLOCAL ||
	       (flags & IFA_F_TEMPORARY) || (mac.len == 6 && ip_eq(a.ip, ip_linklocal(mac)));
}

struct saving {
	struct mem *mem;
	struct addr_saved *s;
	const struct link *l;
};

static void keep(struct mem *mem, struct addr_saved *s, const struct addr_message *a)
{
	s->a = mem_grow(mem, s->a, s->n, sizeof(*s->a));
	s->a[s->n++] = *a;
}

static int save_addr(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[ADDR_ATTR_LAST + 1];
	struct addr_message a = { .lasting = false };
	struct saving *s = arg;
	const struct ifaddrmsg *m;
	uint32_t flags;

	if (!h) {
		*s->s = (struct addr_saved){ .n = 0 };
		return 0;
	}
	if (!addr_read(h, tb, &a.addr))
		return 0;
	m = nlmsg_data(h);
	flags = tb[IFA_FLAGS] ? nla_get_u32(tb[IFA_FLAGS]) : m->ifa_flags;
	if ((int)m->ifa_index != s->l->index || is_automatic(tb, flags, a.addr, s->l->mac))
		return 0;
	a.lasting = flags & IFA_F_PERMANENT;
	a.h = mem_dup(s->mem, h, h->nlmsg_len);
	keep(s->mem, s->s, &a);
	return 0;
}

int addr_save(struct tx *tx, struct rt *rt, const struct link *l, int family,
	      struct addr_saved *ret)
{
	struct saving s = { .mem = &tx->mem, .s = ret, .l = l };
	struct rt_msg m;
	struct ifaddrmsg *h = rt_new(&m, RTM_GETADDR, NLM_F_DUMP, sizeof(*h));
	int r;

	*ret = (struct addr_saved){ .n = 0 };
	h->ifa_family = (uint8_t)family;
	h->ifa_index = (unsigned)l->index;
	r = rt_ask(rt, &m, save_addr, &s);
	if (r < 0)
		return rt_refused(tx, rt, r, "list addresses of %s", l->name);
	return 0;
}

int addr_restore(struct tx *tx, struct rt *rt, const struct link *l, const struct addr_saved *saved,
		 bool at_once)
{
	int failed = 0;

	for (unsigned i = 0; i < saved->n; i++) {
		int r = addr_put_back_try(rt, l->index, saved->a[i].h, at_once);

		if (r < 0)
			failed = also(failed, rt_refused(tx, rt, r, "add address %s to %s",
							 CIDR_S(saved->a[i].addr), l->name));
	}
	return failed;
}

/* ---- the way back ------------------------------------------------------- */

struct undo_keep {
	struct rt *rt;
	const struct link *l;
	struct addr_saved saved;
};

static int undo_keep(struct tx *tx, void *arg)
{
	struct undo_keep *u = arg;

	return addr_restore(tx, u->rt, u->l, &u->saved, true);
}

int addr_keep_all(struct tx *tx, struct rt *rt, const struct link *l,
		  const struct addr_saved *saved)
{
	struct undo_keep u = { .rt = rt, .l = mem_dup(&tx->mem, l, sizeof(*l)), .saved = *saved };

	return tx_undo(tx, undo_keep, "keep addresses", &u);
}

/* ---- as text ------------------------------------------------------------ */

const char *addr_encode(struct mem *mem, const struct addr_message *a)
{
	return base64_encode(mem, (const char *)a->h, a->h->nlmsg_len);
}

bool addr_decode(struct mem *mem, const char *text, struct addr_saved *s)
{
	struct nlattr *tb[ADDR_ATTR_LAST + 1];
	struct addr_message a = { .lasting = true };
	size_t size;

	a.h = (const void *)base64_decode(mem, text, &size);
	if (!a.h || size < sizeof(*a.h) || a.h->nlmsg_len != size || !addr_read(a.h, tb, &a.addr))
		return false;
	keep(mem, s, &a);
	return true;
}
