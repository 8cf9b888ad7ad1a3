// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packet.c - messages of DHCPv4: RFC 2131, options of RFC 2132
 */
#include "ipam/dhcp/lease.h"
#include "ipam/dhcp/packet.h"

enum {
	REPLY = 2, /* op */
	ETHERNET = 1,
	MAC = 6, /* htype, hlen */
	FILE_SIZE = 128,
	SNAME_SIZE = 64,
	IN_FILE = 1,
	IN_SNAME = 2, /* bits of option 52 */
	PADDED = 300,
};

static const uint8_t cookie[4] = { 99, 130, 83, 99 };

/* ---- reading --------------------------------------------------------------- */

/* A place in the options of a message; they are in up to three fields. */
struct walk {
	const struct dhcp_message *m;
	unsigned field;
	size_t at, end;
};

/* The part of an option that a code and a length describe. */
struct part {
	uint8_t code, size;
	const uint8_t *p;
};

/* Moves on to the next field that has options (RFC 3396, section 5: options, file, sname). */
static bool next_field(struct walk *w)
{
	switch (++w->field) {
	case 1:
		w->at = DHCP_AT_OPTIONS;
		w->end = w->m->size;
		return true;
	case 2:
		w->at = DHCP_AT_FILE;
		w->end = DHCP_AT_FILE + FILE_SIZE;
		return w->m->overload & IN_FILE || next_field(w);
	case 3:
		w->at = DHCP_AT_SNAME;
		w->end = DHCP_AT_SNAME + SNAME_SIZE;
		return w->m->overload & IN_SNAME;
	}
	return false;
}

/* The next part: 1; 0 at the end; -1 if it is longer than its field. */
static int next_part(struct walk *w, struct part *ret)
{
	for (;;) {
		uint8_t code = DHCP_OPT_END;

		if (w->at < w->end)
			code = w->m->data[w->at++];
		if (code == DHCP_OPT_PAD)
			continue;
		if (code == DHCP_OPT_END) {
			if (!next_field(w))
				return 0;
			continue;
		}
		if (w->at >= w->end || w->m->data[w->at] > w->end - w->at - 1)
			return -1;
		ret->code = code;
		ret->size = w->m->data[w->at++];
		ret->p = w->m->data + w->at;
		w->at += ret->size;
		return 1;
	}
}

/* Do all options end inside their fields?  Finds option 52 first, which adds fields. */
static bool well_formed(struct dhcp_message *m)
{
	struct walk w = { .m = m };
	struct part part;
	int more;

	while ((more = next_part(&w, &part)) == 1) {
		if (part.code == DHCP_OPT_OVERLOAD && part.size == 1 && w.field == 1)
			m->overload = part.p[0] & (IN_FILE | IN_SNAME);
	}
	return more == 0;
}

int dhcp_option(const struct dhcp_message *m, uint8_t code, void *out, size_t cap)
{
	struct walk w = { .m = m };
	struct part part;
	uint8_t *p = out;
	size_t used = 0;
	bool found = false;

	while (next_part(&w, &part) == 1) {
		if (part.code != code)
			continue;
		if (part.size > cap - used)
			return -1;
		memcpy(p + used, part.p, part.size);
		used += part.size;
		found = true;
	}
	return found ? (int)used : -1;
}

bool dhcp_option_u32(const struct dhcp_message *m, uint8_t code, uint32_t *ret)
{
	uint8_t b[4];

	if (dhcp_option(m, code, b, sizeof(b)) != sizeof(b))
		return false;
	*ret = get32(b);
	return true;
}

static struct ip ip4(const uint8_t *p)
{
	struct ip ip = { .family = AF_INET };

	memcpy(ip.b, p, 4);
	return ip;
}

bool dhcp_parse(const void *data, size_t size, struct dhcp_message *ret)
{
	struct dhcp_message m = { .data = data, .size = size };
	uint8_t b[4];

	if (size < DHCP_AT_OPTIONS || size > DHCP_PACKET || m.data[0] != REPLY ||
	    m.data[DHCP_AT_HTYPE] != ETHERNET || m.data[DHCP_AT_HLEN] != MAC ||
	    memcmp(m.data + DHCP_AT_COOKIE, cookie, sizeof(cookie)) != 0)
		return false;
	if (!well_formed(&m) || dhcp_option(&m, DHCP_OPT_TYPE, &m.type, 1) != 1)
		return false;
	m.xid = get32(m.data + DHCP_AT_XID);
	m.yiaddr = ip4(m.data + DHCP_AT_YIADDR);
	if (dhcp_option(&m, DHCP_OPT_SERVER, b, sizeof(b)) == sizeof(b))
		m.server = ip4(b);
	*ret = m;
	return true;
}

