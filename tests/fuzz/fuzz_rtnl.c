// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_rtnl.c - answers of rtnetlink: links, addresses, routes, rules, traffic control,
 * VLANs of bridge ports
 */
#include <netlink/socket.h>

#include "netlink/addr.h"
#include "fuzz.h"
#include "netlink/link.h"
#include "netlink/bridge_port.h"
#include "netlink/route.h"
#include "netlink/rule.h"
#include "netlink/tc.h"

static int each_link(const struct link *l, void *arg)
{
	unsigned *n = arg;

	if (l)
		*n += (unsigned)l->mtu;
	else
		*n = 0; /* the list starts, or starts over */
	return 0;
}

static void ask(struct tx *tx, struct rt *rt, unsigned what)
{
	struct result_route route = { .has_dst = true, .table = -1, .scope = -1 };
	struct route_question q[3] = { { .link = NULL } };
	struct link l = { .index = 1, .name = "eth0" }, found;
	struct bridge_port_vlans vlans = { .pvid = 100 };
	struct addr_list list;
	struct route_list routes;
	struct rule_list rules;
	struct tc_redirect redirect = { .to = &l };
	struct tc_tbf_params tbf;
	static const struct route_filter filter = { .link = 1 };
	unsigned n = 0;
	int number;

	cidr_parse("0.0.0.0/0", &route.dst);
	for (unsigned i = 0; i < ARRAY_LEN(q); i++)
		q[i] = (struct route_question){ .link = i ? &l : NULL, .want = route };
	cidr_parse("10.0.0.0/8", &q[1].want.dst);
	switch (what % 12) {
	case 0:
		fuzz_expect(tx, link_find(tx, rt, "eth0", &found));
		break;
	case 1:
		fuzz_expect(tx, link_each(tx, rt, "veth", each_link, &n));
		break;
	case 2:
		fuzz_expect(tx, addr_list(tx, rt, &l, 0, &list));
		break;
	case 3:
		fuzz_expect(tx, route_find_all(tx, rt, q, ARRAY_LEN(q)));
		break;
	case 4:
		fuzz_expect(tx, route_to(tx, rt, route.dst.ip, &number));
		break;
	case 5:
		fuzz_expect(tx, route_default_mtu(tx, rt, &number));
		break;
	case 6:
		fuzz_expect(tx, bridge_port_any(tx, rt, 1));
		break;
	case 7:
		fuzz_expect(tx, bridge_port_set_vlans(tx, rt, &l, &vlans));
		break;
	case 8:
		fuzz_expect(tx, route_list(tx, rt, &filter, &routes));
		break;
	case 9:
		fuzz_expect(tx, rule_list(tx, rt, 0, &rules));
		break;
	case 10:
		fuzz_expect(tx, tc_tbf_find(tx, rt, &l, &tbf));
		break;
	default:
		fuzz_expect(tx, tc_redirect_find(tx, rt, &l, &redirect));
		break;
	}
}

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	static struct rt rt;

	if (!rt.sk)
		rt = (struct rt){ .sk = nl_socket_alloc(), .where = "host" };
	if (!size)
		return;
	fuzz_kernel(data + 1, size - 1);
	ask(tx, &rt, (unsigned char)data[0]);
}
