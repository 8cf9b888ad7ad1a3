// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nft.c - change-sets: messages, and the commit
 *
 * A change-set is a sequence of netlink messages in one buffer.  The commit puts head and foot of a
 * batch around them and sends all with one sendmsg().  The kernel executes all of them or none.
 * Only the last message asks for an acknowledgement.  Since the kernel reports refused messages
 * anyway, and before that acknowledgement, reading up to it finds every refusal.  An answer to the
 * batch's head concerns the whole batch and is the only one.
 *
 * linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/uio.h>

#include <linux/netfilter.h>

#include <libnftnl/common.h>
#include <libnftnl/udata.h>

#include "nft/nft_impl.h"
#include "nft/nft.h"

enum {
	FIRST_ROOM = 4096,
	NAME_ROOM = 1024, /* two names of at most 255 bytes, and small attributes */
};

void nft_wrong(struct nft *n, int err, const char *why)
{
	if (n->err)
		return;
	n->err = err;
	n->why = why;
}

struct nft *nft_new(struct mem *mem, uint8_t family, const char *table)
{
	struct nft *n = mem_alloc(mem, sizeof(*n));

	n->mem = mem;
	n->family = family;
	n->table = mem_str(n->mem, table);
	return n;
}

bool nft_is_empty(const struct nft *n)
{
	return n->count == 0 && !n->elems.set;
}

/* ---- messages ---- */

struct nlmsghdr *nft_at(const struct nft *n, size_t offset)
{
	return (void *)(n->buf + offset);
}

void nft_reserve(struct nft *n, size_t size)
{
	size_t open = n->elems.set ? nft_at(n, n->used)->nlmsg_len : 0;
	size_t room = n->room ? n->room : FIRST_ROOM;
	char *bigger;

	if (n->room - n->used >= open + size)
		return;
	while (room - n->used < open + size)
		room *= 2;
	bigger = mem_alloc(n->mem, room);
	if (n->used + open)
		memcpy(bigger, n->buf, n->used + open);
	n->buf = bigger;
	n->room = room;
}

void nft_close_elems(struct nft *n)
{
	struct nlmsghdr *h;

	if (!n->elems.set)
		return;
	h = nft_at(n, n->used);
	mnl_attr_nest_end(h, (void *)(n->buf + n->elems.nest));
	n->elems.set = NULL;
	nft_msg_end(n, h);
}

struct nlmsghdr *nft_msg(struct nft *n, int type, int flags, size_t size)
{
	nft_close_elems(n);
	nft_reserve(n, size);
	if (type == NFT_MSG_DELTABLE || type == NFT_MSG_DELCHAIN || type == NFT_MSG_DELRULE ||
	    type == NFT_MSG_DELSET || type == NFT_MSG_DELSETELEM)
		n->deletes = true;
	return nftnl_nlmsg_build_hdr(n->buf + n->used, (uint16_t)type, n->family, (uint16_t)flags,
				     0);
}

void nft_msg_end(struct nft *n, const struct nlmsghdr *h)
{
	n->used += nfnl_align(h->nlmsg_len);
	n->count++;
}

/*
 * Names contain names of networks and devices: report one that is too long instead of cutting it.
 */
void nft_put_name(struct nft *n, struct nlmsghdr *h, uint16_t attr, const char *name)
{
	if (strlen(name) >= NFT_NAME_MAXLEN) {
		nft_wrong(n, -ENAMETOOLONG, "a name of more than 255 bytes");
		name = "";
	}
	mnl_attr_put_strz(h, attr, name);
}

/* A message that names an object of the table. */
struct nlmsghdr *nft_named(struct nft *n, int type, int flags, uint16_t name_attr, const char *name)
{
	struct nlmsghdr *h = nft_msg(n, type, flags, NAME_ROOM);

	nft_put_name(n, h, NFT_TABLE_ATTR, n->table);
	if (name)
		nft_put_name(n, h, name_attr, name);
	return h;
}

/* ---- tables and chains ---- */

void nft_table(struct nft *n, const char *comment)
{
	struct nlmsghdr *h = nft_named(n, NFT_MSG_NEWTABLE, NLM_F_CREATE, 0, NULL);
	uint8_t u[2 + NFT_COMMENT_MAX + 1] = { NFTNL_UDATA_TABLE_COMMENT };

	if (comment) {
		size_t len = strnlen(comment, NFT_COMMENT_MAX);

		u[1] = (uint8_t)(len + 1);
		memcpy(u + 2, comment, len);
		mnl_attr_put(h, NFTA_TABLE_USERDATA, 2 + len + 1, u);
	}
	nft_msg_end(n, h);
}

