// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_config.c - configurations of bridge, portmap, firewall, tuning, host-device and host-local
 */
#include "firewall/nat_impl.h"
#include "ipam/host-local/conf.h"
#include "plugins/bridge/conf.h"
#include "plugins/firewall/firewall.h"
#include "plugins/host-device/host_device.h"
#include "plugins/tuning/backup.h"
#include "fuzz.h"

/* The texts that are made of lists. */
static void read_texts(struct tx *tx, const struct bridge_conf *b)
{
	struct owner owner = owner_of(&tx->mem, "net1", "c1", "eth0");
	struct nat nat = { .owner = &owner,
			   .except = b->masq.except,
			   .n_except = b->masq.n_except };

	(void)nat_masq_chain(&tx->mem, &nat, (struct cidr){ .len = 0 });
}

static void forget(struct tx *tx)
{
	tx->err = 0;
	tx->msg[0] = '\0';
	tx->details[0] = '\0';
}

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	struct bridge_conf bridge;
	struct firewall firewall;
	struct hostdev_conf device;
	struct local_conf local;
	struct tuning_conf tuning;
	struct hostports ports;
	struct mac mac;
	struct call c;
	int r;

	if (fuzz_call(tx, data, size, &c)) {
		r = bridge_read_conf(tx, &c, &bridge);
		fuzz_expect(tx, r);
		forget(tx);
		if (r == 0)
			read_texts(tx, &bridge);
		fuzz_expect(tx, firewall_read_conf(tx, &c, &firewall));
		forget(tx);
		fuzz_expect(tx, hostdev_read(tx, &c, &device));
		forget(tx);
		fuzz_expect(tx, tuning_read_conf(tx, &c, &tuning));
		forget(tx);
		r = local_conf_read(tx, &c, &local);
		fuzz_expect(tx, r);
		forget(tx);
		if (r == 0)
			fuzz_expect(tx, local_conf_read_requests(tx, &c, &local));
		for (unsigned i = 0; i < local.pool.n; i++)
			(void)pool_text(&tx->mem, &local.pool.sets[i]);
		forget(tx);
		ports = hostports_read(&tx->mem, &c.conf);
		for (unsigned i = 0; i < ports.n; i++)
			(void)hostports_text(&tx->mem, &ports.maps[i]);
		fuzz_expect(tx, cj_ok(tx, &c.conf));
		forget(tx);
		fuzz_expect(tx, conf_mac(tx, &c, (struct mac){ .len = 0 }, &mac));
		cj_dump(&tx->mem, &c.conf);
	} else if (c.conf.doc == NULL) {
		fuzz_expect(tx, -EINVAL);
	}
	if (c.conf.doc)
		cj_free(&c.conf);
}
