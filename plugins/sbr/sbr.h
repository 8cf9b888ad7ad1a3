/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sbr.h - shared by the files of the sbr plugin only (docs/config/sbr.md)
 *
 * sbr.c has the configuration, ADD and DEL; routes.c tells which routes move, and where; record.c
 * remembers them; check.c has CHECK.
 */
#ifndef CPLUG_SBR_H
#define CPLUG_SBR_H

#include "cni/conf.h"
#include "cni/prev.h"
#include "netlink/route.h"
#include "netlink/rule.h"
#include "sys/state.h"

struct sbr {
	uint32_t table; /* 0: one for each address; else only rules are added */
	struct ip gw4, gw6;
	bool hints;
};

int sbr_read_conf(struct tx *tx, const struct call *c, struct sbr *ret) CHECKED;

/* The rule of an address; without a table if each has its own. */
struct rule sbr_rule_of(const struct sbr *s, struct ip ip);

int sbr_check(struct tx *tx, struct call *c) CHECKED;
int sbr_del(struct tx *tx, struct call *c) CHECKED;

/* ---- which routes move: routes.c ---- */

/* The table of an address of the attachment. */
struct sbr_table {
	uint32_t number;
	const struct link *link;
	const struct result_ip *ip;
	const struct route_list *main; /* the interface's routes in table main */
	struct route_list have;        /* in the table, before a repair */
};

void sbr_list_add(struct tx *tx, struct route_list *list, struct route r);

/* The interface's routes in table main.  One with more nexthops is not its own. */
int sbr_main_routes(struct tx *tx, struct call *c, const struct link *l,
		    struct route_list *ret) CHECKED;

/*
 * Does a route stay in table main?  Link-local addresses have no rule.  With source hints, routes
 * to the link do; IPv6 routes have no scope, there it is the hint itself.
 */
bool sbr_stays(const struct sbr *s, const struct route *r);

/* The route to the address's own subnet, from it. */
struct route sbr_connected(const struct link *l, struct cidr a, uint32_t table);

/* The gateway of the configuration, or else that of prevResult. */
struct ip sbr_gateway(const struct sbr *s, const struct result_ip *ip);

/* What the table has: what main had for the address's subnet, and a default route. */
struct route_list sbr_table_routes(struct tx *tx, const struct call *c, const struct sbr *s,
				   const struct sbr_table *t);

/* ---- what ADD changes: record.c ---- */

#define SBR_RECORDS STATE_ROOT "/sbr"

struct sbr_plan {
	struct route_list tables; /* routes that tables get */
	struct route_list moved;  /* routes that leave main */
	struct route_list hints;  /* routes that main gets */
	struct rule_list rules;   /* to be added */
	uint32_t next;            /* the first table to be looked at */
};

/*
 * Writes the record of a plan before it is carried out.  A record for the same namespace that is
 * there is continued.
 */
int sbr_record_save(struct tx *tx, struct call *c, const struct sbr_plan *p) CHECKED;

/* Opens the namespace that the record names, if CNI_NETNS led to none: 1 if c->cont is open. */
int sbr_record_open(struct tx *tx, struct call *c) CHECKED;

/*
 * Deletes the routes that ADD has added and puts back those that it moved, on l (NULL: it is gone,
 * and they with it), and removes the record.  What the kernel refuses is a warning.
 */
int sbr_record_undo(struct tx *tx, struct call *c, const struct link *l) CHECKED;

/* GC: DEL for the attachments that have a record and are not valid. */
int sbr_gc(struct tx *tx, struct call *c) CHECKED;

#endif
