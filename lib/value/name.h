/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * name.h - names that are computed, never remembered, and what a name may be
 *
 * Everything cplug makes for an attachment is named after (network, container
 * id, interface name), so DEL and GC find it with nothing but those (house rule
 * R10).
 */
#ifndef CPLUG_NAME_H
#define CPLUG_NAME_H

#include <net/if.h>

#include "base/mem.h"
#include "base/util.h"

enum { SHA512_SIZE = 64 };

/* SHA-512 (FIPS 180-4). */
void sha512(const void *data, size_t size, uint8_t ret[SHA512_SIZE]);

/*
 * prefix followed by the lower-case hexadecimal SHA-512 of text, cut to len
 * characters in all; out has room for len + 1.  len <= strlen(prefix) + 128.
 * (The reference's utils.MustFormatHashWithPrefix.)
 */
void name_hash(char *out, size_t len, const char *prefix, const char *text);

/* The key of an attachment, and the name of its host-side interface. */
struct name_owner {
	char s[IFNAMSIZ];
};

/*
 * "veth" and 11 hexadecimal digits of SHA-512("network/id/ifname"): 15 characters.
 * The prefix is one that NetworkManager leaves alone.
 */
struct name_owner name_owner(const char *network, const char *id, const char *ifname);

/* Container id or network name: ^[a-zA-Z0-9][a-zA-Z0-9_.-]*$ (CNI spec). */
bool name_valid_id(const char *s);

/*
 * An interface name: 1 to 15 bytes, not "." or "..", no '/' or ':', no white
 * space (Unicode's included).  Returns NULL if valid, else the reason, like
 * "interface name is too long".
 */
const char *name_invalid_ifname(const char *s);

/* A plugin type: not empty, no '/', not "." or "..". */
bool name_valid_type(const char *s);

#endif
