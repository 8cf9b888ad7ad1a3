/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpc_impl.h - what the files of rpc share
 */
#ifndef CPLUG_DHCP_RPC_IMPL_H
#define CPLUG_DHCP_RPC_IMPL_H

#include "ipam/dhcp/rpc.h"

/* Composes a call: header and body, with their definitions. */
void rpc_put_call(struct gob_out *o, const char *method, const struct rpc_args *a);

#endif
