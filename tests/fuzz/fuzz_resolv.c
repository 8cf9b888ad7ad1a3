// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_resolv.c - resolv.conf files
 */
#include "fuzz.h"
#include "cni/resolv.h"

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	struct result_dns d = resolv_parse(&tx->mem, data);
	size_t n = 0;

	for (unsigned i = 0; i < d.n_nameservers; i++)
		n += strlen(d.nameservers[i]);
	for (unsigned i = 0; i < d.n_search; i++)
		n += strlen(d.search[i]);
	for (unsigned i = 0; i < d.n_options; i++)
		n += strlen(d.options[i]);
	if (n > strlen(data) + size)
		__builtin_trap();
}
