// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c - the configuration of the bridge plugin
 */
#include <stdio.h>
#include <stdlib.h>

#include "plugins/bridge/conf.h"
#include "cni/gateway.h"
#include "cni/ipam.h"
#include "base/log.h"
#include "value/name.h"

static struct vlan_range read_range(const struct cj *e, bool *ret_any)
{
	struct vlan_range r = { .first = (uint16_t)cj_int(e, "minID", 0, 1, 4094),
				.last = (uint16_t)cj_int(e, "maxID", 0, 1, 4094) };

	*ret_any = r.first && r.last;
	/* A value that is out of range has its own complaint. */
	if (cj_has(e, "minID") == cj_has(e, "maxID") && !*ret_any)
		return r;
	if (!r.first != !r.last)
		cj_wrong(e, r.first ? "maxID" : "minID", "missing: minID and maxID come together");
	else if (r.last < r.first)
		cj_wrong(e, "maxID", "is less than minID (%u)", r.first);
	return r;
}

static int by_first(const void *a, const void *b)
{
	return ((const struct vlan_range *)a)->first - ((const struct vlan_range *)b)->first;
}

/* Sorts and joins: the kernel wants ranges that do not overlap. */
static void merge(struct bridge_conf *cf)
{
	unsigned n = 0;

	if (!cf->n_trunk)
		return;
	qsort(cf->trunk, cf->n_trunk, sizeof(*cf->trunk), by_first);
	for (unsigned i = 1; i < cf->n_trunk; i++) {
		struct vlan_range *last = &cf->trunk[n], *r = &cf->trunk[i];

		if (r->first <= last->last + 1)
			last->last = r->last > last->last ? r->last : last->last;
		else
			cf->trunk[++n] = *r;
	}
	cf->n_trunk = n + 1;
}

static void read_vlans(struct tx *tx, const struct cj *c, struct bridge_conf *cf)
{
	struct cj trunk = cj_list(c, "vlanTrunk");
	unsigned n = cj_len_max(&trunk, 4094);

	cf->vlan = (unsigned)cj_int(c, "vlan", 0, 0, 4094);
	cf->vlan_filtering = cf->vlan || cj_has(c, "vlanTrunk");
	cf->keep_default_vlan = cj_bool(c, "preserveDefaultVlan", false);
	cf->trunk = mem_alloc(&tx->mem, (2 * n + 1) * sizeof(*cf->trunk));
	for (unsigned i = 0; i < n; i++) {
		struct cj e = cj_at(&trunk, i);
		uint16_t id = (uint16_t)cj_int(&e, "id", 0, 1, 4094);
		bool any;
		struct vlan_range r = read_range(&e, &any);

		if (any)
			cf->trunk[cf->n_trunk++] = r;
		if (id)
			cf->trunk[cf->n_trunk++] = (struct vlan_range){ id, id };
	}
	merge(cf);
}

static enum spoof_mode read_spoof(const struct cj *c)
{
	struct cj v = cj_any(c, "macspoofchk");

	if (cj_is_word(&v, "strict"))
		return SPOOF_STRICT;
	if (!cj_text(&v))
		return cj_bool(c, "macspoofchk", false) ? SPOOF_MAC : SPOOF_OFF;
	cj_wrong(c, "macspoofchk", "expected true, false or \"strict\", got \"%.40s\"",
		 cj_text(&v));
	return SPOOF_STRICT;
}

static void cross_check(const struct cj *c, struct bridge_conf *cf)
{
	if (cf->hairpin && cf->promisc)
		cj_wrong(c, "promiscMode",
			 "cannot set hairpin mode and promiscuous mode at the same time");
	if (cf->no_interface && cf->l3)
		cj_wrong(c, "disableContainerInterface",
			 "cannot use IPAM when DisableContainerInterface flag is set");
	if (cf->vlan && cf->is_gateway &&
	    snprintf(NULL, 0, "%s.%u", cf->bridge, cf->vlan) >= IFNAMSIZ)
		cj_wrong(c, "bridge",
			 "the VLAN gateway's name %s.%u is longer than 15 characters (choose a "
			 "shorter bridge name)",
			 cf->bridge, cf->vlan);
	if (cf->host_ifname && str_eq(cf->host_ifname, cf->bridge))
		cj_wrong(c, "hostIfName", "\"%s\" is also the name in bridge (choose another)",
			 cf->bridge);
	/* With netfilter on bridges a redirected packet leaves where it came in. */
	cf->hairpin |= cf->ports.n > 0;
}

int bridge_read_conf(struct tx *tx, const struct call *c, struct bridge_conf *cf)
{
	const struct cj *j = &c->conf;

	*cf = (struct bridge_conf){
		.bridge = conf_ifname(j, "bridge"),
		.is_gateway = cj_bool(j, "isGateway", false),
		.default_gateway = cj_bool(j, "isDefaultGateway", false),
		.gateway_flags = cj_bool(j, "forceAddress", false) ? GATEWAY_FORCE : 0,
		.mtu = conf_mtu(j, MTU_AUTO),
		.hairpin = cj_bool(j, "hairpinMode", false),
		.promisc = cj_bool(j, "promiscMode", false),
		.isolated = cj_bool(j, "portIsolation", false),
		.spoof = read_spoof(j),
		.dad = cj_bool(j, "enabledad", false),
		.no_interface = cj_bool(j, "disableContainerInterface", false),
		.host_ifname = conf_ifname(j, "hostIfName"),
		.resolv_conf = conf_resolv(tx, j),
		.l3 = ipam_wanted(c),
		.dns = conf_dns(&tx->mem, j),
		.ports = hostports_read(&tx->mem, j),
	};
	if (!cf->bridge)
		cf->bridge = BRIDGE_DEFAULT;
	cf->is_gateway |= cf->default_gateway;
	/* Each block of a node is a subnet with a gateway of its own. */
	if (ipam_is(c, "cluster"))
		cf->gateway_flags |= GATEWAY_BESIDE;
	cf->masq = conf_masq(&tx->mem, j);
	read_vlans(tx, j, cf);
	cross_check(j, cf);
	return conf_mac(tx, c, (struct mac){ .len = 0 }, &cf->mac);
}
