// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packet6.c - messages of DHCPv6: RFC 8415, options of RFC 3646 and 5908
 */
#include "ipam/dhcp/lease.h"
#include "ipam/dhcp/packet6.h"

enum {
	OPTION = 4, /* bytes of code and length */
	IA_HEADER = 12,
	IAADDR_HEADER = 24, /* fixed parts of the options */
	NTP_ADDRESS = 1,    /* suboption of DHCP6_OPT_NTP */
	SOL_MAX_RT_MIN = 60,
	SOL_MAX_RT_MAX = 86400, /* RFC 8415, 21.24 */
};

/* ---- reading --------------------------------------------------------------- */

bool dhcp6_each(struct dhcp6_bytes in, size_t *at, unsigned *code, struct dhcp6_bytes *ret)
{
	size_t size;

	if (in.size - *at < OPTION)
		return false;
	size = get16(in.p + *at + 2);
	if (size > in.size - *at - OPTION)
		return false;
	*code = get16(in.p + *at);
	*ret = (struct dhcp6_bytes){ in.p + *at + OPTION, size };
	*at += OPTION + size;
	return true;
}

/* Can a host have this address? */
static bool is_usable(struct ip ip)
{
	return ip.family == AF_INET6 && !ip_is_any(ip) && !ip_is_loopback(ip) &&
	       !ip_is_multicast(ip) && !ip_is_linklocal(ip) && !IN6_IS_ADDR_V4MAPPED(&ip.v6);
}

/* A status code with its text; false if it is too short. */
static bool read_status(struct dhcp6_bytes o, unsigned *ret)
{
	if (o.size < 2)
		return false;
	*ret = get16(o.p);
	return true;
}

/* An IAADDR: takes the first address that can be used.  False if it is malformed. */
static bool read_address(struct dhcp6_bytes o, struct dhcp6_message *m)
{
	struct dhcp6_bytes in, part;
	struct ip ip = { .family = AF_INET6 };
	unsigned code, status = DHCP6_SUCCESS;
	uint32_t preferred, valid;
	size_t at = 0;

	if (o.size < IAADDR_HEADER)
		return false;
	memcpy(ip.b, o.p, 16);
	preferred = get32(o.p + 16);
	valid = get32(o.p + 20);
	in = (struct dhcp6_bytes){ o.p + IAADDR_HEADER, o.size - IAADDR_HEADER };
	while (dhcp6_each(in, &at, &code, &part)) {
		if (code == DHCP6_OPT_STATUS && !read_status(part, &status))
			return false;
	}
	if (at != in.size)
		return false;
	m->withdrawn = m->withdrawn || !valid;
	/* RFC 8415, 21.6: preferred > valid makes the address invalid. */
	if (ip_set(m->address) || status || !valid || preferred > valid || !is_usable(ip))
		return true;
	m->address = ip;
	m->preferred = preferred;
	m->valid = valid;
	return true;
}

/* An IA_NA.  One of another id is not ours; false if it is malformed. */
static bool read_ia(struct dhcp6_bytes o, uint32_t iaid, struct dhcp6_message *m)
{
	struct dhcp6_bytes in, part;
	unsigned code;
	size_t at = 0;

	if (o.size < IA_HEADER)
		return false;
	if (get32(o.p) != iaid || m->has_ia)
		return true;
	m->has_ia = true;
	m->t1 = get32(o.p + 4);
	m->t2 = get32(o.p + 8);
	in = (struct dhcp6_bytes){ o.p + IA_HEADER, o.size - IA_HEADER };
	while (dhcp6_each(in, &at, &code, &part)) {
		if (code == DHCP6_OPT_STATUS && !read_status(part, &m->ia_status))
			return false;
		if (code == DHCP6_OPT_IAADDR && !read_address(part, m))
			return false;
	}
	return at == in.size;
}

/* A DUID may have up to 130 bytes, and is there once. */
static bool read_duid(struct dhcp6_bytes o, struct dhcp6_bytes *ret)
{
	if (ret->p || !o.size || o.size > DHCP6_DUID)
		return false;
	*ret = o;
	return true;
}

