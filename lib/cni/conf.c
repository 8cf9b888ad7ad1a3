// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c - keys that several plugins have in their configurations
 */
#include <jansson.h>

#include "cni/conf.h"

#include "netlink/route.h"
#include "sys/hostconf.h"
#include "value/name.h"

struct conf_log conf_log(const struct cj *c)
{
	struct cj log = cj_obj(c, "log");
	struct conf_log l = { .file = cj_str(&log, "file", "") };
	const char *name = cj_str(&log, "level", "info");

	if (!log_level_parse(name, &l.level))
		cj_wrong(&log, "level", "expected error, warn, info or debug, got \"%.50s\"", name);
	return l;
}

bool conf_says(const struct cj *c, const char *key)
{
	struct cj k = cj_any(c, key);

	if (cj_is_str(&k))
		return !str_empty(cj_as_str(&k));
	if (cj_is_int(&k))
		return json_integer_value(k.json) != 0;
	return cj_present(&k);
}

bool conf_declares(const struct cj *c, const char *name)
{
	struct cj capabilities = cj_obj(c, "capabilities");

	return cj_bool(&capabilities, name, false);
}

int conf_mtu(const struct cj *c, int def)
{
	struct cj mtu = cj_any(c, "mtu");
	int64_t n;

	if (cj_is_word(&mtu, "auto"))
		return MTU_AUTO;
	if (cj_text(&mtu)) {
		cj_wrong(c, "mtu", "expected a number, or \"auto\", got \"%.40s\"", cj_text(&mtu));
		return MTU_AUTO;
	}
	n = cj_int(c, "mtu", 0, 0, 65535);
	if (n && n < 68)
		cj_wrong(c, "mtu", "must be at least 68 (1280 for IPv6), or \"auto\", got %d",
			 (int)n);
	return n ? (int)n : def;
}

const char *conf_ifname(const struct cj *c, const char *key)
{
	const char *name = cj_str(c, key, NULL), *reason, *bound;

	if (str_empty(name))
		return NULL;
	reason = name_invalid_ifname(name);
	if (!reason)
		return name;
	bound = strlen(name) < IFNAMSIZ ? "" : " (15 characters at most)";
	cj_wrong(c, key, "\"%.40s\": %s%s", name, reason, bound);
	return NULL;
}

const char *conf_resolv(struct tx *tx, const struct cj *c)
{
	const char *mode = cj_str(c, "resolvConf", "auto"), *why;

	if (!*mode)
		return "auto";
	why = *mode == '/' ? hostconf_refuses(tx, HOSTCONF_RESOLV, mode) : NULL;
	if (why)
		cj_wrong(c, "resolvConf", "%s", why);
	else if (str_eq(mode, "off") || *mode == '/')
		return mode;
	else if (!str_eq(mode, "auto"))
		cj_wrong(c, "resolvConf",
			 "expected \"auto\", \"off\" or an absolute path, got \"%.100s\"", mode);
	return "auto";
}

struct result_dns conf_dns(struct mem *mem, const struct cj *c)
{
	struct cj dns = cj_obj(c, "dns");

	return result_read_dns(mem, &dns);
}

static struct conf_masq read_masq(struct mem *mem, const struct cj *c)
{
	struct conf_masq m = { .v4 = false };
	struct cj masq = cj_any(c, "ipMasq"), except;
	struct cidr *list;

	if (!cj_is_object(&masq)) {
		m.v4 = m.v6 = cj_bool(c, "ipMasq", false);
		return m;
	}
	m.v4 = cj_bool(&masq, "v4", true);
	m.v6 = cj_bool(&masq, "v6", true);
	m.pass_invalid = !cj_bool(&masq, "dropInvalid", true);
	except = cj_list(&masq, "except");
	m.n_except = cj_len(&except);
	list = mem_alloc(mem, (m.n_except + 1) * sizeof(*list));
	for (unsigned i = 0; i < m.n_except; i++) {
		struct cj e = cj_at(&except, i);

		list[i] = cidr_masked(cj_as_cidr(&e));
	}
	m.except = list;
	return m;
}

static void read_backend(const struct cj *c)
{
	const char *backend = cj_str(c, "ipMasqBackend", "");

	if (str_eq(backend, "iptables"))
		log_info("ipMasqBackend \"iptables\": masquerading is done in nftables all the "
			 "same");
	else if (*backend && !str_eq(backend, "nftables"))
		cj_wrong(c, "ipMasqBackend",
			 "unknown ipmasq backend \"%.40s\" (leave it out, or say "
			 "nftables)",
			 backend);
}