void nft_table_active(struct nft *n)
{
	struct nlmsghdr *h = nft_named(n, NFT_MSG_NEWTABLE, NLM_F_CREATE, 0, NULL);

	mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, 0);
	nft_msg_end(n, h);
}

void nft_del_table(struct nft *n)
{
	nft_msg_end(n, nft_named(n, NFT_MSG_DELTABLE, 0, 0, NULL));
}

void nft_chain(struct nft *n, const char *chain)
{
	nft_msg_end(n, nft_named(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFTA_CHAIN_NAME, chain));
}

static struct nlmsghdr *base_chain(struct nft *n, const char *chain, const char *type,
				   uint32_t hook, int32_t priority)
{
	struct nlmsghdr *h = nft_named(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFTA_CHAIN_NAME, chain);
	struct nlattr *nest = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);

	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(hook));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)priority));
	mnl_attr_nest_end(h, nest);
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, type);
	return h;
}

void nft_base_chain(struct nft *n, const char *chain, const char *type, uint32_t hook,
		    int32_t priority)
{
	struct nlmsghdr *h = base_chain(n, chain, type, hook, priority);

	mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	nft_msg_end(n, h);
}

void nft_base_chain_of_others(struct nft *n, const char *chain, const char *type, uint32_t hook,
			      int32_t priority)
{
	nft_msg_end(n, base_chain(n, chain, type, hook, priority));
}

void nft_flush_chain(struct nft *n, const char *chain)
{
	nft_msg_end(n, nft_named(n, NFT_MSG_DELRULE, 0, NFTA_RULE_CHAIN, chain));
}

void nft_fresh_chain(struct nft *n, const char *chain)
{
	nft_chain(n, chain);
	nft_flush_chain(n, chain);
}

void nft_del_chain(struct nft *n, const char *chain)
{
	nft_msg_end(n, nft_named(n, NFT_MSG_DELCHAIN, 0, NFTA_CHAIN_NAME, chain));
}

void nft_del_rule(struct nft *n, const char *chain, uint64_t handle)
{
	struct nlmsghdr *h = nft_named(n, NFT_MSG_DELRULE, 0, NFTA_RULE_CHAIN, chain);

	mnl_attr_put_u64(h, NFTA_RULE_HANDLE, htobe64(handle));
	nft_msg_end(n, h);
}

void nft_del_set(struct nft *n, const char *set)
{
	nft_msg_end(n, nft_named(n, NFT_MSG_DELSET, 0, NFTA_SET_NAME, set));
}

/* ---- committing ---- */

/* Numbers the messages, from seq on; only the last one asks for an acknowledgement. */
static void number_messages(struct nft *n, uint32_t seq)
{
	struct nlmsghdr *h = NULL;

	for (size_t o = 0; o < n->used; o += nfnl_align(h->nlmsg_len)) {
		h = nft_at(n, o);
		h->nlmsg_seq = seq++;
		h->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	}
	if (h)
		h->nlmsg_flags |= NLM_F_ACK;
}

struct commit {
	struct nfnl *nl;
	const struct nft *n;
	uint32_t head, last; /* sequence numbers of the batch's head and of the last message */
	int err;             /* the first refusal */
	nft_handle_fn *each; /* NULL = nothing asks for an answer */
	void *arg;
};

