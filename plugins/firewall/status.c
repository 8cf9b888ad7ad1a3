// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status.c - STATUS of the firewall plugin
 *
 * The configuration does not name the bridge.  It is found by the mark of the network, if cplug's
 * bridge plugin made it; else the forward chains are read for a link of unknown name.
 */
#include "firewall/foreign_fw.h"
#include "firewall/nat.h"
#include "plugins/firewall/firewall.h"

struct search {
	const struct mark *mark;
	struct link *ret;
};

static int note_bridge(const struct link *l, void *arg)
{
	struct search *s = arg;

	if (!l)
		s->ret->index = 0;
	else if (str_eq(l->kind, "bridge") && mark_matches(s->mark, l->alias, l->group))
		*s->ret = *l;
	return 0;
}

static int find_bridge(struct tx *tx, struct call *c, struct link *ret)
{
	struct mark mark = mark_of_network(c->network);
	struct search s = { &mark, ret };

	*ret = (struct link){ .index = 0 };
	return link_each(tx, &c->host, "bridge", note_bridge, &s);
}

int firewall_status(struct tx *tx, struct call *c)
{
	struct link bridge;
	struct accept a;
	struct nfnl *nl;
	const char *who;

	TRY(firewall_read_conf(tx, c, &a));
	TRY(call_nf(tx, c, &nl));
	TRY(nat_status(tx, nl));
	TRY(find_bridge(tx, c, &bridge));
	TRY(foreign_fw_check(tx, nl, &bridge, true, false, &who));
	if (who)
		return tx_fail_as(tx, CNI_E_DEGRADED, -EACCES, "host: %s", who);
	return 0;
}