struct conf_masq conf_masq(struct mem *mem, const struct cj *c)
{
	read_backend(c);
	return read_masq(mem, c);
}

struct conf_parent conf_parent(const struct cj *c)
{
	return (struct conf_parent){
		.master = conf_ifname(c, "master"),
		.in_container = cj_bool(c, "linkInContainer", false),
	};
}

int conf_look_for_parent(struct tx *tx, struct call *c, const struct conf_parent *p,
			 struct rt **ret_rt, struct link *ret)
{
	struct rt *rt = p->in_container ? &c->cont : &c->host;

	*ret_rt = rt;
	if (p->master)
		return link_find(tx, rt, p->master, ret);
	return route_default_link(tx, rt, ret);
}

int conf_find_parent(struct tx *tx, struct call *c, const struct conf_parent *p, struct rt **ret_rt,
		     struct link *ret)
{
	int there;

	TRY(there = conf_look_for_parent(tx, c, p, ret_rt, ret));
	if (there)
		return 0;
	if (!p->master)
		return tx_fail_as(tx, CNI_E_CONFIG, -ENODEV,
				  "master: no default route interface found (name the parent "
				  "interface in \"master\")");
	return tx_fail_as(tx, CNI_E_CONFIG, -ENODEV,
			  "master: %s: there is no interface %s (create it, or name another)",
			  (*ret_rt)->where, p->master);
}

int conf_check_parent(struct tx *tx, const struct rt *rt, const struct link *parent, int mtu)
{
	if (parent->flags & IFF_LOOPBACK)
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "master: %s is the loopback interface; the parent must be an "
				  "Ethernet interface (name one)",
				  parent->name);
	if (mtu > parent->mtu)
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "mtu: invalid MTU %d, must be [0, master MTU(%d)]: %s is the "
				  "master",
				  mtu, parent->mtu, parent->name);
	if (!(parent->flags & IFF_UP))
		return tx_fail(tx, -ENETDOWN, "%s: master %s is down (ip link set %s up)",
			       rt->where, parent->name, parent->name);
	return 0;
}

static int need_usable_mac(struct tx *tx, struct mac mac)
{
	static const uint8_t zero[sizeof(mac.b)];

	if (mac.len && mac.len != 6)
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "mac: %s is not an Ethernet address (give one of 6 bytes)",
				  MAC_S(mac));
	if (mac.len && (mac.b[0] & 1))
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "mac: %s is a multicast address, which no interface can have "
				  "(choose one whose first byte is even)",
				  MAC_S(mac));
	if (mac.len && memcmp(mac.b, zero, mac.len) == 0)
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "mac: %s is no address (leave the key out for a random one)",
				  MAC_S(mac));
	return 0;
}

int conf_mac(struct tx *tx, const struct call *c, struct mac def, struct mac *ret)
{
	struct cj args = cj_obj(&c->conf, "args"), cni = cj_obj(&args, "cni");
	struct cj runtime = cj_obj(&c->conf, "runtimeConfig");
	struct mac mac = def, m;
	const char *text;

	TRY(call_arg(tx, c, "MAC", &text));
	if (!str_empty(text) && !mac_parse(text, &mac))
		return tx_fail_as(tx, CNI_E_ENV, -EINVAL,
				  "CNI_ARGS: MAC: expected a MAC address, like 02:00:00:00:00:01, "
				  "got \"%.100s\"",
				  text);
	m = cj_mac(&cni, "mac");
	mac = m.len ? m : mac;
	m = cj_mac(&runtime, "mac");
	*ret = m.len ? m : mac;
	TRY(cj_ok(tx, &c->conf));
	return need_usable_mac(tx, *ret);
}

void conf_check_routes(struct mem *mem, const struct cj *ipam)
{
	struct cj list = cj_list(ipam, "routes");
	struct result res;

	result_init(&res, mem);
	result_read_routes(&res, &list);
	for (unsigned i = 0; i < res.n_routes; i++) {
		const struct result_route *r = &res.routes[i];
		struct cj e = cj_at(&list, i);

		if (!cj_is_object(&e))
			continue;
		if (!cj_has(&e, "dst"))
			cj_wrong(&e, "dst", "missing: give a prefix, like 0.0.0.0/0");
		else if (r->has_dst && ip_set(r->gw) && r->gw.family != r->dst.ip.family)
			cj_wrong(&e, "gw",
				 "%s is of another family than dst, %s (name a gateway of "
				 "the same family)",
				 IP_S(r->gw), CIDR_S(r->dst));
	}
}
