// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_set.c - changes the rates of an attachment that lives
 *
 * The new limits are cached beside the capability arguments (NETCONF_LIMITS), where every later
 * CHECK and repair finds them.  Then the bandwidth plugin repairs what differs from them.
 */
#include <jansson.h>

#include "cnitool/attach.h"
#include "cnitool/caps.h"
#include "cnitool/cnitool.h"
#include "value/cj.h"
#include "value/json_make.h"
#include "value/jw.h"

struct limits {
	int64_t ingress, ingress_burst, egress, egress_burst; /* bits per second, bits */
};

static int read_rate(struct tool *t, const char *option, const char *text, int64_t *rate,
		     int64_t *burst)
{
	enum { BYTE = 8 };
	int64_t n;

	if (!text)
		return 0;
	n = caps_rate(text);
	if (n > 0 && n < BYTE) {
		t->usage = true;
		return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL,
				  "%s %s: the kernel limits bytes, so the least rate is 8 bits per "
				  "second (%sM is %s million bits; 0 is no limit)",
				  option, text, text, text);
	}
	if (n < 0) {
		t->usage = true;
		return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL,
				  "%s %s: expected bits per second, like 50M or 1G", option, text);
	}
	*rate = n;
	*burst = 0;
	return 0;
}

/* The plugin's limits as they are now: those of its configuration, or the runtime's. */
static int read_limits(struct tool *t, const struct netconf *net, unsigned i,
		       const char *capability_args, struct limits *ret)
{
	const struct netconf_extra extra = { .capability_args = capability_args };
	const char *text = netconf_request(&t->tx->mem, net, i, &extra);
	struct cj c, runtime, at;
	int r;

	TRY(cj_parse(t->tx, text, strlen(text), "configuration of the bandwidth plugin", &c));
	runtime = cj_obj(&c, "runtimeConfig");
	at = cj_obj(&runtime, "bandwidth");
	if (cj_has(&c, "ingressRate") || cj_has(&c, "ingressBurst") || cj_has(&c, "egressRate") ||
	    cj_has(&c, "egressBurst"))
		at = c;
	*ret = (struct limits){
		.ingress = cj_int(&at, "ingressRate", 0, 0, INT64_MAX),
		.ingress_burst = cj_int(&at, "ingressBurst", 0, 0, INT64_MAX),
		.egress = cj_int(&at, "egressRate", 0, 0, INT64_MAX),
		.egress_burst = cj_int(&at, "egressBurst", 0, 0, INT64_MAX),
	};
	r = cj_ok(t->tx, &c);
	cj_free(&c);
	return r;
}

/* The capability arguments with these limits. */
static const char *put_limits(struct mem *m, const char *capability_args, const struct limits *l)
{
	return caps_set(m, capability_args, NETCONF_LIMITS,
			json_make("ingressRate", json_integer(l->ingress), "ingressBurst",
				  json_integer(l->ingress_burst), "egressRate",
				  json_integer(l->egress), "egressBurst",
				  json_integer(l->egress_burst)));
}

/* The bandwidth plugin of the list, which must be this program. */
static int find_plugin(struct tool *t, const struct netconf *net, unsigned *ret)
{
	unsigned i = 0;

	while (i < net->n_plugins && !str_eq(net->plugins[i].type, "bandwidth"))
		i++;
	if (i == net->n_plugins)
		return tx_fail_as(t->tx, CNI_E_CONFIG, -ENOENT,
				  "network \"%s\" has no bandwidth plugin: add {\"type\": "
				  "\"bandwidth\"} to the plugins in %s",
				  net->name, net->file);
	if (!attach_plugin_is_ours(t, net, i))
		return tx_fail_as(t->tx, CPLUG_E_DELEGATE, -EOPNOTSUPP,
				  "the bandwidth plugin of network \"%s\" is not cplug's, or of "
				  "another version: it cannot change rates",
				  net->name);
	*ret = i;
	return 0;
}

/* Remembered first: if we are killed in between, check --repair does the rest. */
static int apply(struct tool *t, struct attachment *a, unsigned i, struct cached *c)
{
	const char *before = c->capability_args;
	struct repairs done = { .n = 0 };
	int r;

	c->capability_args = a->capability_args;
	TRY(cache_write(t->tx, &t->cache, c));
	r = attach_repair_plugin(t, a, i, &done);
	if (r == 0)
		return 0;
	c->capability_args = before;
	return also(r, cache_write(t->tx, &t->cache, c));
}

static int print_limits(struct tool *t, const struct attachment *a, const struct limits *l)
{
	struct cache_key key = attachment_key(a);
	struct jw w;

	if (!t->opt.json)
		return 0;
	tool_open_json(t, &w);
	tool_put_attachment(&w, &key, a->netns);
	jw_int(&w, "ingressRate", l->ingress);
	jw_int(&w, "egressRate", l->egress);
	return tool_print_json(t, &w);
}

/* Puts the rates of the options into *l. */
static int read_rates(struct tool *t, struct limits *l)
{
	if (!t->opt.ingress && !t->opt.egress) {
		t->usage = true;
		return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL,
				  "set: expected --ingress RATE or --egress RATE, or both");
	}
	TRY(read_rate(t, "--ingress", t->opt.ingress, &l->ingress, &l->ingress_burst));
	return read_rate(t, "--egress", t->opt.egress, &l->egress, &l->egress_burst);
}

int cmd_set(struct tool *t)
{
	struct limits l = { .ingress = 0 };
	struct netconf net;
	struct attachment a;
	struct cached c;
	unsigned i = 0;

	/* A wrong option is told before anything is looked up. */
	TRY(read_rates(t, &l));
	TRY(cmd_find_live(t, &net, &a, &c));
	TRY(find_plugin(t, &net, &i));
	TRY(read_limits(t, &net, i, c.capability_args, &l));
	TRY(read_rates(t, &l));
	a.capability_args = put_limits(&t->tx->mem, c.capability_args, &l);
	TRY(apply(t, &a, i, &c));
	return print_limits(t, &a, &l);
}
