/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_impl.h - what the nft*.c share: the kernel's numbers, and what a
 * change-set is inside
 *
 * Messages are built one behind the other in a buffer of the arena, without the
 * batch's head and foot, which the commit adds.  Positions are offsets, because
 * the buffer moves when it grows.
 */
#ifndef CPLUG_NFT_IMPL_H
#define CPLUG_NFT_IMPL_H

#include <netinet/in.h> /* before the kernel's own */

#include "base/mem.h"
#include "base/util.h"

/* The kernel's enumerators that share a name with ours (enum nft_field) get out of the way. */
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
#undef NFT_META_IIFTYPE /* a second name of NFT_META_IFTYPE */
#undef NFT_CT_STATE
#undef NFT_CT_STATUS
#undef NFT_CT_MARK

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>

struct nftnl_rule;

/* Every message of nf_tables names its table in this attribute. */
#define NFT_TABLE_ATTR 1
_Static_assert(NFTA_TABLE_NAME == NFT_TABLE_ATTR && NFTA_CHAIN_TABLE == NFT_TABLE_ATTR &&
		       NFTA_RULE_TABLE == NFT_TABLE_ATTR && NFTA_SET_TABLE == NFT_TABLE_ATTR &&
		       NFTA_SET_ELEM_LIST_TABLE == NFT_TABLE_ATTR,
	       "the table's name is the first attribute everywhere");

/* Our private bytes in an element's userdata: a type that nft does not know, and skips. */
enum { NFT_UDATA_PRIVATE = 0xc9 };

struct nft {
	struct mem *mem;
	uint8_t family;
	const char *table;
	int err;         /* the first thing wrong with what was said, … */
	const char *why; /* … told by the commit */

	char *buf;
	size_t used, room;
	unsigned count; /* of messages */
	bool deletes;
	uint32_t sets; /* the last set's number in the transaction */

	/* The element message that is still open: elements of one kind share one. */
	struct {
		const char *set; /* NULL = none is open */
		int type, flags;
		size_t nest;
	} elems;

	/* The rule that is being said. */
	struct nftnl_rule *rule;
	unsigned words, regs; /* regs: 32-bit registers loaded and not yet consumed */
};

/* Remembers what went wrong first. */
void nft_wrong(struct nft *n, int err, const char *why);

/*
 * Starts a message of the change-set, with room for size bytes of attributes; ends
 * it.  nft_named() starts one that begins with the table's name and another.
 */
struct nlmsghdr *nft_msg(struct nft *n, int type, int flags, size_t size);
struct nlmsghdr *nft_named(struct nft *n, int type, int flags, uint16_t name_attr,
			   const char *name);
void nft_put_name(struct nft *n, struct nlmsghdr *h, uint16_t attr, const char *name);
void nft_msg_end(struct nft *n, const struct nlmsghdr *h);

/* The message at an offset; room for size bytes behind all (moves the buffer). */
struct nlmsghdr *nft_at(const struct nft *n, size_t offset);
void nft_reserve(struct nft *n, size_t size);

/* Are the expressions of two rules (NFTA_RULE_EXPRESSIONS; NULL = none) the same? */
bool nft_same_rule(const struct nlattr *want, const struct nlattr *have);
/* Are they of one kind: the same expressions, with the same verdicts, on other values? */
bool nft_alike(const struct nlattr *a, const struct nlattr *b);
/* What a rule looks up and decides, in a few words. */
const char *nft_describe_rule(struct mem *mem, const struct nlattr *rule);

/* Ends the element message, if one is open. */
void nft_close_elems(struct nft *n);

#endif
