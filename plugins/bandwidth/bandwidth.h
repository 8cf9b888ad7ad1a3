/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bandwidth.h - what the files of the bandwidth plugin share
 *
 * bandwidth.c has the verbs, conf.c reads the limits (docs/config/bandwidth.md), shaper.c is one
 * limit with all verbs.
 */
#ifndef CPLUG_BANDWIDTH_H
#define CPLUG_BANDWIDTH_H

#include "cni/call.h"
#include "netlink/link.h"
#include "netlink/tc.h"

/* Directions as the container sees them: what it gets, and what it sends. */
enum direction { INGRESS, EGRESS, DIRECTIONS };

struct bandwidth_limit {
	uint64_t rate;  /* bytes per second; 0 = no limit */
	uint64_t burst; /* bytes; 0 = from the rate */
};

struct bandwidth_conf {
	struct bandwidth_limit limit[DIRECTIONS];
	/* Of the other side's addresses: only these are limited, or (except) all but these. */
	struct cidr *subnets;
	unsigned n_subnets;
	bool except;
};

/* Reads all keys, and fails with all mistakes at once. */
int bandwidth_read_conf(struct tx *tx, const struct call *c, struct bandwidth_conf *ret) CHECKED;

/* Does the configuration have a rate, right or wrong? */
bool bandwidth_says_rate(const struct cj *conf);

/* Warns of a burst below the MTU: a packet above the burst never passes. */
void bandwidth_warn_small(const struct bandwidth_conf *conf, const struct link *l);

/* The token bucket of a limit on a link of this MTU (bytes). */
struct tc_tbf bandwidth_tbf(const struct bandwidth_limit *limit, int mtu);

/*
 * Where an attachment is limited: on the host's end of its veth pair; or, where there is none
 * (macvlan, ipvlan, vlan, host-device), on CNI_IFNAME in the container.
 */
struct place {
	struct rt *rt;
	struct link link; /* index 0: there is none any more */
	bool inside;
};

/* One direction of an attachment. */
struct shaper {
	struct place place;
	enum direction direction;
	const struct bandwidth_limit *limit;
	const struct bandwidth_conf *conf;
	int former_mtu;      /* for CHECK: that of the link before tuning changed it; 0: none */
	bool leaving;        /* does the link send what is limited? */
	char name[IFNAMSIZ]; /* of the ifb */
	const struct mark *mark;
};

struct shaper shaper_of(struct tx *tx, struct call *c, const struct place *p,
			const struct bandwidth_conf *conf, enum direction d);

/*
 * The ifb of the direction: 1, 0, or a recorded failure.  One of its name that has not our mark is
 * a stranger's, or the reference's.
 */
int shaper_find_ifb(struct tx *tx, const struct shaper *s, struct link *ret) CHECKED;
/* *ret_ifb: index 0 if the link itself limits. */
int shaper_add(struct tx *tx, const struct shaper *s, struct link *ret_ifb) CHECKED;
/*
 * Notes every difference, also a limit that is not configured any more.  Burst, queue and the ifb
 * may be those of the MTU that the link had before the tuning plugin changed it behind this one.
 */
int shaper_check(struct tx *tx, const struct call *c, struct shaper *s) CHECKED;
/* Ensures the limit, changing it in place; or its absence. */
int shaper_repair(struct tx *tx, const struct shaper *s) CHECKED;
/* Removes what any configuration would have made.  Works without the link, and without conf. */
int shaper_del(struct tx *tx, const struct shaper *s) CHECKED;

#endif
