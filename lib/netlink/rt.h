/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rt.h - rtnetlink: one socket per namespace, one builder, one way to call
 *
 * A struct rt is a socket that stays in the namespace it was opened in; which
 * one is passed decides where something happens (house rule R8), also where sysctls of a link
 * are set (rt->ns).  where is its name in messages: "host" or "container".
 *
 * A request is composed in a struct rt_msg on the stack.  Composing is silent:
 * what does not fit is remembered and told by the call.  (We compose with
 * libnl-3's message and attribute functions, not with libnl-route's objects: see
 * docs/design.md.)
 *
 *	struct rt_msg m;
 *	struct ifaddrmsg *h = rt_new(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*h));
 *	h->ifa_index = link;
 *	rt_put_ip(&m, IFA_LOCAL, a.ip);
 *	return rt_call(tx, rt, &m, "add address %s", CIDR_S(a));
 *
 * Kernel ABI: linux/rtnetlink.h, rtnetlink(7).
 */
#ifndef CPLUG_RT_H
#define CPLUG_RT_H

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "value/ip.h"
#include "sys/netns.h"
#include "base/tx.h"

struct nl_sock;

struct rt {
	struct nl_sock *sk; /* NULL = not open */
	const char *where;
	const struct netns *ns; /* that it was opened in; NULL = the process's own */
	unsigned seq;
	char why[160]; /* the kernel's own words about the last refusal, or "" */
	bool unread;   /* the last dump's end was not read */
	bool large;    /* the kernel was offered all room for its answers, and may use it */
};

enum { RT_MSG_MAX = 4096 };

struct rt_msg {
	union {
		struct nlmsghdr h;
		char room[RT_MSG_MAX];
	};
	bool overflow;
};

/* Opens a socket in ns (NULL: the process's own), which must outlive it. */
int rt_open(struct tx *tx, struct rt *rt, const char *where, const struct netns *ns) CHECKED;
void rt_close(struct rt *rt);
static inline bool rt_is_open(const struct rt *rt)
{
	return rt->sk != NULL;
}

/* The cookie of its namespace (netns_cookie()). */
uint64_t rt_cookie(const struct rt *rt);

/* ---- composing ---- */
/* Starts a request; returns its zeroed fixed header of that size. */
void *rt_new(struct rt_msg *m, int type, int flags, size_t header);
void rt_put(struct rt_msg *m, int attr, const void *data, size_t size);
void rt_put_u8(struct rt_msg *m, int attr, uint8_t v);
void rt_put_u16(struct rt_msg *m, int attr, uint16_t v);
void rt_put_u32(struct rt_msg *m, int attr, uint32_t v);
void rt_put_str(struct rt_msg *m, int attr, const char *s);
void rt_put_ip(struct rt_msg *m, int attr, struct ip ip);
void rt_put_mac(struct rt_msg *m, int attr, struct mac mac);
/* A nest; end it with what begin returned.  size: a raw header inside, zeroed. */
struct nlattr *rt_nest(struct rt_msg *m, int attr);
void *rt_put_header(struct rt_msg *m, size_t size);
void rt_nest_end(struct rt_msg *m, struct nlattr *nest);

/* ---- calling ---- */
/*
 * Sends and waits for the acknowledgement.  rt_try() returns 0 or -errno and
 * records nothing (the kernel's words are in rt->why); rt_call() records
 * "<where>: <what>: <reason> (<why>)".
 */
int rt_try(struct rt *rt, struct rt_msg *m) CHECKED;
int rt_call(struct tx *tx, struct rt *rt, struct rt_msg *m, const char *fmt, ...)
	PRINTF(4, 5) CHECKED;

/*
 * Asks for objects: each answer is given to each(h, arg) as it is (no copy).
 * each returns 0 to go on, 1 when it has seen enough, or -errno.  A dump
 * (NLM_F_DUMP in the request) that was interrupted by a change is repeated from
 * the start, so each must be able to start over: it is called with h == NULL
 * before every pass.  In a container's namespace, whose root can change it all the time, the
 * tenth pass counts although it was interrupted.  Returns 0 or -errno, unrecorded: -EAGAIN if each
 * of 50 passes was interrupted, -EMSGSIZE for an answer above 256 KiB, -EBADMSG for an answer
 * without an object (unless it is a dump).
 */
typedef int rt_each_fn(const struct nlmsghdr *h, void *arg);
int rt_ask(struct rt *rt, struct rt_msg *m, rt_each_fn *each, void *arg) CHECKED;

/*
 * rt_try() for a request that makes an object of rt's own namespace: the kernel's notification of
 * it is given to each(h, arg), if the kernel sends one to the requester (NLM_F_ECHO,
 * linux/netlink.h; for links since Linux 6.2).  What each() returns is ignored, because the object
 * is there.
 */
int rt_try_seen(struct rt *rt, struct rt_msg *m, rt_each_fn *each, void *arg) CHECKED;

/*
 * A dump of which only the beginning matters: reading stops after each() returned 1.  If the dump
 * has not ended then, rt gets a new socket, so the length of the table does not matter.  Returns 0,
 * also if there is no such table (-ENOENT), or a recorded failure, whose message contains what.
 */
int rt_peek(struct tx *tx, struct rt *rt, struct rt_msg *m, rt_each_fn *each, void *arg,
	    const char *what) CHECKED;

/*
 * The most objects that the functions which collect them in the arena accept (-E2BIG), because a
 * container makes as many as it likes.
 */
enum { RT_LIST_MAX = 65536 };

/*
 * For DEL: excuses a failure (tx_excuse()) that only says that the container has too many objects,
 * or changes them too fast (-E2BIG, -EAGAIN), or has one that the kernel itself cannot list
 * (-EMSGSIZE: a filter of more than 32 KiB).  Other results are returned as they are.
 */
int rt_excuse_crowd(struct tx *tx, int before, int r, const char *why) CHECKED;

/* Did a request of this process wait for the RTNL lock, longer than some milliseconds? */
bool rt_waited(void);

/* Records a refusal as rt_call() would: for callers of rt_try() and rt_ask(). */
int rt_refused(struct tx *tx, struct rt *rt, int err, const char *fmt, ...) PRINTF(4, 5);

/*
 * Events: a socket of its own, in rt's namespace, subscribed to a group
 * (RTNLGRP_*) from now on.  rt_wait() gives each event of the kernel's to each() until it
 * returns 1 (then 0 is returned) or the deadline is over (-ETIMEDOUT, unrecorded).  When
 * events were lost to an overflow, each() is called with h == NULL.  A caller that waits several
 * times for one thing passes the same deadline, so the sender of events cannot extend it.
 */
int rt_subscribe(struct tx *tx, const struct rt *rt, unsigned group, struct rt *ret) CHECKED;
/* For rt_wait(): every event ends the wait, because the caller looks for itself. */
int rt_any_event(const struct nlmsghdr *h, void *arg);

/* A time timeout_ms from now, on the monotonic clock. */
int64_t rt_deadline(int timeout_ms);
int rt_wait(struct tx *tx, struct rt *events, int64_t deadline, rt_each_fn *each,
	    void *arg) CHECKED;

#endif
