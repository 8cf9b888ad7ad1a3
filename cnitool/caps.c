// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * caps.c - capability arguments: the options -p, --ip, --mac and --cap-args
 *
 * A table has for each option the capability that it needs, and the function that adds its value.
 * A range of ports becomes a mapping for each port, because not every plugin knows ranges.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cnitool/caps.h"
#include "cnitool/cnitool.h"
#include "value/ip.h"
#include "value/json_make.h"

/* ---- values ---- */

/* Reads a port, from 1 to 65535, at *s, which moves behind it. */
static bool take_port(const char **s, unsigned *ret)
{
	size_t n = strspn(*s, "0123456789");
	unsigned long v = n && n <= 5 ? strtoul(*s, NULL, 10) : 0;

	*s += n;
	*ret = (unsigned)v;
	return v >= 1 && v <= 65535;
}

/* The same for PORT or FIRST-LAST. */
static bool take_ports(const char **s, unsigned *first, unsigned *last)
{
	if (!take_port(s, first))
		return false;
	*last = *first;
	if (**s != '-')
		return true;
	++*s;
	return take_port(s, last) && *last >= *first;
}

/*
 * The same for an optional HOSTIP: or [HOSTIP]: ("" if there is none), before HOST:CONTAINER, or
 * before HOST alone.
 */
static bool take_host_ip(struct mem *m, const char **s, bool alone, const char **ret)
{
	const char *end = **s == '[' ? strstr(*s, "]:") : strchr(*s, ':');
	struct ip ip;

	*ret = "";
	if (**s == '[') {
		if (!end)
			return false;
		*ret = mem_printf(m, "%.*s", (int)(end - *s - 1), *s + 1);
		*s = end + 2;
	} else if (end && (alone || strchr(end + 1, ':'))) {
		*ret = mem_printf(m, "%.*s", (int)(end - *s), *s);
		*s = end + 1;
	}
	return !**ret || ip_parse(*ret, &ip);
}

/* The optional /PROTOCOL at the end. */
static bool take_proto(const char *s, const char **ret)
{
	*ret = *s ? s + 1 : "tcp";
	return (!*s || *s == '/') &&
	       (str_eq(*ret, "tcp") || str_eq(*ret, "udp") || str_eq(*ret, "sctp"));
}

static const char wrong_proto[] = "expected /tcp, /udp or /sctp after the ports";

const char *caps_read_published(struct mem *m, const char *text, struct caps_published *ret)
{
	const char *ip, *s = text;

	if (!take_host_ip(m, &s, true, &ip) || !take_ports(&s, &ret->first, &ret->last))
		return "expected [HOSTIP:]HOST[-END][/PROTOCOL], like 8080/tcp; ports are 1 to "
		       "65535";
	if (!take_proto(s, &ret->proto))
		return wrong_proto;
	ret->ip = (struct ip){ .family = 0 };
	if (*ip)
		(void)ip_parse(ip, &ret->ip);
	return NULL;
}

const char *caps_put_ports(struct mem *m, const char *text, json_t *caps)
{
	unsigned first, last, cont, cont_last;
	const char *ip, *proto, *s = text;
	json_t *list = json_object_get(caps, "portMappings");

	if (!take_host_ip(m, &s, false, &ip) || !take_ports(&s, &first, &last) || *s++ != ':' ||
	    !take_ports(&s, &cont, &cont_last))
		return "expected [HOSTIP:]HOST[-END]:CONTAINER[-END][/PROTOCOL], like "
		       "8080:80/tcp; ports are 1 to 65535";
	if (!take_proto(s, &proto))
		return wrong_proto;
	if (last - first != cont_last - cont)
		return "the two ranges differ in length";
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(caps, "portMappings", list);
	}
	for (; first <= last; first++, cont++) {
		json_t *e = json_make("hostPort", json_integer(first), "containerPort",
				      json_integer(cont), "protocol", json_string(proto));

		if (*ip)
			json_object_set_new(e, "hostIP", json_string(ip));
		json_array_append_new(list, e);
	}
	return NULL;
}

