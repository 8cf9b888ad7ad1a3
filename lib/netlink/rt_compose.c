// SPDX-License-Identifier: GPL-2.0-or-later
/* rt_compose.c - rtnetlink: composes requests */
#include <netlink/netlink.h>

#include "netlink/rt.h"

/* NLA_HDRLEN as an unsigned number. */
static const size_t attr_header = sizeof(struct nlattr); /* aligned */

/* Room for size more bytes, zeroed; NULL, and overflow is set, if there is none. */
static void *take(struct rt_msg *m, size_t size)
{
	size_t at = NLMSG_ALIGN(m->h.nlmsg_len);
	void *p = (char *)m + at;

	if (m->overflow || at + NLMSG_ALIGN(size) > sizeof(m->room)) {
		m->overflow = true;
		return NULL;
	}
	memset(p, 0, NLMSG_ALIGN(size));
	m->h.nlmsg_len = (uint32_t)(at + NLMSG_ALIGN(size));
	return p;
}

void *rt_new(struct rt_msg *m, int type, int flags, size_t header)
{
	m->overflow = false;
	m->h = (struct nlmsghdr){
		.nlmsg_len = NLMSG_HDRLEN,
		.nlmsg_type = (uint16_t)type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	};
	return take(m, header);
}

void rt_put(struct rt_msg *m, int attr, const void *data, size_t size)
{
	struct nlattr *a = take(m, attr_header + size);

	if (!a)
		return;
	a->nla_type = (uint16_t)attr;
	a->nla_len = (uint16_t)(attr_header + size);
	if (size)
		memcpy((char *)a + attr_header, data, size);
}

void rt_put_u8(struct rt_msg *m, int attr, uint8_t v)
{
	rt_put(m, attr, &v, sizeof(v));
}

void rt_put_u16(struct rt_msg *m, int attr, uint16_t v)
{
	rt_put(m, attr, &v, sizeof(v));
}

void rt_put_u32(struct rt_msg *m, int attr, uint32_t v)
{
	rt_put(m, attr, &v, sizeof(v));
}

void rt_put_str(struct rt_msg *m, int attr, const char *s)
{
	rt_put(m, attr, s, strlen(s) + 1);
}

void rt_put_ip(struct rt_msg *m, int attr, struct ip ip)
{
	rt_put(m, attr, ip.b, ip_bytes(ip));
}

void rt_put_mac(struct rt_msg *m, int attr, struct mac mac)
{
	rt_put(m, attr, mac.b, mac.len);
}

struct nlattr *rt_nest(struct rt_msg *m, int attr)
{
	struct nlattr *a = take(m, attr_header);

	if (a)
		a->nla_type = (uint16_t)(attr | NLA_F_NESTED);
	return a;
}

void *rt_put_header(struct rt_msg *m, size_t size)
{
	return take(m, size);
}

void rt_nest_end(struct rt_msg *m, struct nlattr *nest)
{
	if (nest && !m->overflow)
		nest->nla_len = (uint16_t)(m->room + m->h.nlmsg_len - (char *)nest);
}
