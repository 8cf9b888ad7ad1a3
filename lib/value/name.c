// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * name.c - derived names, and which names are valid
 *
 * A derived name is a prefix and the first digits of a SHA-512, which the reference uses for
 * its chains and devices, too.  The hash (FIPS 180-4; numbers in comments are its sections)
 * takes its input in pieces, so composing the input needs no memory.
 */
#include <endian.h>

#include "value/name.h"

enum { BLOCK = 128, LENGTH_AT = BLOCK - 16 };

struct sha {
	uint64_t h[8];
	uint64_t size; /* bytes fed so far */
	uint8_t block[BLOCK];
};

/* 5.3.5: first 64 bits of the fractional parts of the square roots of 8 primes */
static const uint64_t sha_start[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* 4.2.3: the same of the cube roots of 80 primes */
static const uint64_t sha_k[80] = {
	0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
	0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
	0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
	0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
	0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
	0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
	0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
	0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
	0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
	0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
	0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
	0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
	0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
	0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
	0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
	0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
	0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
	0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
	0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
	0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static uint64_t ror(uint64_t x, int n)
{
	return x >> n | x << (64 - n);
}

/* 6.4.1 and 6.4.2, step 1: the message schedule */
static void sha_schedule(uint64_t w[80], const uint8_t *p)
{
	for (int t = 0; t < 16; t++) {
		uint64_t word;

		memcpy(&word, p + 8 * t, sizeof(word));
		w[t] = be64toh(word);
	}
	for (int t = 16; t < 80; t++) {
		uint64_t s0 = ror(w[t - 15], 1) ^ ror(w[t - 15], 8) ^ w[t - 15] >> 7;
		uint64_t s1 = ror(w[t - 2], 19) ^ ror(w[t - 2], 61) ^ w[t - 2] >> 6;

		w[t] = s1 + w[t - 7] + s0 + w[t - 16];
	}
}

/* 6.4.2, steps 2 to 4.  The working variables are scalars, because they stay in registers. */
static void sha_block(uint64_t h[8], const uint8_t *p)
{
	uint64_t a = h[0], b = h[1], c = h[2], d = h[3];
	uint64_t e = h[4], f = h[5], g = h[6], last = h[7], w[80];

	sha_schedule(w, p);
	for (int t = 0; t < 80; t++) {
		uint64_t s1 = ror(e, 14) ^ ror(e, 18) ^ ror(e, 41);
		uint64_t s0 = ror(a, 28) ^ ror(a, 34) ^ ror(a, 39);
		uint64_t t1 = last + s1 + ((e & f) ^ (~e & g)) + sha_k[t] + w[t];
		uint64_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));

		last = g;
		g = f;
		f = e;
		e = d + t1;
		d = c;
		c = b;
		b = a;
		a = t1 + t2;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
	h[5] += f;
	h[6] += g;
	h[7] += last;
}

static void sha_begin(struct sha *s)
{
	s->size = 0;
	memcpy(s->h, sha_start, sizeof(s->h));
}

static void sha_feed(struct sha *s, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size) {
		size_t at = (size_t)(s->size % BLOCK);
		size_t n = size < BLOCK - at ? size : BLOCK - at;

		memcpy(s->block + at, p, n);
		p += n;
		size -= n;
		s->size += n;
		if (at + n == BLOCK)
			sha_block(s->h, s->block);
	}
}

/* Padding: a one bit, zeros, the length in bits as a 128-bit number (5.1.2). */
static void sha_end(struct sha *s, uint8_t ret[SHA512_SIZE])
{
	static const uint8_t pad[BLOCK] = { 0x80 };
	uint64_t size = s->size;
	size_t at = (size_t)(size % BLOCK);
	uint8_t length[16];

	for (int i = 0; i < 8; i++) {
		length[i] = i < 7 ? 0 : (uint8_t)(size >> 61);
		length[15 - i] = (uint8_t)(size << 3 >> 8 * i);
	}
	sha_feed(s, pad, (at < LENGTH_AT ? LENGTH_AT : BLOCK + LENGTH_AT) - at);
	sha_feed(s, length, sizeof(length));
	for (int i = 0; i < SHA512_SIZE; i++)
		ret[i] = (uint8_t)(s->h[i / 8] >> (56 - 8 * (i % 8)));
}

void sha512(const void *data, size_t size, uint8_t ret[SHA512_SIZE])
{
	struct sha s;

	sha_begin(&s);
	sha_feed(&s, data, size);
	sha_end(&s, ret);
}

/* prefix and the digits of the hash, len characters in all. */
static void write_name(char *out, size_t len, const char *prefix, const uint8_t hash[SHA512_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strlen(prefix);

	for (size_t i = 0; i < len; i++) {
		size_t k = i - n;

		if (i < n)
			out[i] = prefix[i];
		else
			out[i] = digits[hash[k / 2] >> (k % 2 ? 0 : 4) & 15];
	}
	out[len] = '\0';
}

void name_hash(char *out, size_t len, const char *prefix, const char *text)
{
	uint8_t hash[SHA512_SIZE];

	sha512(text, strlen(text), hash);
	write_name(out, len, prefix, hash);
}

struct name_owner name_owner(const char *network, const char *id, const char *ifname)
{
	uint8_t hash[SHA512_SIZE];
	struct name_owner owner;
	struct sha s;

	sha_begin(&s);
	sha_feed(&s, network, strlen(network));
	sha_feed(&s, "/", 1);
	sha_feed(&s, id, strlen(id));
	sha_feed(&s, "/", 1);
	sha_feed(&s, ifname, strlen(ifname));
	sha_end(&s, hash);
	write_name(owner.s, sizeof(owner.s) - 1, "veth", hash);
	return owner;
}

/* isalnum(3) would depend on the locale. */
static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool name_valid_id(const char *s)
{
	if (!s || !alnum(*s))
		return false;
	while (alnum(*s) || *s == '_' || *s == '.' || *s == '-')
		s++;
	return !*s;
}

/* White space: the characters with Unicode's property White_Space, in UTF-8. */
static bool starts_with_space(const char *s)
{
	static const char *const wide[] = {
		"\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
		"\u2004",   "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
		"\u2028",   "\u2029", "\u202f", "\u205f", "\u3000",
	};

	if (!(*s & 0x80))
		return *s == ' ' || (*s >= '\t' && *s <= '\r');
	for (unsigned i = 0; i < ARRAY_LEN(wide); i++)
		if (str_starts(s, wide[i]))
			return true;
	return false;
}

const char *name_invalid_ifname(const char *s)
{
	if (str_empty(s))
		return "interface name is empty";
	if (strlen(s) >= IFNAMSIZ)
		return "interface name is too long";
	if (str_eq(s, ".") || str_eq(s, ".."))
		return "interface name is . or ..";
	for (const char *p = s; *p; p++)
		if (*p == '/' || *p == ':' || starts_with_space(p))
			return "interface name contains / or : or whitespace characters";
	/* The kernel would make eth0 of eth%d, or refuse it (__dev_alloc_name()). */
	if (strchr(s, '%'))
		return "interface name contains %, for which the kernel puts a number";
	return NULL;
}

const char *name_reserved_ifname(const char *s)
{
	if (str_eq(s, "all") || str_eq(s, "default"))
		return "the kernel keeps the names all and default for itself (choose another)";
	return NULL;
}

bool name_valid_type(const char *s)
{
	return !str_empty(s) && !strchr(s, '/') && !str_eq(s, ".") && !str_eq(s, "..");
}