static const char *put_ip(struct mem *m UNUSED, const char *text, json_t *caps)
{
	json_t *list = json_object_get(caps, "ips");
	struct cidr cidr;
	struct ip ip;

	if (!ip_parse(text, &ip) && !cidr_parse(text, &cidr))
		return "expected an address, like 10.1.0.5 or 10.1.0.5/24";
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(caps, "ips", list);
	}
	json_array_append_new(list, json_string(text));
	return NULL;
}

static const char *put_mac(struct mem *m UNUSED, const char *text, json_t *caps)
{
	struct mac mac;

	if (!mac_parse(text, &mac) || mac.len != 6)
		return "expected a MAC address, like 02:00:00:00:00:01";
	json_object_set_new(caps, "mac", json_string(MAC_S(mac)));
	return NULL;
}

enum { BITS_MAX_DIGITS = 18 };

int64_t caps_rate(const char *s)
{
	static const char units[] = "KMGT";
	size_t n = strspn(s, "0123456789");
	int64_t rate, part = 1;
	const char *unit;

	if (!n || n > BITS_MAX_DIGITS)
		return -1;
	rate = strtoll(s, NULL, 10);
	s += n;
	if (!*s)
		return rate;
	unit = strchr(units, *s >= 'a' ? *s - 'a' + 'A' : *s);
	if (!unit || s[1])
		return -1;
	for (const char *u = units; u <= unit; u++)
		part *= 1000;
	return rate <= INT64_MAX / part ? rate * part : -1;
}

/* ---- requests ---- */

/* A request is an option that needs a capability. */
struct request {
	const char *option, *capability;
	const char *where; /* for the remedy: which plugins have the capability */
	/* Adds the value to the capability arguments; returns NULL, or what is wrong with it. */
	const char *(*put)(struct mem *m, const char *text, json_t *caps);
};

static const struct request requests[] = {
	{ "-p", "portMappings", "portmap, or the bridge plugin of cplug", caps_put_ports },
	{ "--ip", "ips", "the plugin whose IPAM is host-local or static", put_ip },
	{ "--mac", "mac", "bridge, macvlan or tuning", put_mac },
};

/* Capability arguments being built: caps[i] for nets[i]. */
struct builder {
	const struct netconf *nets;
	unsigned n;
	json_t **caps;
};

/* network "a", or networks "a", "b" */
static const char *name_networks(struct mem *m, const struct builder *b)
{
	const char *text = mem_printf(m, "\"%s\"", b->nets[0].name);

	for (unsigned i = 1; i < b->n; i++)
		text = mem_printf(m, "%s, \"%s\"", text, b->nets[i].name);
	return mem_printf(m, "network%s %s", b->n > 1 ? "s" : "", text);
}

static int refuse_request(struct tx *tx, const struct request *q, const char *name,
			  const struct builder *b)
{
	const char *text;

	if (!b->n)
		return tx_fail_as(tx, CNI_E_FIELD, -EOPNOTSUPP,
				  "%s cannot be honoured without a network that does it",
				  q->option);
	if (name)
		text = mem_printf(&tx->mem, "network \"%s\"", name);
	else
		text = name_networks(&tx->mem, b);
	return tx_fail_as(tx, CNI_E_FIELD, -EOPNOTSUPP,
			  "%s cannot be honoured: no plugin of %s declares the capability %s; add "
			  "\"capabilities\": {\"%s\": true} to %s",
			  q->option, text, q->capability, q->capability, q->where);
}

int caps_need_ports(struct tx *tx, const char *verb, const struct netconf *net)
{
	const struct builder b = { net, 1, NULL };
	struct request q = requests[0];

	q.option = verb;
	if (netconf_declares(net, q.capability))
		return 0;
	return refuse_request(tx, &q, NULL, &b);
}