/* Puts the refused operation before the kernel's message, which is often missing. */
static void explain_refusal(struct nfnl *nl, const struct nft *n, uint32_t index)
{
	static const struct {
		uint8_t type, name;
		const char *what;
	} known[] = {
		{ NFT_MSG_NEWTABLE, NFTA_TABLE_NAME, "add table" },
		{ NFT_MSG_DELTABLE, NFTA_TABLE_NAME, "delete table" },
		{ NFT_MSG_NEWCHAIN, NFTA_CHAIN_NAME, "add chain" },
		{ NFT_MSG_DELCHAIN, NFTA_CHAIN_NAME, "delete chain" },
		{ NFT_MSG_NEWRULE, NFTA_RULE_CHAIN, "add rule to chain" },
		{ NFT_MSG_DELRULE, NFTA_RULE_CHAIN, "flush chain" },
		{ NFT_MSG_NEWSET, NFTA_SET_NAME, "add set" },
		{ NFT_MSG_DELSET, NFTA_SET_NAME, "delete set" },
		{ NFT_MSG_NEWSETELEM, NFTA_SET_ELEM_LIST_SET, "add element to" },
		{ NFT_MSG_DELSETELEM, NFTA_SET_ELEM_LIST_SET, "delete element of" },
	};
	const struct nlmsghdr *h = nft_at(n, 0);
	const char *what, *name, *colon = *nl->why ? ": " : "";
	char words[sizeof(nl->why)];

	while (index--)
		h = (const void *)((const char *)h + nfnl_align(h->nlmsg_len));
	for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i].type != (h->nlmsg_type & 0xff))
			continue;
		what = known[i].what;
		if (known[i].type == NFT_MSG_DELRULE && nfnl_attr(h, NFTA_RULE_HANDLE))
			what = "delete rule of chain";
		name = nfnl_text(nfnl_attr(h, known[i].name));
		memcpy(words, nl->why, sizeof(words));
		snprintf(nl->why, sizeof(nl->why), "%s %.64s%s%.64s", what, name, colon, words);
		return;
	}
}

static void note_handle(const struct nlmsghdr *h, const struct commit *c)
{
	const struct nlattr *handle = nfnl_attr(h, NFTA_RULE_HANDLE);
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE) && handle &&
	    mnl_attr_get_payload_len(handle) >= sizeof(uint64_t))
		c->each(g->nfgen_family, be64toh(mnl_attr_get_u64(handle)), c->arg);
}

static int commit_each(const struct nlmsghdr *h, void *arg)
{
	struct commit *c = arg;

	if (!nfnl_is_end(h)) {
		if (c->each)
			note_handle(h, c);
		return 0;
	}
	if (!c->err) {
		c->err = nfnl_error(c->nl, h);
		if (c->err && h->nlmsg_seq != c->head)
			explain_refusal(c->nl, c->n, h->nlmsg_seq - c->head - 1);
	}
	return h->nlmsg_seq == c->head || h->nlmsg_seq == c->last;
}

/* Is every rule ended, and no error stored? */
static int check_complete(struct nfnl *nl, struct nft *n)
{
	nl->why[0] = '\0';
	nft_close_elems(n);
	if (n->rule)
		nft_wrong(n, -EINVAL, "a rule without an end");
	if (n->err && n->why)
		snprintf(nl->why, sizeof(nl->why), "%s", n->why);
	return n->err;
}

int nft_try(struct nfnl *nl, struct nft *n, uint32_t genid)
{
	return nft_try_handles(nl, n, genid, NULL, NULL);
}

int nft_try_handles(struct nfnl *nl, struct nft *n, uint32_t genid, nft_handle_fn *each, void *arg)
{
	_Alignas(struct nlmsghdr) char head[64], foot[64];
	struct nlmsghdr *begin, *end;
	struct commit c = { .nl = nl, .n = n, .each = each, .arg = arg };
	int r;

	TRY(check_complete(nl, n));
	if (n->count == 0)
		return 0;
	c.head = nfnl_seq(nl, n->count + 2);
	c.last = c.head + n->count;
	number_messages(n, c.head + 1);
	begin = nftnl_batch_begin(head, c.head);
	if (genid)
		mnl_attr_put_u32(begin, NFNL_BATCH_GENID, htonl(genid));
	end = nftnl_batch_end(foot, c.last + 1);
	TRY(nfnl_send(nl,
		      (struct iovec[]){ { begin, begin->nlmsg_len },
					{ n->buf, n->used },
					{ end, end->nlmsg_len } },
		      3));
	r = nfnl_read(nl, c.head, c.last + 1, commit_each, &c);
	nl->deleted = nl->deleted || (n->deletes && !c.err);
	/*
	 * A negative r means that the socket lost answers, because there were so many refusals; the
	 * first one is known.
	 */
	return c.err ? c.err : r;
}

int nft_commit(struct tx *tx, struct nfnl *nl, struct nft *n, uint32_t genid, const char *fmt, ...)
{
	int r = nft_try(nl, n, genid);
	char what[256];
	va_list ap;

	if (r == 0)
		return 0;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return tx_fail(tx, r, "host: %s: %s%s", what, strerror(-r), nfnl_why(&tx->mem, nl));
}
