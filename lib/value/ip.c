// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ip.c - IP addresses, prefixes and MAC addresses as values
 *
 * An address is a family and up to 16 bytes in network order; bytes beyond the family's length
 * are zero.  Arithmetic and masks work on the bytes, so both families use the same code.
 *
 * inet_pton(3) parses.  Printing is our own, because the C libraries and Go print addresses
 * like ::1.2.3.4 differently.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "value/ip.h"

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

unsigned ip_bytes(struct ip ip)
{
	if (ip.family == AF_INET)
		return 4;
	return ip.family == AF_INET6 ? 16 : 0;
}

unsigned ip_bits(struct ip ip)
{
	return ip_bytes(ip) * 8;
}

bool ip_set(struct ip ip)
{
	return ip_bytes(ip) != 0;
}

/* *ret_mapped: the text was an IPv4-mapped IPv6 address. */
static bool parse_ip(const char *s, struct ip *ret, bool *ret_mapped)
{
	struct ip ip = { .family = AF_INET };

	*ret_mapped = false;
	if (!s)
		return false;
	if (inet_pton(AF_INET, s, ip.b) == 1) {
		*ret = ip;
		return true;
	}
	ip = (struct ip){ .family = AF_INET6 };
	if (inet_pton(AF_INET6, s, ip.b) != 1)
		return false;
	if (memcmp(ip.b, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		struct ip v4 = { .family = AF_INET };

		memcpy(v4.b, ip.b + 12, 4);
		ip = v4;
		*ret_mapped = true;
	}
	*ret = ip;
	return true;
}

bool ip_parse(const char *s, struct ip *ret)
{
	bool mapped;

	return parse_ip(s, ret, &mapped);
}

/* The longest run of zero words, the first if there are several (RFC 5952, 4.2). */
static int longest_zeros(const unsigned *word, int *ret_len)
{
	int best = -1;

	*ret_len = 1; /* a single zero word is not shortened */
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && !word[i + n])
			n++;
		if (n > *ret_len) {
			best = i;
			*ret_len = n;
		}
		i += n;
	}
	return best;
}

/*
 * printf() of musl takes a thousand instructions, and an ADD prints a dozen addresses.
 * Prints n, at most 255, at p without a NUL.  Returns the end.
 */
static char *put_decimal(char *p, unsigned n)
{
	if (n >= 100)
		*p++ = (char)('0' + n / 100);
	if (n >= 10)
		*p++ = (char)('0' + n / 10 % 10);
	*p++ = (char)('0' + n % 10);
	return p;
}

static void print_v4(char *p, const uint8_t *b)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = put_decimal(p, b[i]);
	}
	*p = '\0';
}