/* text: VALUE or NETWORK=VALUE */
static int put_request(struct tx *tx, const struct request *q, const char *text,
		       const struct builder *b)
{
	const char *eq = strchr(text, '='), *value = text, *name = NULL;
	bool named = false;

	if (eq) {
		name = mem_printf(&tx->mem, "%.*s", (int)(eq - text), text);
		value = eq + 1;
	}
	for (unsigned i = 0; i < b->n; i++) {
		const char *wrong;

		if (name && !str_eq(name, b->nets[i].name))
			continue;
		named = true;
		if (!netconf_declares(&b->nets[i], q->capability))
			continue;
		wrong = q->put(&tx->mem, value, b->caps[i]);
		if (wrong)
			return tx_fail_as(tx, CNI_E_FIELD, -EINVAL, "%s %s: %s", q->option, text,
					  wrong);
		return 0;
	}
	if (name && !named)
		return tx_fail_as(tx, CNI_E_FIELD, -EINVAL,
				  "%s %s: \"%s\" is none of the networks asked for", q->option,
				  text, name);
	return refuse_request(tx, q, name, b);
}

static int put_requests(struct tx *tx, const struct options *opt, const struct builder *b)
{
	const struct words *values[] = { &opt->publish, &opt->ips, &opt->macs };

	for (unsigned k = 0; k < ARRAY_LEN(requests); k++)
		for (unsigned i = 0; i < values[k]->n; i++)
			TRY(put_request(tx, &requests[k], values[k]->v[i], b));
	return 0;
}

/* A key of --cap-args that no plugin gets, because none declares it. */
static void warn_of_unused(struct tx *tx, const struct builder *b, json_t *all)
{
	const char *key;
	json_t *value;

	json_object_foreach (all, key, value) {
		bool used = !b->n;

		for (unsigned i = 0; i < b->n; i++)
			used |= netconf_declares(&b->nets[i], key);
		if (!used)
			log_warn("--cap-args: no plugin of %s gets %.100s, because none declares "
				 "it in \"capabilities\" (correct the name, or add it there)",
				 name_networks(&tx->mem, b), key);
	}
}

/* The text of an object, which is freed; NULL if it is empty. */
static const char *take_text(struct mem *m, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	const char *copy = json_object_size(object) ? mem_str(m, text) : NULL;

	free(text);
	json_decref(object);
	return copy;
}

const char *caps_set(struct mem *m, const char *capability_args, const char *key, json_t *value)
{
	json_t *all = capability_args ? json_loads(capability_args, 0, NULL) : NULL;

	if (!json_is_object(all)) {
		json_decref(all);
		all = json_object();
	}
	if (value)
		json_object_set_new(all, key, value);
	else
		json_object_del(all, key);
	return take_text(m, all);
}

int caps_build(struct tx *tx, const struct options *opt, const struct netconf *nets, unsigned n,
	       const char **ret)
{
	const char *text = str_empty(opt->cap_args) ? "{}" : opt->cap_args;
	struct builder b = { nets, n, mem_alloc(&tx->mem, (n + 1) * sizeof(json_t *)) };
	json_t *all = json_loads(text, 0, NULL);
	int r;

	warn_of_unused(tx, &b, all);
	for (unsigned i = 0; i < n; i++)
		b.caps[i] = json_deep_copy(all);
	if (json_is_object(all))
		r = put_requests(tx, opt, &b);
	else
		r = tx_fail_as(tx, CNI_E_ENV, -EINVAL,
			       "CAP_ARGS (--cap-args): expected a JSON object, got %s",
			       opt->cap_args);
	for (unsigned i = 0; i < n; i++)
		ret[i] = take_text(&tx->mem, b.caps[i]);
	json_decref(all);
	return r;
}

int caps_check_args(struct tx *tx, const char *args)
{
	for (const char *s = args; !str_empty(s);) {
		size_t n = strcspn(s, ";");
		const char *eq = memchr(s, '=', n);

		if (!eq || eq == s || eq + 1 == s + n ||
		    memchr(eq + 1, '=', n - (size_t)(eq + 1 - s)))
			return tx_fail_as(tx, CNI_E_ENV, -EINVAL,
					  "CNI_ARGS (--args): expected KEY=VALUE;KEY=VALUE, got "
					  "\"%.*s\"",
					  (int)n, s);
		if (s[n] && !s[n + 1])
			return tx_fail_as(
				tx, CNI_E_ENV, -EINVAL,
				"CNI_ARGS (--args): nothing follows the last ';' of \"%s\"", args);
		s += n + (s[n] == ';');
	}
	return 0;
}
