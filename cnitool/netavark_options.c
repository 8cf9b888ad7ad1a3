// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netavark_options.c - the driver's options: `podman network create --opt KEY=VALUE`
 *
 * A table has each option with the networks that know it, the plugin's key that it becomes, and
 * the kind of its value.  podman's user writes the options, so that each value is checked here.
 */
#include <jansson.h>
#include <stdlib.h>

#include "cnitool/caps.h"
#include "cnitool/netavark_impl.h"
#include "value/name.h"
#include "value/json_make.h"

enum kind {
	NUMBER,  /* from min to max */
	SWITCH,  /* true or false; or one of words */
	WORD,    /* one of words */
	IFNAME,  /* the name of an interface */
	LIST,    /* separated by commas */
	VLANS,   /* 10,20-29 */
	RATE,    /* bits per second: 50M */
	ISOLATE, /* the firewall plugin's ingressPolicy */
};

enum { BOTH = MODE_BRIDGE | MODE_MACVLAN, VLAN_MAX = 4094, VALUE_MAX = 4096 /* bytes */ };

struct option_row {
	const char *name, *key;
	const char *words; /* "a|b": what may be said; NULL = nothing */
	unsigned min, max;
	uint8_t modes, part, kind;
};

static const struct option_row rows[] = {
	{ "bandwidth", "ingressRate", NULL, 0, 0, BOTH, PART_BANDWIDTH, RATE },
	{ "bandwidth", "egressRate", NULL, 0, 0, BOTH, PART_BANDWIDTH, RATE },
	{ "bcqueuelen", "bcqueuelen", NULL, 0, UINT32_MAX, MODE_MACVLAN, PART_MAIN, NUMBER },
	{ "dad", "enabledad", NULL, 0, 0, MODE_BRIDGE, PART_MAIN, SWITCH },
	{ "dad", "dad", NULL, 0, 0, MODE_MACVLAN, PART_MAIN, SWITCH },
	{ "dns_search", "search", NULL, 0, 0, BOTH, PART_DRIVER, LIST },
	{ "egress", "egressRate", NULL, 0, 0, BOTH, PART_BANDWIDTH, RATE },
	{ "firewall", "backend", "auto|nftables|iptables|firewalld", 0, 0, MODE_BRIDGE,
	  PART_FIREWALL, WORD },
	{ "force_address", "forceAddress", NULL, 0, 0, MODE_BRIDGE, PART_MAIN, SWITCH },
	{ "hairpin", "hairpinMode", NULL, 0, 0, MODE_BRIDGE, PART_MAIN, SWITCH },
	{ "host_interface_name", "hostIfName", NULL, 0, 0, MODE_BRIDGE, PART_MAIN, IFNAME },
	{ "ingress", "ingressRate", NULL, 0, 0, BOTH, PART_BANDWIDTH, RATE },
	{ "isolate", "ingressPolicy", NULL, 0, 0, MODE_BRIDGE, PART_FIREWALL, ISOLATE },
	{ "macspoofchk", "macspoofchk", "strict", 0, 0, MODE_BRIDGE, PART_MAIN, SWITCH },
	{ "macvlan_mode", "mode", "bridge|private|vepa|passthru|source", 0, 0, MODE_MACVLAN,
	  PART_MAIN, WORD },
	{ "masquerade", "ipMasq", NULL, 0, 0, MODE_BRIDGE, PART_MAIN, SWITCH },
	{ "metric", "metric", NULL, 0, UINT32_MAX, BOTH, PART_DRIVER, NUMBER },
	{ "mode", "mode", "bridge|macvlan", 0, 0, BOTH, PART_DRIVER, WORD },
	{ "mtu", "mtu", NULL, 68, 65535, BOTH, PART_MAIN, NUMBER },
	{ "no_default_route", "noDefaultRoute", NULL, 0, 0, BOTH, PART_DRIVER, SWITCH },
	{ "on_conflict", "onConflict", "fail|replace|warn", 0, 0, MODE_BRIDGE, PART_MAIN, WORD },
	{ "parent", "master", NULL, 0, 0, MODE_MACVLAN, PART_MAIN, IFNAME },
	{ "port_isolation", "portIsolation", NULL, 0, 0, MODE_BRIDGE, PART_MAIN, SWITCH },
	{ "preserve_default_vlan", "preserveDefaultVlan", NULL, 0, 0, MODE_BRIDGE, PART_MAIN,
	  SWITCH },
	{ "promisc", "promiscMode", NULL, 0, 0, MODE_BRIDGE, PART_MAIN, SWITCH },
	{ "source_macs", "sourceMacs", NULL, 0, 0, MODE_MACVLAN, PART_MAIN, LIST },
	{ "vlan", "vlan", NULL, 1, VLAN_MAX, MODE_BRIDGE, PART_MAIN, NUMBER },
	{ "vlan_trunk", "vlanTrunk", NULL, 0, 0, MODE_BRIDGE, PART_MAIN, VLANS },
};

