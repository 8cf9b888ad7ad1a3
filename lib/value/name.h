/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * name.h - derived names, and which names are valid
 *
 * Every object of an attachment has a name derived from (network, container id, interface
 * name), so DEL and GC find it without any stored state (rule R10).
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
 * Writes prefix and the SHA-512 of text in lower-case hexadecimal, cut to len characters in
 * all; out has room for len + 1.  len <= strlen(prefix) + 128.  (As the reference's
 * utils.MustFormatHashWithPrefix.)
 */
void name_hash(char *out, size_t len, const char *prefix, const char *text);

/* The key of an attachment; also the name of its host-side interface. */
struct name_owner {
	char s[IFNAMSIZ];
};

/*
 * "veth" and 11 hexadecimal digits of SHA-512("network/id/ifname"): 15 characters.
 * NetworkManager ignores links with this prefix.
 */
struct name_owner name_owner(const char *network, const char *id, const char *ifname);

/* The device that connects the nodes of a cluster (docs/cluster.md). */
#define NAME_OF_WIRE "cplug-vxlan"

/* A container id or network name: ^[a-zA-Z0-9][a-zA-Z0-9_.-]*$ (CNI spec, section 2). */
bool name_valid_id(const char *s);

/*
 * An interface name: 1 to 15 bytes, not "." or "..", no '/', no ':', no white space (also none
 * of Unicode's).  Returns NULL if it is valid, else the reason: "interface name is too long".
 */
const char *name_invalid_ifname(const char *s);

/* The remedy, if the kernel refuses the name because it is the folder of a sysctl; else NULL. */
const char *name_reserved_ifname(const char *s);

/* A plugin type: not empty, not "." or "..", no '/'. */
bool name_valid_type(const char *s);

#endif
