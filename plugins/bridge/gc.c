// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gc.c - GC and STATUS of the bridge plugin
 *
 * What is ours carries our mark (comments of elements, ifalias of links, the first line
 * of resolv.conf), so whatever a killed ADD or a DEL that never came left behind is
 * found by it.
 */
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "cni/ipam.h"
#include "cni/steps.h"
#include "firewall/foreign_fw.h"
#include "firewall/nat.h"
#include "firewall/spoof.h"
#include "netlink/bridge.h"
#include "nft/nft.h"
#include "plugins/bridge/bridge.h"

/* Without any attachment: a bridge of ours, and the table of the guards, if nothing uses them. */
static int gc_shared(struct tx *tx, struct call *c, struct nfnl *nl, const char *bridge)
{
	if (c->n_valid)
		return 0;
	TRY(bridge_link_gc(tx, c, bridge));
	return spoof_prune(tx, nl);
}

int bridge_gc(struct tx *tx, struct call *c)
{
	struct owned_valid valid = call_valid_keys(tx, c);
	const char *bridge = conf_ifname(&c->conf, "bridge");
	struct nfnl *nl;
	int before = tx->err, r = cj_ok(tx, &c->conf);

	TRY(tx_excuse(tx, before, r, "the default is taken"));
	if (!c->valid_known)
		return ipam_gc(tx, c);
	TRY(call_nf(tx, c, &nl));
	r = ipam_gc_first(tx, c);
	r = also(r, nat_gc(tx, nl, &c->host, OWNED_MAIN_NAT, &valid));
	r = also(r, spoof_gc(tx, nl, &valid));
	r = also(r, step_reference_gc(tx, c));
	r = also(r, step_links_gc(tx, c, ""));
	r = also(r, step_resolv_gc(tx, c));
	r = also(r, gc_shared(tx, c, nl, bridge ? bridge : BRIDGE_DEFAULT));
	return also(r, ipam_gc(tx, c));
}

/* Which families a network gives addresses of, as far as its configuration tells. */
static void note_family(const struct cj *v, const char *key, bool *four, bool *six)
{
	const char *text = cj_str(v, key, "");

	*six |= strchr(text, ':') != NULL;
	*four |= strchr(text, '.') != NULL;
}

static void note_families(const struct cj *sets, bool *four, bool *six)
{
	for (unsigned i = 0, n = cj_len(sets); i < n; i++) {
		struct cj set = cj_at(sets, i);

		for (unsigned k = 0, ranges = cj_len(&set); k < ranges; k++) {
			struct cj range = cj_at(&set, k);

			note_family(&range, "subnet", four, six);
		}
	}
}

static void families(const struct cj *conf, bool *four, bool *six)
{
	struct cj ipam = cj_obj(conf, "ipam"), runtime = cj_obj(conf, "runtimeConfig");
	struct cj sets = cj_any(&ipam, "ranges"), more = cj_list(&runtime, "ipRanges");
	struct cj addresses = cj_list(&ipam, "addresses");

	*four = *six = false;
	note_family(&ipam, "subnet", four, six);
	if (cj_is_word(&sets, "podCIDR"))
		*four = *six = true;
	else
		note_families(&sets, four, six);
	note_families(&more, four, six);
	for (unsigned i = 0, n = cj_len(&addresses); i < n; i++) {
		struct cj a = cj_at(&addresses, i);

		note_family(&a, "address", four, six);
	}
	*four |= !*six;
}

/* What STATUS looks at: the forward chains that a bridge's traffic passes. */
struct look {
	const struct link *br;
	bool four, six;
	struct nfnl *nl;
	const char *who; /* drops it; NULL = none does */
};

static int find_drop(struct tx *tx, struct look *l)
{
	return foreign_fw_check(tx, l->nl, l->br, l->four, l->six, &l->who);
}

/*
 * Until the ADD of the plugin firewall follows that of this one, some milliseconds later, the first
 * container's traffic is dropped.  So a drop counts only if the ruleset's next changes, within a
 * second, do not end it.
 */
static int find_lasting_drop(struct tx *tx, struct look *l)
{
	enum { LASTING_MS = 1000, LOOKS = 10 };
	const struct timespec pause = { .tv_nsec = 20000000 };
	int64_t deadline = rt_deadline(LASTING_MS);
	uint32_t before = 0, now;
	int looks = 0;

	while (l->who && looks < LOOKS && rt_deadline(0) < deadline) {
		TRY(tx_interrupted(tx));
		if (nft_genid(l->nl, &now) < 0)
			return 0;
		if (now == before) {
			nanosleep(&pause, NULL);
			continue;
		}
		before = now;
		looks++;
		TRY(find_drop(tx, l));
	}
	return 0;
}

/*
 * The plugin firewall, behind this one, makes the program that drops let the traffic of each
 * container pass, and this plugin sees its own configuration only.  So a drop is a failure if
 * there are containers that suffer from it, or if no such plugin follows.
 */
static int judge_drop(struct tx *tx, struct call *c, struct look *l)
{
	bool alone = c->chain && !strstr(c->chain, " firewall ");
	int used = 0;

	if (l->br->index && !alone)
		TRY(used = bridge_used(tx, &c->host, l->br->index, 0));
	if (used)
		TRY(find_lasting_drop(tx, l));
	if (l->who && (used || alone))
		return tx_fail_as(tx, CNI_E_DEGRADED, -EACCES, "host: %s", l->who);
	if (l->who && !c->chain)
		log_warn("host: %s, or have the plugin firewall behind bridge", l->who);
	return 0;
}

/* Does another's firewall let the bridge pass?  Running containers suffer as well. */
static int check_forwarding(struct tx *tx, struct call *c, const struct bridge_conf *cf,
			    struct link *br)
{
	struct look l = { .br = br };

	if (!br->index) /* there will be one */
		snprintf(br->name, sizeof(br->name), "%s", cf->bridge);
	families(&c->conf, &l.four, &l.six);
	l.four &= cf->is_gateway;
	l.six &= cf->is_gateway;
	TRY(call_nf(tx, c, &l.nl));
	if (nft_usable(l.nl) < 0)
		return 0;
	TRY(find_drop(tx, &l));
	if (l.who)
		return judge_drop(tx, c, &l);
	return 0;
}

int bridge_status(struct tx *tx, struct call *c)
{
	struct bridge_conf cf;
	struct nfnl *nl;
	struct link br = { .index = 0 };
	const char *kind;
	int there;

	TRY(bridge_read_conf(tx, c, &cf));
	TRY(there = link_find(tx, &c->host, cf.bridge, &br));
	kind = *br.kind ? mem_printf(&tx->mem, " but a %s", br.kind) : "";
	if (there && !str_eq(br.kind, "bridge"))
		return tx_fail_as(tx, CNI_E_UNAVAILABLE, -EEXIST,
				  "host: bridge %s: the name belongs to an interface that is not a "
				  "bridge%s",
				  cf.bridge, kind);
	if (cf.masq.v4 || cf.masq.v6 || cf.spoof != SPOOF_OFF) {
		TRY(call_nf(tx, c, &nl));
		TRY(nat_status(tx, nl));
	}
	TRY(ipam_status(tx, c));
	return check_forwarding(tx, c, &cf, &br);
}
