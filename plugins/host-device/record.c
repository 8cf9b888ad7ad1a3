// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * record.c - what a device was on the host, as a document below /run (sys/state.h)
 */
#include <stdio.h>

#include "base/log.h"
#include "netlink/layer3.h"
#include "plugins/host-device/host_device.h"
#include "value/base64.h"

#define PLUGIN "host-device"

int hostdev_owner(struct tx *tx, const char *network, const char *id, const char *ifname,
		  struct hostdev_owner *ret)
{
	*ret = (struct hostdev_owner){
		network, id, ifname, mark_of(network, id, ifname), { .dir = NULL }
	};
	return state_of(tx, PLUGIN, network, id, ifname, &ret->file);
}

/* ---- writing ------------------------------------------------------------ */

static const char *const numbers[LINK_SAVED_NUMBERS] = {
	[LINK_SAVED_MODE] = "linkMode",
	[LINK_SAVED_PROTO_DOWN] = "protoDown",
	[LINK_SAVED_GSO_SIZE] = "gsoMaxSize",
	[LINK_SAVED_GSO_SEGMENTS] = "gsoMaxSegs",
	[LINK_SAVED_GRO_SIZE] = "groMaxSize",
	[LINK_SAVED_GSO4_SIZE] = "gsoIPv4MaxSize",
	[LINK_SAVED_GRO4_SIZE] = "groIPv4MaxSize",
};

static void put_link(struct jw *w, const struct link_saved *l)
{
	jw_str(w, "name", l->name);
	jw_str(w, "alias", l->alias);
	jw_str(w, "kind", l->kind);
	jw_str(w, "hardware", l->hardware);
	jw_int(w, "index", l->index);
	jw_int(w, "parent", l->parent);
	jw_bool(w, "parentHere", l->parent_here);
	jw_int(w, "mtu", l->mtu);
	jw_str(w, "mac", MAC_S(l->mac));
	jw_str(w, "broadcast", MAC_S(l->broadcast));
	jw_bool(w, "xdp", l->xdp);
	jw_int(w, "flags", l->flags);
	jw_int(w, "group", l->group);
	jw_int(w, "txQueueLen", l->tx_size);
	jw_str(w, "master", l->master);
	for (unsigned i = 0; i < LINK_SAVED_NUMBERS; i++)
		if (l->number[i] >= 0)
			jw_int(w, numbers[i], l->number[i]);
	if (l->options.len)
		jw_str(w, "options", base64_encode(w->mem, l->options.attrs, l->options.len));
	jw_open(w, "ethtool", '{');
	for (unsigned i = 0; i < LINK_ETHTOOL_SETTINGS; i++)
		if (l->ethtool[i])
			jw_str(w, link_ethtool_name(i), l->ethtool[i]);
	jw_close(w, '}');
	jw_open(w, "altNames", '[');
	for (unsigned i = 0; i < l->n_altnames; i++)
		jw_str(w, NULL, l->altnames[i]);
	jw_close(w, ']');
}

int hostdev_record_save(struct tx *tx, const struct hostdev_owner *o,
			const struct hostdev_record *r)
{
	struct layer3 layer3 = { r->addrs, r->routes };
	struct jw w;

	jw_init(&w, &tx->mem, true);
	jw_open(&w, NULL, '{');
	put_link(&w, &r->link);
	jw_str(&w, "netns", r->netns);
	jw_str(&w, "netnsInode", r->inode);
	jw_str(&w, "netnsCookie", r->cookie);
	layer3_write(&tx->mem, &w, &layer3);
	jw_close(&w, '}');
	return state_save(tx, &o->file, jw_end(&w));
}

/* ---- reading ------------------------------------------------------------ */

