/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_impl.h - shared by the nft*.c: the kernel's numbers, and the inside of a change-set
 *
 * Messages are built one after the other in a buffer in the arena; the commit adds head and foot of
 * the batch.  Positions are offsets, because the buffer moves when it grows.
 */
#ifndef CPLUG_NFT_IMPL_H
#define CPLUG_NFT_IMPL_H

#include <netinet/in.h> /* before the kernel's headers */

#include "base/mem.h"
#include "base/util.h"

/* The kernel has enumerators with the names of some in enum nft_field: rename the kernel's. */
#define NFT_META_PROTOCOL KERNEL_META_PROTOCOL
#define NFT_META_NFPROTO KERNEL_META_NFPROTO
#define NFT_META_L4PROTO KERNEL_META_L4PROTO
#define NFT_META_MARK KERNEL_META_MARK
#define NFT_META_IIFNAME KERNEL_META_IIFNAME
#define NFT_META_OIFNAME KERNEL_META_OIFNAME
#define NFT_CT_STATE KERNEL_CT_STATE
#define NFT_CT_STATUS KERNEL_CT_STATUS
#define NFT_CT_MARK KERNEL_CT_MARK
#include <linux/netfilter/nf_tables.h>
#undef NFT_META_PROTOCOL
#undef NFT_META_NFPROTO
#undef NFT_META_L4PROTO
#undef NFT_META_MARK
#undef NFT_META_IIFNAME
#undef NFT_META_OIFNAME
#undef NFT_META_IIFTYPE /* an alias of NFT_META_IFTYPE */
#undef NFT_CT_STATE
#undef NFT_CT_STATUS
#undef NFT_CT_MARK

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>

struct nftnl_rule;
struct nftnl_expr;

/* Every message of nf_tables names its table in this attribute. */
#define NFT_TABLE_ATTR 1
_Static_assert(NFTA_TABLE_NAME == NFT_TABLE_ATTR && NFTA_CHAIN_TABLE == NFT_TABLE_ATTR &&
		       NFTA_RULE_TABLE == NFT_TABLE_ATTR && NFTA_SET_TABLE == NFT_TABLE_ATTR &&
		       NFTA_SET_ELEM_LIST_TABLE == NFT_TABLE_ATTR,
	       "the table's name is the first attribute everywhere");

/* Type of our private bytes in an element's userdata.  nft skips types that it does not know. */
enum { NFT_UDATA_PRIVATE = 0xc9 };

struct nft {
	struct mem *mem;
	uint8_t family;
	const char *table;
	int err;         /* the first error, … */
	const char *why; /* … and its reason, for the commit */

	char *buf;
	size_t used, room;
	unsigned count; /* number of messages */
	bool deletes;
	uint32_t sets; /* id of the last set (NFTA_SET_ID) */

	/* The open element message: elements of one set, operation and flags share a message. */
	struct {
		const char *set; /* NULL = none is open */
		int type, flags;
		size_t nest;
	} elems;

	/* The open rule. */
	struct nftnl_rule *rule;
	unsigned exprs, regs; /* expressions; 32-bit registers loaded and not yet consumed */
};

/* Stores the first error. */
void nft_wrong(struct nft *n, int err, const char *why);

/* Adds an expression to the open rule; NULL on an error, which is stored. */
struct nftnl_expr *nft_new_expr(struct nft *n, const char *name);
void nft_set_bytes(struct nft *n, struct nftnl_expr *e, uint16_t attr, const void *data,
		   unsigned len);
/* The next free registers for len bytes; the first register of the loaded values, frees all. */
uint32_t nft_take_regs(struct nft *n, unsigned len);
uint32_t nft_consume_regs(struct nft *n);

/*
 * Begins a message of the change-set with room for size bytes of attributes, and ends it.
 * nft_named() begins one with the names of the table and of another object.
 */
struct nlmsghdr *nft_msg(struct nft *n, int type, int flags, size_t size);
struct nlmsghdr *nft_named(struct nft *n, int type, int flags, uint16_t name_attr,
			   const char *name);
void nft_put_name(struct nft *n, struct nlmsghdr *h, uint16_t attr, const char *name);
void nft_msg_end(struct nft *n, const struct nlmsghdr *h);

/* The message at an offset; and room for size more bytes (may move the buffer). */
struct nlmsghdr *nft_at(const struct nft *n, size_t offset);
void nft_reserve(struct nft *n, size_t size);

/* Do two rules have the same expressions (NFTA_RULE_EXPRESSIONS; NULL = none)? */
bool nft_same_rule(const struct nlattr *want, const struct nlattr *have);
/* Do they differ in values only: the same expressions, with the same verdicts? */
bool nft_alike(const struct nlattr *a, const struct nlattr *b);
/* What a rule looks up and decides, as text. */
const char *nft_describe_rule(struct mem *mem, const struct nlattr *rule);

/* Ends the open element message, if there is one. */
void nft_close_elems(struct nft *n);

#endif