/* ---- values: NULL = the value is wrong ---- */

/* The number at *s, which moves behind it; -1 if it is none from min to max. */
static int64_t take_number(const char **s, unsigned min, unsigned max)
{
	size_t n = strspn(*s, "0123456789");
	int64_t v = n && n <= 10 ? strtoll(*s, NULL, 10) : -1;

	*s += n;
	return v >= min && v <= max ? v : -1;
}

static json_t *read_number(const struct option_row *o, const char *s)
{
	int64_t v = take_number(&s, o->min, o->max);

	if (v < 0 || *s)
		return NULL;
	return json_integer(v);
}

static bool is_listed(const char *words, const char *s)
{
	size_t n = strlen(s);

	for (const char *w = words; w; w = strchr(w, '|')) {
		w += *w == '|';
		if (strncmp(w, s, n) == 0 && (!w[n] || w[n] == '|'))
			return n > 0;
	}
	return false;
}

static json_t *read_switch(const char *s)
{
	/* podman documents 1 and 0 for its own driver. */
	if (str_eq(s, "true") || str_eq(s, "1"))
		return json_true();
	if (str_eq(s, "false") || str_eq(s, "0"))
		return json_false();
	return NULL;
}

/* NULL for what resolv.conf cannot hold (cni/resolv.h): podman writes dns_search there. */
static json_t *read_list(const char *s)
{
	json_t *list;

	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return NULL;
	list = json_array();
	while (*s) {
		size_t n = strcspn(s, ",");

		if (n)
			json_array_append_new(list, json_stringn(s, n));
		s += n + (s[n] == ',');
	}
	return list;
}

/* 10,20-29 as [{"minID":10,"maxID":10}, {"minID":20,"maxID":29}] */
static json_t *read_vlans(const char *s)
{
	json_t *list = json_array();

	do {
		int64_t first = take_number(&s, 1, VLAN_MAX), last = first;

		if (*s == '-') {
			s++;
			last = take_number(&s, 1, VLAN_MAX);
		}
		if (first < 0 || last < first || (*s && *s != ',')) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(
			list, json_make("minID", json_integer(first), "maxID", json_integer(last)));
	} while (*s++);
	return list;
}

static json_t *read_rate(const char *s)
{
	int64_t rate = caps_rate(s);

	if (rate < 0)
		return NULL;
	return json_integer(rate);
}

static json_t *read_ifname(const char *s)
{
	if (name_invalid_ifname(s))
		return NULL;
	return json_string(s);
}

/* As netavark's option: networks apart from one another, if both have it. */
static json_t *read_isolate(const char *s)
{
	json_t *on = read_switch(s);

	if (json_is_true(on))
		return json_string("same-bridge");
	if (json_is_false(on))
		return json_string("open");
	if (str_eq(s, "containers"))
		return json_string("isolated");
	return NULL;
}

