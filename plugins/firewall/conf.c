// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c - the configuration of the firewall plugin (docs/config/firewall.md)
 */
#include "firewall/ipt.h"
#include "plugins/firewall/firewall.h"

static const char *const policies[] = { "open", "same-bridge", "isolated" };
static const char *const backends[] = { "auto", "nftables", "iptables", "firewalld" };
static const unsigned elsewhere[] = { 0, 0, ACCEPT_IPTABLES, ACCEPT_FIREWALLD };

/* Empty is as absent: podman writes "backend": "". */
static const char *text_of(const struct cj *c, const char *key, const char *def)
{
	const char *s = cj_str(c, key, def);

	return *s ? s : def;
}

static int policy_of(const struct cj *c)
{
	return cj_enum(c, "ingressPolicy", ACCEPT_OPEN, policies, ARRAY_LEN(policies));
}

int firewall_read_conf(struct tx *tx, struct call *c, struct firewall *ret)
{
	const struct cj *conf = &c->conf;
	int backend = cj_enum(conf, "backend", 0, backends, ARRAY_LEN(backends));
	struct accept *a = &ret->accept;

	*ret = (struct firewall){ .automatic = backend == 0 };
	a->admin = text_of(conf, "iptablesAdminChainName", IPT_ADMIN);
	a->zone = text_of(conf, "firewalldZone", "trusted");
	a->policy = (enum accept_policy)policy_of(conf);
	a->elsewhere = elsewhere[backend];
	if (!accept_valid_chain(a->admin))
		cj_wrong(
			conf, "iptablesAdminChainName",
			"expected the name of a chain: at most %d letters, digits and _-., first a "
			"letter, and no built-in chain or target; got \"%.50s\"",
			ACCEPT_CHAIN_MAX, a->admin);
	if (!accept_valid_zone(a->zone))
		cj_wrong(conf, "firewalldZone",
			 "expected the name of a zone: at most %d letters, digits and _-/; got "
			 "\"%.50s\"",
			 ACCEPT_ZONE_MAX, a->zone);
	return cj_ok(tx, conf);
}
