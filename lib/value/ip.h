/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ip.h - IP addresses, prefixes and MAC addresses as values
 *
 * Text: IPv4 is a dotted quad without leading zeros (inet_pton(3)); IPv6 is read as RFC 4291
 * and printed as RFC 5952.  ::ffff:a.b.c.d is read as IPv4, as Go's net package does.  Only
 * the parsers can fail: they return false and leave *ret unchanged.
 */
#ifndef CPLUG_IP_H
#define CPLUG_IP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/util.h"

struct ip {
	int family; /* AF_INET, AF_INET6, or 0: no address */
	union {
		uint8_t b[16];
		struct in_addr v4;
		struct in6_addr v6;
	};
};

struct cidr {
	struct ip ip;
	unsigned len; /* prefix length in bits */
};

struct mac {
	uint8_t b[20];
	unsigned len; /* in bytes: 6, 8 or 20; 0: none */
};

/* Texts are returned by value; the macros give a char * that is valid in its expression. */
struct ip_text {
	char s[INET6_ADDRSTRLEN + 4];
};
struct mac_text {
	char s[64];
};
#define IP_S(ip) (ip_text(ip).s)
#define CIDR_S(cidr) (cidr_text(cidr).s)
#define MAC_S(mac) (mac_text(mac).s)

bool ip_parse(const char *s, struct ip *ret);
struct ip_text ip_text(struct ip ip); /* "" for no address */

/* "10.1.0.5/24" keeps its host bits.  ::ffff:10.1.1.1/120 becomes 10.1.1.1/24. */
bool cidr_parse(const char *s, struct cidr *ret);
struct ip_text cidr_text(struct cidr c);

/* 6, 8 or 20 bytes as "aa:bb:…", "aa-bb-…" or "aabb.ccdd.…", in any case. */
bool mac_parse(const char *s, struct mac *ret);
struct mac_text mac_text(struct mac m); /* lower-case, colons; "" for none */
bool mac_eq(struct mac a, struct mac b);

unsigned ip_bits(struct ip ip);  /* 32 or 128; 0 for none */
unsigned ip_bytes(struct ip ip); /* 4 or 16; 0 for none */
bool ip_set(struct ip ip);       /* is there an address? */
bool ip_eq(struct ip a, struct ip b);
/* <0, 0, >0: by family (IPv4 first), then numerically. */
int ip_cmp(struct ip a, struct ip b);
/* ip + n; wraps around. */
struct ip ip_add(struct ip ip, int64_t n);
bool ip_is_any(struct ip ip);       /* 0.0.0.0 or :: */
bool ip_is_loopback(struct ip ip);  /* 127/8 or ::1 */
bool ip_is_multicast(struct ip ip); /* 224/4 or ff00::/8 */
bool ip_is_linklocal(struct ip ip); /* 169.254/16 or fe80::/10 */
/* May an interface of another host have it?  Not 0/8, ::, loopback, multicast or broadcast. */
bool ip_is_of_host(struct ip ip);
/* The IPv6 link-local address that the kernel derives from a MAC of 6 bytes (EUI-64, RFC 4291). */
struct ip ip_linklocal(struct mac mac);

struct cidr cidr_host(struct ip ip);             /* ip/32 or ip/128 */
struct ip cidr_network(struct cidr c);           /* host bits cleared */
struct cidr cidr_masked(struct cidr c);          /* the same, with the length */
struct ip cidr_last(struct cidr c);              /* all host bits set (IPv4: broadcast) */
bool cidr_contains(struct cidr c, struct ip ip); /* false if the families differ */
bool cidr_overlaps(struct cidr a, struct cidr b);
bool cidr_eq(struct cidr a, struct cidr b); /* address and length */

/* Has one of the n entries this address, whatever its length? */
bool cidr_list_has(const struct cidr *list, unsigned n, struct ip ip);
bool cidr_is_default(struct cidr c); /* 0.0.0.0/0 or ::/0 */
/*
 * Is the address the subnet-router anycast address of its prefix (RFC 4291, 2.6.1), which every
 * router of the subnet has?  A /127 or /128 has none (RFC 6164).
 */
bool cidr_is_anycast(struct cidr c);
/*
 * Does it overlap a prefix whose addresses reach no other host: 0/8, loopback, link-local,
 * multicast, broadcast?  *ret: that prefix.
 */
bool cidr_is_reserved(struct cidr c, struct cidr *ret);

#endif