static json_t *read_value(const struct option_row *o, const char *s)
{
	if (strlen(s) > VALUE_MAX)
		return NULL;
	if (is_listed(o->words, s))
		return json_string(s);
	switch ((enum kind)o->kind) {
	case NUMBER:
		return read_number(o, s);
	case SWITCH:
		return read_switch(s);
	case IFNAME:
		return read_ifname(s);
	case LIST:
		return read_list(s);
	case VLANS:
		return read_vlans(s);
	case RATE:
		return read_rate(s);
	case ISOLATE:
		return read_isolate(s);
	case WORD:
		break;
	}
	return NULL;
}

/* ---- complaints ---- */

static void complain_value(const struct option_row *o, const struct cj *c, const char *s)
{
	static const char *const wanted[] = {
		[SWITCH] = "true|false",
		[WORD] = "",
		[IFNAME] = "the name of an interface",
		[LIST] = "a list of at most 4096 bytes, without white space or control characters",
		[VLANS] = "VLANs from 1 to 4094, like 10,20-29",
		[RATE] = "bits per second, like 50M or 1G",
		[ISOLATE] = "true, false or \"containers\"",
	};

	if (o->kind == NUMBER)
		cj_wrong(c, NULL, "expected a number from %u to %u, got \"%.60s\"", o->min, o->max,
			 s);
	else if (o->words)
		cj_wrong(c, NULL, "expected %s%s%s, got \"%.60s\"", wanted[o->kind],
			 o->kind == SWITCH ? "|" : "", o->words, s);
	else
		cj_wrong(c, NULL, "expected %s, got \"%.60s\"", wanted[o->kind], s);
}

static void complain_unknown(const struct cj *c, unsigned mode)
{
	char known[512] = "";
	size_t n = 0;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const char *name = rows[i].name;
		bool again = i && str_eq(rows[i - 1].name, name) && rows[i - 1].modes & mode;

		if (!(rows[i].modes & mode) || again || n + strlen(name) + 3 > sizeof(known))
			continue;
		n = (size_t)(stpcpy(stpcpy(known + n, n ? ", " : ""), name) - known);
	}
	cj_wrong(c, NULL, "is no option of a %s network, which has %s",
		 mode == MODE_MACVLAN ? "macvlan" : "bridge", known);
}

/* ---- all options ---- */

static void read_option(const struct cj *c, struct driver_options *o)
{
	const char *s = cj_as_str(c);
	bool known = false;

	for (unsigned i = 0; s && i < ARRAY_LEN(rows); i++) {
		const struct option_row *row = &rows[i];
		json_t *value;

		if (!(row->modes & o->mode) || !str_eq(row->name, c->key))
			continue;
		value = read_value(row, s);
		if (value)
			json_object_set_new(o->parts[row->part], row->key, value);
		else if (!known)
			complain_value(row, c, s);
		known = true;
	}
	if (s && !known)
		complain_unknown(c, o->mode);
}

static void read_all(const struct cj *object, struct driver_options *o)
{
	for (struct cj it = cj_first(object); it.json; it = cj_next(&it))
		read_option(&it, o);
}

void driver_options_read(const struct cj *network, const struct cj *container,
			 struct driver_options *ret)
{
	struct cj mode = cj_any(network, "mode");
	bool macvlan = cj_is_str(&mode) && str_eq(cj_as_str(&mode), "macvlan");

	ret->mode = macvlan ? MODE_MACVLAN : MODE_BRIDGE;
	for (unsigned i = 0; i < PARTS; i++)
		ret->parts[i] = json_object();
	read_all(network, ret);
	read_all(container, ret);
}

const char *driver_option_of(const char *key)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(rows[i].key, key))
			return rows[i].name;
	return NULL;
}

void driver_options_free(struct driver_options *o)
{
	for (unsigned i = 0; i < PARTS; i++) {
		json_decref(o->parts[i]);
		o->parts[i] = NULL;
	}
}
