/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nfnl.h - a netlink socket for netfilter (nf_tables and conntrack)
 *
 * A struct nfnl is a socket that stays in the namespace it was opened in.  nft.h and ct.h use it;
 * plugins only open and close it.
 *
 * Close it with nfnl_close() rather than by process exit: nfnl.c describes how long the kernel may
 * wait when it closes such a socket, and which other processes wait with it.
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
	bool netfilter; /* its protocol is NETLINK_NETFILTER */
	bool deleted;   /* something was deleted from nf_tables through this socket */
	char why[160];  /* the kernel's message about the last refusal; "" = none */
};

/* Opens a NETLINK_NETFILTER socket in the current namespace, or in ns if that is not NULL. */
int nfnl_open(struct tx *tx, struct nfnl *nl, const struct netns *ns) CHECKED;
void nfnl_close(struct nfnl *nl);

/* ---- for nft*.c, ct.c and diag.c ---- */

/* Opens a socket of any netlink protocol in the current namespace.  Returns 0 or -errno. */
int nfnl_socket(struct nfnl *nl, int protocol) CHECKED;

/* Reserves n sequence numbers and returns the first. */
uint32_t nfnl_seq(struct nfnl *nl, unsigned n);

/* Sends the pieces as one datagram, whatever its size.  Returns 0 or -errno. */
int nfnl_send(struct nfnl *nl, const struct iovec *piece, unsigned n) CHECKED;

/*
 * Reads answers and calls each() for those with a sequence number from first to last, until it
 * returns 1 (then nfnl_read() returns 0) or -errno, or nothing has arrived for 10 seconds
 * (-ETIMEDOUT).  each() also gets errors, acknowledgements and the end of a dump: see nfnl_error().
 */
typedef int nfnl_each_fn(const struct nlmsghdr *h, void *arg);
int nfnl_read(struct nfnl *nl, uint32_t first, uint32_t last, nfnl_each_fn *each,
	      void *arg) CHECKED;

/* Is h the end of an answer: NLMSG_ERROR or NLMSG_DONE? */
bool nfnl_is_end(const struct nlmsghdr *h);
/* The result in such a message, 0 or -errno; stores the kernel's message in nl->why. */
int nfnl_error(struct nfnl *nl, const struct nlmsghdr *h);

/* nl->why in parentheses after a space, for the end of a message; "" if there is none. */
const char *nfnl_why(struct mem *mem, const struct nfnl *nl);

/*
 * Sends one request and calls each() for each answer; each() returns 0 to continue, 1 if it needs
 * no more, or -errno.  A dump (NLM_F_DUMP in the request) that was interrupted by a change is
 * repeated; each() gets h == NULL before every repetition.  Returns 0 or -errno; -EINTR if the dump
 * was interrupted 100 times.
 */
int nfnl_ask(struct nfnl *nl, struct nlmsghdr *request, nfnl_each_fn *each, void *arg) CHECKED;

/*
 * Sends one dump request on a socket of its own in the current namespace, and calls each() as
 * nfnl_read() does, until it returns 1: the rest of the dump is not read.  Returns 0 or -errno.
 */
int nfnl_peek(struct nfnl *nl, struct nlmsghdr *request, nfnl_each_fn *each, void *arg) CHECKED;

/*
 * Attributes of a message (after its struct nfgenmsg, or after skip bytes) or of a nest: the first
 * one of a type, or each in turn (a: the previous one; NULL begins).  NULL = there is none, also if
 * nest is NULL.
 */
const struct nlattr *nfnl_attr(const struct nlmsghdr *h, uint16_t type);
const struct nlattr *nfnl_attr_behind(const struct nlmsghdr *h, size_t skip, uint16_t type);
const struct nlattr *nfnl_attr_in(const struct nlattr *nest, uint16_t type);
const struct nlattr *nfnl_attr_next(const struct nlattr *nest, const struct nlattr *a);

/* The value of an attribute: a number in network order; 0 if a is NULL or too short. */
uint32_t nfnl_be32(const struct nlattr *a);
/* A string that ends in NUL; "" if a is NULL or has none. */
const char *nfnl_text(const struct nlattr *a);
/* Have two attributes the same payload?  (NULL only equals NULL.) */
bool nfnl_same(const struct nlattr *a, const struct nlattr *b);

/* n rounded up to a multiple of 4, netlink's alignment. */
static inline size_t nfnl_align(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

#endif