/* ---- values ---------------------------------------------------------------- */

bool dhcp_usable(struct ip ip)
{
	return ip.family == AF_INET && ip.b[0] != 0 && ip.b[0] != 127 && ip.b[0] < 224;
}

/* The prefix length of a mask; -1 if its ones are not together, or there are none. */
static int mask_len(uint32_t mask)
{
	int len = mask ? 32 - __builtin_ctz(mask) : 0;

	return len && mask == UINT32_MAX << (32 - len) ? len : -1;
}

bool dhcp_offer_usable(const struct dhcp_message *m)
{
	uint32_t mask, host;
	int len;

	if (!dhcp_usable(m->yiaddr))
		return false;
	len = dhcp_option_u32(m, DHCP_OPT_MASK, &mask) ? mask_len(mask) : -1;
	if (len < 0 || len > 30)
		return true;
	host = ntohl(m->yiaddr.v4.s_addr) & ~mask;
	return host && host != ~mask;
}

static void add_route(struct dhcp_facts *f, struct ip dst, unsigned len, const uint8_t *gw)
{
	if (f->n_routes < DHCP_ROUTES)
		f->routes[f->n_routes++] = (struct dhcp_route){
			.dst = cidr_masked((struct cidr){ dst, len }),
			.gw = ip4(gw),
		};
}

/* Option 121; false if it is not there or malformed: no route of it is used then. */
static bool read_classless(const struct dhcp_message *m, struct dhcp_facts *f)
{
	uint8_t b[DHCP_PACKET];
	int n = dhcp_option(m, DHCP_OPT_CLASSLESS_ROUTE, b, sizeof(b));

	for (int at = 0; at < n;) {
		unsigned len = b[at++];
		int bytes = (int)(len + 7) / 8;
		struct ip dst = { .family = AF_INET };

		if (len > 32 || bytes + 4 > n - at) {
			f->n_routes = 0;
			return false;
		}
		memcpy(dst.b, b + at, (size_t)bytes);
		add_route(f, dst, len, b + at + bytes);
		at += bytes + 4;
	}
	return n > 0;
}

/* Options 33 and 3.  A destination's length is that of its class, as in the reference. */
static void read_routes(const struct dhcp_message *m, struct dhcp_facts *f)
{
	uint8_t b[DHCP_PACKET];
	int n = dhcp_option(m, DHCP_OPT_STATIC_ROUTE, b, sizeof(b));

	for (int at = 0; at + 8 <= n; at += 8) {
		unsigned len = 24;

		if (b[at] < 128)
			len = 8;
		else if (b[at] < 192)
			len = 16;
		if (dhcp_usable(ip4(b + at)))
			add_route(f, ip4(b + at), len, b + at + 4);
	}
	if (ip_set(f->gateway))
		add_route(f, (struct ip){ .family = AF_INET }, 0, f->gateway.b);
}

/* An option that is one name, perhaps with a dot or NULs at its end. */
static void read_text(const struct dhcp_message *m, uint8_t code, struct dhcp_name *ret)
{
	char b[DHCP_NAME];
	int n = dhcp_option(m, code, b, sizeof(b) - 1);

	while (n > 0 && (b[n - 1] == '\0' || b[n - 1] == '.'))
		n--;
	for (int i = 0; i < n; i++) {
		if (!dhcp_is_name_char((uint8_t)b[i]) && b[i] != '.')
			return;
	}
	if (n > 0)
		memcpy(ret->s, b, (size_t)n);
}

static void read_servers(const struct dhcp_message *m, uint8_t code, struct ip *list, unsigned *n)
{
	uint8_t b[DHCP_PACKET];
	int size = dhcp_option(m, code, b, sizeof(b));

	if (size > 0)
		dhcp_read_addresses(b, (size_t)size, 4, list, n);
}

