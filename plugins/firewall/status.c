// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status.c - STATUS of the firewall plugin
 *
 * The configuration does not name the bridge.  It is found by the mark of the network, if cplug's
 * bridge plugin made it; else the forward chains are read for a link of unknown name.
 */
#include "firewall/firewalld.h"
#include "firewall/foreign_fw.h"
#include "firewall/nat.h"
#include "plugins/firewall/firewall.h"

/* Index 0: there is none. */
static int find_bridge(struct tx *tx, struct call *c, struct link *ret)
{
	struct mark mark = mark_of_network(c->network);
	int there;

	*ret = (struct link){ .index = 0 };
	TRY(there = link_find_marked(tx, &c->host, "bridge", &mark, ret));
	return 0;
}

/* Is a drop one that the backend gets around? */
static bool is_handled(struct tx *tx, const struct firewall *f, enum foreign_fw_by by)
{
	if (by == FOREIGN_FW_IPTABLES)
		return f->automatic || f->accept.elsewhere & ACCEPT_IPTABLES;
	if (by == FOREIGN_FW_FIREWALLD && f->automatic)
		return firewalld_is_running(&tx->mem);
	return by == FOREIGN_FW_FIREWALLD && f->accept.elsewhere & ACCEPT_FIREWALLD;
}

static const char *hint_auto(const struct firewall *f, enum foreign_fw_by by)
{
	if (f->automatic || (by != FOREIGN_FW_IPTABLES && by != FOREIGN_FW_FIREWALLD))
		return "";
	return "; or set backend to \"auto\", which gets around it";
}

/* The commands of foreign_fw_survey() need a name. */
static const char *hint_name(const struct link *bridge)
{
	if (bridge->index)
		return "";
	return "; for BRIDGE, write the link of the host that leads to the containers: the bridge, "
	       "which the first container makes";
}

int firewall_status(struct tx *tx, struct call *c)
{
	const char *why[FOREIGN_FW_BY];
	struct firewall f;
	struct link bridge;
	const struct foreign_fw_flow flow = { .bridge = &bridge, .any = true };
	struct nfnl *nl;

	TRY(firewall_read_conf(tx, c, &f));
	TRY(call_nf(tx, c, &nl));
	TRY(nat_status(tx, nl));
	if (f.accept.elsewhere & ACCEPT_FIREWALLD && !firewalld_is_running(&tx->mem))
		return tx_fail_as(tx, CNI_E_UNAVAILABLE, -ENOENT,
				  "firewalld does not answer on the system bus (start dbus-daemon "
				  "and firewalld, or set backend)");
	TRY(find_bridge(tx, c, &bridge));
	TRY(foreign_fw_survey(tx, nl, &flow, why));
	for (enum foreign_fw_by by = 0; by < FOREIGN_FW_BY; by++)
		if (why[by] && !is_handled(tx, &f, by))
			return tx_fail_as(tx, CNI_E_DEGRADED, -EACCES, "host: %s%s%s", why[by],
					  hint_auto(&f, by), hint_name(&bridge));
	return 0;
}
