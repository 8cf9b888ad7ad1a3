// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_config.c - configurations, which each plugin that has its own reader reads
 */
#include "firewall/nat_impl.h"
#include "ipam/dhcp/conf.h"
#include "ipam/host-local/conf.h"
#include "ipam/static/static.h"
#include "plugins/bandwidth/bandwidth.h"
#include "plugins/bridge/conf.h"
#include "plugins/firewall/firewall.h"
#include "plugins/host-device/host_device.h"
#include "plugins/sbr/sbr.h"
#include "plugins/tuning/backup.h"
#include "fuzz.h"

/* ---- plugins ------------------------------------------------------------ */

static int read_bandwidth(struct tx *tx, struct call *c)
{
	struct bandwidth_conf bandwidth;
	int r = bandwidth_read_conf(tx, c, &bandwidth);

	if (r == 0)
		for (enum direction d = 0; d < DIRECTIONS; d++)
			(void)bandwidth_tbf(&bandwidth.limit[d], 1500);
	return r;
}

/* With the text that is made of a list. */
static int read_bridge(struct tx *tx, struct call *c)
{
	struct owner owner = owner_of(&tx->mem, "net1", "c1", "eth0");
	struct nat nat = { .owner = &owner };
	struct bridge_conf bridge;
	int r = bridge_read_conf(tx, c, &bridge);

	if (r == 0) {
		nat.except = bridge.masq.except;
		nat.n_except = bridge.masq.n_except;
		(void)nat_masq_chain(&tx->mem, &nat, (struct cidr){ .len = 0 });
	}
	return r;
}

static int read_firewall(struct tx *tx, struct call *c)
{
	struct firewall firewall;

	return firewall_read_conf(tx, c, &firewall);
}

static int read_host_device(struct tx *tx, struct call *c)
{
	struct hostdev_conf device;

	return hostdev_read(tx, c, &device);
}

static int read_portmap(struct tx *tx, struct call *c)
{
	struct hostports ports = hostports_read(&tx->mem, &c->conf);

	for (unsigned i = 0; i < ports.n; i++)
		(void)hostports_text(&tx->mem, &ports.maps[i]);
	return cj_ok(tx, &c->conf);
}

static int read_sbr(struct tx *tx, struct call *c)
{
	struct sbr sbr;

	return sbr_read_conf(tx, c, &sbr);
}

static int read_tuning(struct tx *tx, struct call *c)
{
	struct tuning_conf tuning;

	return tuning_read_conf(tx, c, &tuning);
}

/* ---- IPAM plugins ------------------------------------------------------- */

static int read_dhcp(struct tx *tx, struct call *c)
{
	struct dhcp_ipam dhcp;
	int r = dhcp_ipam_read(tx, &c->conf, "K8S_POD_NAME=web-0;EMPTY=", &dhcp);

	if (r == 0 && (dhcp.n_provide > DHCP_PROVIDE_MAX || dhcp.n_request > DHCP_REQUEST_MAX))
		__builtin_trap();
	return r;
}

static int read_host_local(struct tx *tx, struct call *c)
{
	struct local_conf local;
	int r = local_conf_read(tx, c, &local);

	for (unsigned i = 0; i < local.pool.n; i++)
		(void)pool_text(&tx->mem, &local.pool.sets[i]);
	TRY(r);
	return local_conf_read_requests(tx, c, &local);
}

static int read_static(struct tx *tx, struct call *c)
{
	struct static_conf addresses;
	int r = static_read_conf(tx, c, &addresses);

	if (r == 0 && addresses.first > addresses.n_all)
		__builtin_trap();
	return r;
}

/* ---- all of them -------------------------------------------------------- */

static int read_mac(struct tx *tx, struct call *c)
{
	struct mac mac;

	return conf_mac(tx, c, (struct mac){ .len = 0 }, &mac);
}

typedef int reader(struct tx *tx, struct call *c);

static reader *const readers[] = { read_bandwidth,  read_bridge, read_firewall, read_host_device,
				   read_portmap,    read_sbr,    read_tuning,   read_dhcp,
				   read_host_local, read_static, read_mac };

static void forget(struct tx *tx)
{
	tx->err = 0;
	tx->msg[0] = '\0';
	tx->details[0] = '\0';
}

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	struct call c;

	if (fuzz_call(tx, data, size, &c)) {
		for (unsigned i = 0; i < ARRAY_LEN(readers); i++) {
			fuzz_expect(tx, readers[i](tx, &c));
			forget(tx);
		}
		cj_dump(&tx->mem, &c.conf);
	} else if (c.conf.doc == NULL) {
		fuzz_expect(tx, -EINVAL);
	}
	if (c.conf.doc)
		cj_free(&c.conf);
}