const char *dhcp_facts(const void *data, size_t size, struct dhcp_facts *ret)
{
	struct dhcp_message m;
	uint8_t b[DHCP_PACKET];
	uint32_t mask;
	int n;

	memset(ret, 0, sizeof(*ret));
	if (!dhcp_parse(data, size, &m) || !dhcp_usable(m.yiaddr))
		return "the server's answer has no usable address";
	if (!dhcp_option_u32(&m, DHCP_OPT_MASK, &mask))
		return "DHCP option Subnet Mask not found in DHCPACK";
	n = mask_len(mask);
	if (n < 0)
		return "DHCP option Subnet Mask in DHCPACK is not a mask";
	if (!dhcp_offer_usable(&m))
		return "the server's answer has the address of the network, or its broadcast "
		       "address";
	ret->address = (struct cidr){ m.yiaddr, (unsigned)n };
	ret->server = m.server;
	if (dhcp_option(&m, DHCP_OPT_ROUTER, b, sizeof(b)) >= 4 && dhcp_usable(ip4(b)))
		ret->gateway = ip4(b);
	if (dhcp_option(&m, DHCP_OPT_MTU, b, sizeof(b)) == 2 && get16(b) >= 68)
		ret->mtu = get16(b);
	if (!read_classless(&m, ret))
		read_routes(&m, ret);
	read_servers(&m, DHCP_OPT_DNS, ret->dns, &ret->n_dns);
	read_servers(&m, DHCP_OPT_NTP, ret->ntp, &ret->n_ntp);
	read_text(&m, DHCP_OPT_DOMAIN, &ret->domain);
	read_text(&m, DHCP_OPT_HOST_NAME, &ret->host_name);
	n = dhcp_option(&m, DHCP_OPT_SEARCH, b, sizeof(b));
	if (n > 0)
		dhcp_read_search(b, (size_t)n, ret);
	return NULL;
}

bool dhcp_same_facts(const struct dhcp_message *a, const struct dhcp_message *b)
{
	static const uint8_t codes[] = {
		DHCP_OPT_MASK, DHCP_OPT_ROUTER,          DHCP_OPT_DNS,    DHCP_OPT_HOST_NAME,
		DHCP_OPT_MTU,  DHCP_OPT_DOMAIN,          DHCP_OPT_SEARCH, DHCP_OPT_STATIC_ROUTE,
		DHCP_OPT_NTP,  DHCP_OPT_CLASSLESS_ROUTE,
	};
	uint8_t x[DHCP_PACKET], y[DHCP_PACKET];

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		int n = dhcp_option(a, codes[i], x, sizeof(x));

		if (dhcp_option(b, codes[i], y, sizeof(y)) != n)
			return false;
		if (n > 0 && memcmp(x, y, (size_t)n) != 0)
			return false;
	}
	return ip_eq(a->yiaddr, b->yiaddr);
}

/* ---- writing --------------------------------------------------------------- */

size_t dhcp_begin(uint8_t *out, const uint8_t mac[6])
{
	memset(out, 0, DHCP_AT_OPTIONS);
	out[0] = 1;
	out[DHCP_AT_HTYPE] = ETHERNET;
	out[DHCP_AT_HLEN] = MAC;
	memcpy(out + DHCP_AT_CHADDR, mac, MAC);
	memcpy(out + DHCP_AT_COOKIE, cookie, sizeof(cookie));
	return DHCP_AT_OPTIONS;
}

int dhcp_put(uint8_t *list, size_t *used, size_t cap, uint8_t code, const void *data, uint8_t size)
{
	size_t at = 0, old = 0;

	while (at < *used && list[at] < code)
		at += 2u + list[at + 1];
	if (at < *used && list[at] == code)
		old = 2u + list[at + 1];
	if (*used - old + 2u + size > cap)
		return -ENOSPC;
	memmove(list + at + 2 + size, list + at + old, *used - at - old);
	list[at] = code;
	list[at + 1] = size;
	memcpy(list + at + 2, data, size);
	*used = *used - old + 2u + size;
	return 0;
}

size_t dhcp_end(uint8_t *out, size_t size)
{
	out[size++] = DHCP_OPT_END;
	while (size < PADDED)
		out[size++] = DHCP_OPT_PAD;
	return size;
}