static void copy(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

static void read_options(struct mem *mem, const struct cj *j, struct link_saved *l)
{
	const char *text = cj_str(j, "options", NULL), *data = NULL;
	size_t len = 0;

	if (text)
		data = base64_decode(mem, text, &len);
	if (data)
		l->options = (struct link_data){ data, (unsigned)len };
}

static void read_link(struct mem *mem, const struct cj *j, struct link_saved *l)
{
	struct cj altnames = cj_list(j, "altNames"), ethtool = cj_obj(j, "ethtool");

	*l = (struct link_saved){
		.hardware = mem_str(mem, cj_str(j, "hardware", "")),
		.index = (int)cj_int(j, "index", 0, 0, INT32_MAX),
		.parent = (int)cj_int(j, "parent", 0, 0, INT32_MAX),
		.parent_here = cj_bool(j, "parentHere", false),
		.mtu = (int)cj_int(j, "mtu", 0, 0, INT32_MAX),
		.mac = cj_mac(j, "mac"),
		.broadcast = cj_mac(j, "broadcast"),
		/* A document of an older version does not tell: nothing is detached. */
		.xdp = cj_bool(j, "xdp", true),
		.flags = (unsigned)cj_int(j, "flags", 0, 0, UINT32_MAX),
		.group = (uint32_t)cj_int(j, "group", 0, 0, UINT32_MAX),
		.tx_size = (uint32_t)cj_int(j, "txQueueLen", 0, 0, UINT32_MAX),
	};
	copy(l->name, sizeof(l->name), cj_str(j, "name", ""));
	copy(l->alias, sizeof(l->alias), cj_str(j, "alias", ""));
	copy(l->kind, sizeof(l->kind), cj_str(j, "kind", ""));
	copy(l->master, sizeof(l->master), cj_str(j, "master", ""));
	for (unsigned i = 0; i < LINK_SAVED_NUMBERS; i++)
		l->number[i] = cj_int(j, numbers[i], -1, 0, UINT32_MAX);
	for (unsigned i = 0; i < LINK_ETHTOOL_SETTINGS; i++)
		l->ethtool[i] = mem_str(mem, cj_str(&ethtool, link_ethtool_name(i), NULL));
	for (unsigned i = 0; i < cj_len(&altnames); i++) {
		struct cj name = cj_at(&altnames, i);

		l->altnames = mem_grow(mem, l->altnames, l->n_altnames, sizeof(*l->altnames));
		l->altnames[l->n_altnames++] = mem_str(mem, cj_as_str(&name));
	}
	read_options(mem, j, l);
	if (!*l->name)
		cj_wrong(j, "name", "missing");
}

static int parse(struct tx *tx, const char *text, struct hostdev_record *ret)
{
	struct hostdev_record r = { .netns = "", .inode = "", .cookie = "" };
	struct layer3 layer3;
	struct cj j;
	int err;

	TRY(cj_parse(tx, text, strlen(text), "record of a device", &j));
	read_link(&tx->mem, &j, &r.link);
	r.netns = mem_str(&tx->mem, cj_str(&j, "netns", ""));
	r.inode = mem_str(&tx->mem, cj_str(&j, "netnsInode", ""));
	r.cookie = mem_str(&tx->mem, cj_str(&j, "netnsCookie", ""));
	layer3_read(&tx->mem, &j, &layer3);
	r.addrs = layer3.addrs;
	r.routes = layer3.routes;
	err = cj_ok(tx, &j);
	cj_free(&j);
	*ret = r;
	return err;
}

/*
 * Only root writes the document, so a wrong one is an accident, and as none: DEL, which removes it,
 * must end without it.
 */
int hostdev_record_load(struct tx *tx, const struct hostdev_owner *o, struct hostdev_record *ret)
{
	int before = tx->err, there, r;
	char *text;

	there = state_load(tx, &o->file, &text);
	if (there == 0)
		return 0;
	r = there < 0 ? there : parse(tx, text, ret);
	if (r == 0)
		return 1;
	if (err_is_passing(r))
		return r;
	return tx_excuse(tx, before, r, "the record of the device is of no use");
}

int hostdev_each(struct tx *tx, const char *network, hostdev_each_fn *each, void *arg)
{
	struct state_list list;
	int r = 0;

	TRY(state_list(tx, HOSTDEV_RECORDS, &list));
	for (unsigned i = 0; r == 0 && i < list.n; i++) {
		const struct state_entry *e = &list.e[i];
		struct hostdev_record record;
		struct hostdev_owner o;

		if (!e->network || (network && !str_eq(e->network, network)))
			continue;
		TRY(hostdev_owner(tx, e->network, e->id, e->ifname, &o));
		TRY(r = hostdev_record_load(tx, &o, &record));
		if (r == 1)
			r = each(tx, &o, &record, arg);
		else
			r = state_drop(tx, &o.file);
	}
	return r;
}
