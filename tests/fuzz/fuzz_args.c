// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_args.c - CNI_ARGS; parsers of addresses, prefixes, MAC addresses and names
 */
#include "fuzz.h"
#include "value/name.h"

static void same(bool good)
{
	if (!good)
		__builtin_trap();
}

static void texts(const char *s)
{
	struct cidr cidr, cidr2;
	struct mac mac, mac2;
	struct ip ip, ip2;

	if (ip_parse(s, &ip))
		same(ip_parse(IP_S(ip), &ip2) && ip_eq(ip, ip2));
	if (cidr_parse(s, &cidr))
		same(cidr_parse(CIDR_S(cidr), &cidr2) && cidr_eq(cidr, cidr2) &&
		     cidr_contains(cidr, cidr_last(cidr)));
	if (mac_parse(s, &mac))
		same(mac_parse(MAC_S(mac), &mac2) && mac_eq(mac, mac2));
	name_valid_id(s);
	name_invalid_ifname(s);
	name_valid_type(s);
	result_version_number(s);
}

void fuzz_one(struct tx *tx, char *data, size_t size UNUSED)
{
	static const char *const keys[] = { "IP", "MAC", "GATEWAY", "K8S_POD_NAME" };
	struct call c = { .args = data };
	const char *value;
	int r;

	texts(data);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		r = call_arg(tx, &c, keys[i], &value);
		fuzz_expect(tx, r);
		if (r < 0)
			return;
		if (value)
			texts(value);
	}
}