/* Prints n, at most 0xffff, at p without a NUL.  Returns the end. */
static char *put_hex(char *p, unsigned n)
{
	static const char digits[] = "0123456789abcdef";
	int shift = 12;

	while (shift && !(n >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*p++ = digits[n >> shift & 15];
	return p;
}

static void print_v6(struct ip_text *t, const uint8_t *b)
{
	unsigned word[8];
	int gap, len;
	char *p = t->s;

	for (int i = 0; i < 8; i++)
		word[i] = (unsigned)b[2 * i] << 8 | b[2 * i + 1];
	gap = longest_zeros(word, &len);
	for (int i = 0; i < 8; i++) {
		if (i == gap) {
			p = stpcpy(p, "::");
			i += len - 1;
			continue;
		}
		if (i && (gap < 0 || i != gap + len))
			*p++ = ':';
		p = put_hex(p, word[i]);
	}
	*p = '\0';
}

struct ip_text ip_text(struct ip ip)
{
	struct ip_text t = { "" };
	const uint8_t *b = ip.b;

	if (ip.family == AF_INET)
		print_v4(t.s, b);
	else if (ip.family == AF_INET6 && memcmp(b, mapped_prefix, sizeof(mapped_prefix)) == 0)
		print_v4(stpcpy(t.s, "::ffff:"), b + 12);
	else if (ip.family == AF_INET6)
		print_v6(&t, b);
	return t;
}

bool cidr_parse(const char *s, struct cidr *ret)
{
	const char *slash = s ? strchr(s, '/') : NULL;
	char text[INET6_ADDRSTRLEN];
	unsigned len = 0;
	struct cidr c;
	bool mapped;

	if (!slash || !slash[1] || (size_t)(slash - s) >= sizeof(text))
		return false;
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = '\0';
	if (!parse_ip(text, &c.ip, &mapped))
		return false;
	for (const char *p = slash + 1; *p; p++) {
		if (*p < '0' || *p > '9' || len > 128)
			return false;
		len = len * 10 + (unsigned)(*p - '0');
	}
	if (mapped && len < 96)
		return false; /* the prefix is shorter than ::ffff:0:0/96 */
	c.len = mapped ? len - 96 : len;
	if (c.len > ip_bits(c.ip))
		return false;
	*ret = c;
	return true;
}

struct ip_text cidr_text(struct cidr c)
{
	struct ip_text t = ip_text(c.ip);
	char *p = t.s + strlen(t.s);

	if (*t.s) {
		*p++ = '/';
		p = put_decimal(p, c.len > 128 ? 128U : c.len);
		*p = '\0';
	}
	return t;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

bool mac_parse(const char *s, struct mac *ret)
{
	struct mac m = { .len = 0 };
	size_t length = s ? strlen(s) : 0;
	unsigned group; /* bytes between separators */
	char sep;

	if (length < 14)
		return false;
	group = s[4] == '.' ? 2 : 1;
	sep = s[2 * group];
	if (group == 1 && sep != ':' && sep != '-')
		return false;
	for (;;) {
		int high = hex_digit(s[0]), low = high < 0 ? -1 : hex_digit(s[1]);

		if (low < 0 || m.len == sizeof(m.b))
			return false;
		m.b[m.len++] = (uint8_t)(high << 4 | low);
		s += 2;
		if (m.len % group)
			continue;
		if (!*s)
			break;
		if (*s++ != sep)
			return false;
	}
	if (m.len != 6 && m.len != 8 && m.len != 20)
		return false;
	*ret = m;
	return true;
}

struct mac_text mac_text(struct mac m)
{
	static const char digits[] = "0123456789abcdef";
	struct mac_text t = { "" };
	char *p = t.s;

	for (unsigned i = 0; i < m.len && i < sizeof(m.b); i++) {
		if (i)
			*p++ = ':';
		*p++ = digits[m.b[i] >> 4];
		*p++ = digits[m.b[i] & 15];
	}
	*p = '\0';
	return t;
}

bool mac_eq(struct mac a, struct mac b)
{
	return a.len == b.len && a.len <= sizeof(a.b) && memcmp(a.b, b.b, a.len) == 0;
}

bool ip_eq(struct ip a, struct ip b)
{
	return ip_cmp(a, b) == 0;
}

int ip_cmp(struct ip a, struct ip b)
{
	unsigned size = ip_bytes(a), other = ip_bytes(b);

	if (size != other)
		return size < other ? -1 : 1;
	return memcmp(a.b, b.b, size);
}

struct ip ip_add(struct ip ip, int64_t n)
{
	uint64_t low = (uint64_t)n;
	unsigned sign = n < 0 ? 0xff : 0; /* upper bytes of n, two's complement */
	unsigned carry = 0;

	for (unsigned i = ip_bytes(ip), k = 0; i--; k++) {
		unsigned sum = ip.b[i] + carry + (k < 8 ? (unsigned)(low >> 8 * k & 0xff) : sign);

		ip.b[i] = (uint8_t)sum;
		carry = sum >> 8;
	}
	return ip;
}

bool ip_is_any(struct ip ip)
{
	static const uint8_t zero[16];

	return ip_set(ip) && memcmp(ip.b, zero, ip_bytes(ip)) == 0;
}

bool ip_is_loopback(struct ip ip)
{
	if (ip.family == AF_INET)
		return ip.b[0] == 127;
	return ip.family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&ip.v6);
}

bool ip_is_multicast(struct ip ip)
{
	if (ip.family == AF_INET)
		return (ip.b[0] & 0xf0) == 0xe0;
	return ip.family == AF_INET6 && ip.b[0] == 0xff;
}

bool ip_is_of_host(struct ip ip)
{
	static const uint8_t broadcast[] = { 255, 255, 255, 255 };

	if (!ip_set(ip) || ip_is_any(ip) || ip_is_loopback(ip) || ip_is_multicast(ip))
		return false;
	if (ip.family != AF_INET)
		return true;
	return ip.b[0] && memcmp(ip.b, broadcast, sizeof(broadcast)) != 0;
}

bool ip_is_linklocal(struct ip ip)
{
	if (ip.family == AF_INET)
		return ip.b[0] == 169 && ip.b[1] == 254;
	return ip.family == AF_INET6 && ip.b[0] == 0xfe && (ip.b[1] & 0xc0) == 0x80;
}

struct ip ip_linklocal(struct mac mac)
{
	struct ip ip = { .family = AF_INET6, .b = { 0xfe, 0x80 } };

	ip.b[8] = mac.b[0] ^ 2;
	ip.b[9] = mac.b[1];
	ip.b[10] = mac.b[2];
	ip.b[11] = 0xff;
	ip.b[12] = 0xfe;
	memcpy(ip.b + 13, mac.b + 3, 3);
	return ip;
}

struct cidr cidr_host(struct ip ip)
{
	return (struct cidr){ .ip = ip, .len = ip_bits(ip) };
}

/* Byte i of the netmask. */
static uint8_t mask_byte(unsigned len, unsigned i)
{
	if (len >= 8 * (i + 1))
		return 0xff;
	if (len <= 8 * i)
		return 0;
	return (uint8_t)(0xff00u >> (len - 8 * i));
}

struct ip cidr_network(struct cidr c)
{
	for (unsigned i = 0; i < ip_bytes(c.ip); i++)
		c.ip.b[i] &= mask_byte(c.len, i);
	return c.ip;
}

struct cidr cidr_masked(struct cidr c)
{
	c.ip = cidr_network(c);
	return c;
}

struct ip cidr_last(struct cidr c)
{
	for (unsigned i = 0; i < ip_bytes(c.ip); i++)
		c.ip.b[i] |= (uint8_t)~mask_byte(c.len, i);
	return c.ip;
}

bool cidr_contains(struct cidr c, struct ip ip)
{
	struct cidr other = { .ip = ip, .len = c.len };

	if (!ip_set(c.ip) || c.ip.family != ip.family)
		return false;
	return ip_eq(cidr_network(c), cidr_network(other));
}

bool cidr_overlaps(struct cidr a, struct cidr b)
{
	if (a.len <= b.len)
		return cidr_contains(a, b.ip);
	return cidr_contains(b, a.ip);
}

bool cidr_eq(struct cidr a, struct cidr b)
{
	return a.len == b.len && ip_eq(a.ip, b.ip);
}

bool cidr_list_has(const struct cidr *list, unsigned n, struct ip ip)
{
	for (unsigned i = 0; i < n; i++)
		if (ip_eq(list[i].ip, ip))
			return true;
	return false;
}

bool cidr_is_default(struct cidr c)
{
	return ip_is_any(c.ip) && c.len == 0;
}

bool cidr_is_anycast(struct cidr c)
{
	return c.ip.family == AF_INET6 && c.len < 127 && ip_eq(c.ip, cidr_network(c));
}

bool cidr_is_reserved(struct cidr c, struct cidr *ret)
{
	static const struct cidr reserved[] = {
		{ { AF_INET, { { 0 } } }, 8 },
		{ { AF_INET, { { 127 } } }, 8 },
		{ { AF_INET, { { 169, 254 } } }, 16 },
		{ { AF_INET, { { 224 } } }, 4 },
		{ { AF_INET, { { 255, 255, 255, 255 } } }, 32 },
		{ { AF_INET6, { { [15] = 1 } } }, 128 },
		{ { AF_INET6, { { 0 } } }, 128 },
		{ { AF_INET6, { { 0xfe, 0x80 } } }, 10 },
		{ { AF_INET6, { { 0xff } } }, 8 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(reserved); i++)
		if (cidr_overlaps(c, reserved[i])) {
			*ret = reserved[i];
			return true;
		}
	return false;
}
