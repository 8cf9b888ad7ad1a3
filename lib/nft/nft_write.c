// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nft_write.c - statements that write into the packet
 */
#include <stdio.h> /* before libnftnl, which needs it */

#include <libnftnl/expr.h>

#include "nft/nft_impl.h"
#include "nft/nft.h"

void nft_set_ip6_daddr(struct nft *n)
{
	enum { IP6_DADDR = 24 };
	uint32_t reg = nft_consume_regs(n);
	struct nftnl_expr *e = nft_new_expr(n, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_SREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, IP6_DADDR);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, 16);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_NONE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, 0);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_FLAGS, NFT_PAYLOAD_L4CSUM_PSEUDOHDR);
}

void nft_set_ip6_daddr_to(struct nft *n, struct ip ip)
{
	struct nftnl_expr *e = nft_new_expr(n, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, nft_take_regs(n, 16));
	nft_set_bytes(n, e, NFTNL_EXPR_IMM_DATA, ip.b, 16);
	nft_set_ip6_daddr(n);
}