static bool read_option(unsigned code, struct dhcp6_bytes o, uint32_t iaid, struct dhcp6_message *m)
{
	uint32_t n;

	switch (code) {
	case DHCP6_OPT_CLIENT_ID:
		return read_duid(o, &m->client_id);
	case DHCP6_OPT_SERVER_ID:
		return read_duid(o, &m->server_id);
	case DHCP6_OPT_IA_NA:
		return read_ia(o, iaid, m);
	case DHCP6_OPT_STATUS:
		return read_status(o, &m->status);
	case DHCP6_OPT_PREFERENCE:
		if (o.size == 1)
			m->preference = o.p[0];
		return o.size == 1;
	case DHCP6_OPT_RAPID_COMMIT:
		m->rapid_commit = true;
		return true;
	case DHCP6_OPT_SOL_MAX_RT:
		n = o.size == 4 ? get32(o.p) : 0;
		if (n >= SOL_MAX_RT_MIN && n <= SOL_MAX_RT_MAX)
			m->sol_max_rt = n;
		return true;
	}
	return true;
}

bool dhcp6_parse(const void *data, size_t size, uint32_t iaid, struct dhcp6_message *ret)
{
	const uint8_t *p = data;
	struct dhcp6_message m = { .type = 0 };
	struct dhcp6_bytes o;
	unsigned code;
	size_t at = 0;

	if (size < DHCP6_HEADER || size > DHCP_PACKET ||
	    (p[0] != DHCP6_ADVERTISE && p[0] != DHCP6_REPLY))
		return false;
	m.type = p[0];
	m.xid = get32(p) & 0xffffff;
	m.options = (struct dhcp6_bytes){ p + DHCP6_HEADER, size - DHCP6_HEADER };
	while (dhcp6_each(m.options, &at, &code, &o)) {
		if (!read_option(code, o, iaid, &m))
			return false;
	}
	if (at != m.options.size)
		return false;
	*ret = m;
	return true;
}

/* ---- values ---------------------------------------------------------------- */

static void read_ntp(struct dhcp6_bytes in, struct dhcp_facts *f)
{
	struct dhcp6_bytes o;
	unsigned code;
	size_t at = 0;

	while (dhcp6_each(in, &at, &code, &o)) {
		if (code == NTP_ADDRESS)
			dhcp_read_addresses(o.p, o.size, 16, f->ntp, &f->n_ntp);
	}
}

const char *dhcp6_facts(const void *data, size_t size, uint32_t iaid, struct dhcp_facts *ret)
{
	struct dhcp6_message m;
	struct dhcp6_bytes o;
	unsigned code;
	size_t at = 0;

	memset(ret, 0, sizeof(*ret));
	if (!dhcp6_parse(data, size, iaid, &m) || !ip_set(m.address))
		return "the server's answer has no usable address";
	ret->address = cidr_host(m.address);
	while (dhcp6_each(m.options, &at, &code, &o)) {
		if (code == DHCP6_OPT_DNS)
			dhcp_read_addresses(o.p, o.size, 16, ret->dns, &ret->n_dns);
		else if (code == DHCP6_OPT_SEARCH)
			dhcp_read_search(o.p, o.size, ret);
		else if (code == DHCP6_OPT_NTP)
			read_ntp(o, ret);
	}
	return NULL;
}

/* The first option of a code; p NULL if there is none. */
static struct dhcp6_bytes find_option(const struct dhcp6_message *m, unsigned wanted)
{
	struct dhcp6_bytes o;
	unsigned code;
	size_t at = 0;

	while (dhcp6_each(m->options, &at, &code, &o)) {
		if (code == wanted)
			return o;
	}
	return (struct dhcp6_bytes){ NULL, 0 };
}

bool dhcp6_same_facts(const struct dhcp6_message *a, const struct dhcp6_message *b)
{
	static const uint8_t codes[] = { DHCP6_OPT_DNS, DHCP6_OPT_SEARCH, DHCP6_OPT_NTP };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct dhcp6_bytes x = find_option(a, codes[i]), y = find_option(b, codes[i]);

		if (x.size != y.size || (x.size && memcmp(x.p, y.p, x.size) != 0))
			return false;
	}
	return ip_eq(a->address, b->address);
}

/* ---- writing --------------------------------------------------------------- */

int dhcp6_put(uint8_t *out, size_t *used, unsigned code, const void *data, size_t size)
{
	if (size > DHCP_PACKET - OPTION || *used > DHCP_PACKET - OPTION - size)
		return -ENOSPC;
	put16(out + *used, code);
	put16(out + *used + 2, (unsigned)size);
	if (size)
		memcpy(out + *used + OPTION, data, size);
	*used += OPTION + size;
	return 0;
}
