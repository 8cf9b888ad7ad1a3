// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * result_print.c - print the result of a protocol version
 *
 * The output is byte for byte the reference's, because results are cached and compared.  It
 * prints the older forms in the order of its struct fields, and the newest with sorted keys
 * (through a map).  So the fields of an object are collected in the old order, without empty
 * ones, and sorted before printing if the version needs it.
 */
#include "value/jw.h"
#include "value/result.h"

enum { FIELDS_MAX = 8 };

struct field {
	const char *key;
	const char *text;        /* a string, or */
	const char *const *list; /* n strings, or */
	int64_t n;               /* a number */
};

struct object {
	struct field f[FIELDS_MAX];
	unsigned n;
};

static void add_field(struct object *o, struct field f)
{
	if (o->n < FIELDS_MAX)
		o->f[o->n++] = f;
}

static void add_text(struct object *o, const char *key, const char *text)
{
	if (!str_empty(text))
		add_field(o, (struct field){ .key = key, .text = text });
}

static void add_list(struct object *o, const char *key, const char *const *list, unsigned n)
{
	if (n)
		add_field(o, (struct field){ .key = key, .list = list, .n = n });
}

static void add_number(struct object *o, const char *key, int64_t n, int64_t unset)
{
	if (n != unset)
		add_field(o, (struct field){ .key = key, .n = n });
}

static void sort(struct object *o)
{
	for (unsigned i = 1; i < o->n; i++) {
		struct field f = o->f[i];
		unsigned k = i;

		for (; k && strcmp(o->f[k - 1].key, f.key) > 0; k--)
			o->f[k] = o->f[k - 1];
		o->f[k] = f;
	}
}

static void print_object(struct jw *w, const char *key, struct object *o, bool sorted)
{
	if (sorted)
		sort(o);
	jw_open(w, key, '{');
	for (const struct field *f = o->f; f < o->f + o->n; f++) {
		if (f->list) {
			jw_open(w, f->key, '[');
			for (int64_t i = 0; i < f->n; i++)
				jw_str(w, NULL, f->list[i]);
			jw_close(w, ']');
		} else if (f->text) {
			jw_str(w, f->key, f->text);
		} else {
			jw_int(w, f->key, f->n);
		}
	}
	jw_close(w, '}');
}

static void print_dns(struct jw *w, const struct result_dns *d, bool sorted)
{
	struct object o = { .n = 0 };

	add_list(&o, "nameservers", d->nameservers, d->n_nameservers);
	add_text(&o, "domain", d->domain);
	add_list(&o, "search", d->search, d->n_search);
	add_list(&o, "options", d->options, d->n_options);
	print_object(w, "dns", &o, sorted);
}

static void print_if(struct jw *w, const struct result_if *i, bool sorted)
{
	struct object o = { .n = 0 };

	add_field(&o, (struct field){ .key = "name", .text = i->name ? i->name : "" });
	add_text(&o, "mac", i->mac);
	if (sorted) {
		add_number(&o, "mtu", i->mtu, 0);
		add_text(&o, "socketPath", i->socket_path);
		add_text(&o, "pciID", i->pci_id);
	}
	add_text(&o, "sandbox", i->sandbox);
	print_object(w, NULL, &o, sorted);
}

static void print_ip(struct jw *w, const struct result_ip *ip, bool sorted)
{
	struct ip_text address = cidr_text(ip->addr), gateway = ip_text(ip->gateway);
	struct object o = { .n = 0 };

	if (!sorted)
		add_text(&o, "version", ip->addr.ip.family == AF_INET ? "4" : "6");
	add_number(&o, "interface", ip->iface, -1);
	add_text(&o, "address", address.s);
	add_text(&o, "gateway", gateway.s);
	print_object(w, NULL, &o, sorted);
}

/* brief: only the fields of versions before 0.3.0. */
static void print_route(struct jw *w, const struct result_route *r, bool sorted, bool brief)
{
	struct ip_text dst = cidr_text(r->dst), gw = ip_text(r->gw);
	struct object o = { .n = 0 };

	add_text(&o, "dst", r->has_dst && *dst.s ? dst.s : "<nil>");
	add_text(&o, "gw", gw.s);
	if (!brief) {
		add_number(&o, "mtu", r->mtu, 0);
		add_number(&o, "advmss", r->advmss, 0);
		add_number(&o, "priority", r->priority, 0);
		add_number(&o, "table", r->table, -1);
		add_number(&o, "scope", r->scope, -1);
	}
	print_object(w, NULL, &o, sorted);
}

/* The first address of a family, and its routes; a route without dst counts as IPv6. */
static bool print_block(struct jw *w, const struct result *r, int family)
{
	const struct result_ip *ip = NULL;
	bool any = false;

	for (unsigned i = 0; i < r->n_ips && !ip; i++)
		if (r->ips[i].addr.ip.family == family)
			ip = &r->ips[i];
	if (!ip)
		return false;
	jw_open(w, family == AF_INET ? "ip4" : "ip6", '{');
	jw_str(w, "ip", CIDR_S(ip->addr));
	if (ip_set(ip->gateway))
		jw_str(w, "gateway", IP_S(ip->gateway));
	for (unsigned i = 0; i < r->n_routes; i++) {
		const struct result_route *route = &r->routes[i];
		bool v4 = route->has_dst && route->dst.ip.family == AF_INET;

		if (v4 != (family == AF_INET))
			continue;
		if (!any)
			jw_open(w, "routes", '[');
		any = true;
		print_route(w, route, false, true);
	}
	if (any)
		jw_close(w, ']');
	jw_close(w, '}');
	return true;
}

static void print_lists(struct jw *w, const struct result *r, bool sorted)
{
	if (r->n_ifs) {
		jw_open(w, "interfaces", '[');
		for (unsigned i = 0; i < r->n_ifs; i++)
			print_if(w, &r->ifs[i], sorted);
		jw_close(w, ']');
	}
	if (r->n_ips) {
		jw_open(w, "ips", '[');
		for (unsigned i = 0; i < r->n_ips; i++)
			print_ip(w, &r->ips[i], sorted);
		jw_close(w, ']');
	}
	if (r->n_routes) {
		jw_open(w, "routes", '[');
		for (unsigned i = 0; i < r->n_routes; i++)
			print_route(w, &r->routes[i], sorted, false);
		jw_close(w, ']');
	}
}

int result_print(struct tx *tx, const struct result *r, const char *version, bool compact,
		 char **ret_text)
{
	const char *label = str_empty(version) ? "0.1.0" : version;
	enum result_form form = result_form(label);
	bool any = true;
	struct jw w;

	if (form == RESULT_UNKNOWN)
		return tx_fail_as(tx, CNI_E_VERSION, -EINVAL,
				  "no converter for CNI result version 1.1.0 to %s", label);
	jw_init(&w, &tx->mem, compact);
	jw_open(&w, NULL, '{');
	jw_str(&w, "cniVersion", label);
	if (form == RESULT_MODERN && !result_dns_empty(&r->dns))
		print_dns(&w, &r->dns, true);
	if (form == RESULT_BLOCKS) {
		any = print_block(&w, r, AF_INET);
		any |= print_block(&w, r, AF_INET6);
	} else {
		print_lists(&w, r, form == RESULT_MODERN);
	}
	if (!any)
		return tx_fail_as(tx, CNI_E_VERSION, -EINVAL,
				  "cannot convert: no valid IP addresses");
	if (form != RESULT_MODERN)
		print_dns(&w, &r->dns, false);
	jw_close(&w, '}');
	*ret_text = jw_end(&w);
	return 0;
}
