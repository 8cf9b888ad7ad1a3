/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nfnl.h - a netlink socket to netfilter (nf_tables and conntrack)
 *
 * A struct nfnl is a socket that stays in the namespace it was opened in.  nft.h
 * and ct.h speak through it; plugins only open and close it.
 *
 * Close it when done, and do not leave that to the end of the process: see nfnl.c
 * for what the kernel waits for then, and who else waits meanwhile.
 */
#ifndef CPLUG_NFNL_H
#define CPLUG_NFNL_H

#include "sys/netns.h"
#include "base/tx.h"

struct iovec;
struct mnl_socket;
struct nlattr;
struct nlmsghdr;

struct nfnl {
	struct mnl_socket *sk; /* NULL = not open */
	uint32_t seq;
	bool netfilter; /* not another netlink protocol */
	bool deleted;   /* something was deleted from nf_tables through it */
	char why[160];  /* the kernel's own words about the last refusal, or "" */
};

/* Opens it right here, or in ns if that is not NULL. */
int nfnl_open(struct tx *tx, struct nfnl *nl, const struct netns *ns) CHECKED;
void nfnl_close(struct nfnl *nl);

/* ---- for nft*.c and ct.c, and diag.c with a socket of its own kind ---- */

/* Opens a socket of another netlink protocol, right here.  Returns 0 or -errno, unrecorded. */
int nfnl_socket(struct nfnl *nl, int protocol) CHECKED;

/* Reserves n sequence numbers and returns the first. */
uint32_t nfnl_seq(struct nfnl *nl, unsigned n);

/* Sends the pieces as one datagram, however large.  Returns 0 or -errno. */
int nfnl_send(struct nfnl *nl, const struct iovec *piece, unsigned n) CHECKED;

/*
 * Reads answers and gives those whose sequence number is one of first … last to
 * each(), until that returns 1 (then 0 is returned) or -errno, or 10 seconds have
 * passed (-ETIMEDOUT).  Errors, acknowledgements and the end of a dump are
 * answers, too: nfnl_error() tells.
 */
typedef int nfnl_each_fn(const struct nlmsghdr *h, void *arg);
int nfnl_read(struct nfnl *nl, uint32_t first, uint32_t last, nfnl_each_fn *each,
	      void *arg) CHECKED;

/* Does h end an answer: NLMSG_ERROR or NLMSG_DONE? */
bool nfnl_is_end(const struct nlmsghdr *h);
/* What such a message says: 0 or -errno; keeps the kernel's words in nl->why. */
int nfnl_error(struct nfnl *nl, const struct nlmsghdr *h);

/* nl->why in parentheses after a space, for the end of a message; "" if there is none. */
const char *nfnl_why(struct mem *mem, const struct nfnl *nl);

/*
 * Sends one request and gives each answer to each(), which returns 0 to go on, 1
 * when it has seen enough, or -errno.  A dump (NLM_F_DUMP in the request) that was
 * interrupted by a change is repeated: each() is called with h == NULL before
 * every repetition.  Returns 0 or -errno, unrecorded.
 */
int nfnl_ask(struct nfnl *nl, struct nlmsghdr *request, nfnl_each_fn *each, void *arg) CHECKED;

/*
 * An attribute of a message (behind its struct nfgenmsg, or skip bytes), or of a
 * nest: the first one of a type, and all of a nest in turn (NULL begins).  NULL =
 * there is none; a nest of NULL has none.
 */
const struct nlattr *nfnl_attr(const struct nlmsghdr *h, uint16_t type);
const struct nlattr *nfnl_attr_behind(const struct nlmsghdr *h, size_t skip, uint16_t type);
const struct nlattr *nfnl_attr_in(const struct nlattr *nest, uint16_t type);
const struct nlattr *nfnl_attr_next(const struct nlattr *nest, const struct nlattr *a);

/* What an attribute says (NULL: nothing): a number in network order, 0 if there is none … */
uint32_t nfnl_be32(const struct nlattr *a);
/* … a string with its NUL, "" if there is none … */
const char *nfnl_text(const struct nlattr *a);
/* … and whether two of them say the same, byte for byte. */
bool nfnl_same(const struct nlattr *a, const struct nlattr *b);

/* n rounded up to the 4 bytes of netlink's grid. */
static inline size_t nfnl_align(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

#endif
