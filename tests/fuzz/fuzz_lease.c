// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_lease.c - lease files
 */
#include "ipam/host-local/lease.h"
#include "fuzz.h"

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	struct lessee o = { .id = NULL };

	if (!lease_parse(data, size, &o))
		return;
	if (!o.id || !*o.id)
		__builtin_trap();
	(void)lessee_text(&tx->mem, &o);
}
