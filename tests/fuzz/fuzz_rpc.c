// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_rpc.c - streams that the DHCP daemon and its plugin read from each other
 */
#include "fuzz.h"
#include "ipam/dhcp/rpc.h"

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	struct rpc_reply reply = { .in = { .data = (const uint8_t *)data, .size = size } };
	struct rpc_request request;
	struct rpc_args args;
	struct result result;
	const char *text;
	unsigned n = 0;

	while (gob_next(&reply.in, &reply.body) == 1 && n++ < 64) {
		result_init(&result, &tx->mem);
		if (rpc_read_request(&reply.in, &reply.body, &request) == 0 &&
		    strlen(request.method) >= sizeof(request.method))
			__builtin_trap();
		if (rpc_read_args(&tx->mem, &reply.in, &reply.body, &args) == 0 &&
		    args.conf[args.size])
			__builtin_trap();
		fuzz_expect(tx, rpc_read_result(tx, &reply, &result));
		if (tx->err || rpc_read_text(tx, &reply, &text) < 0)
			return;
	}
}
