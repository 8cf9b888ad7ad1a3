// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * record.c - the files of the leases: /run/cni/dhcp/NETWORK:ID:IFNAME.json
 *
 * A file is written before the plugin gets its answer, so a daemon that is killed and started again
 * goes on where it was.  Each value has a key of its own, so another version can read it; keys that
 * it does not know are ignored, and absent ones have a default.  "version" is 2 since there is
 * DHCPv6: a file without it, of version 1, is of DHCPv4 alone.  Times are those of
 * CLOCK_BOOTTIME: /run ends with the boot as well.
 */
#include <stdio.h>
#include <unistd.h>

#include "ipam/dhcp/conf.h"
#include "ipam/dhcp/hold.h"
#include "ipam/dhcp/packet.h"
#include "value/base64.h"
#include "value/cj.h"
#include "value/jw.h"

enum { VERSION = 2 };

static struct state_file file_of(struct daemon *d, const struct hold *l)
{
	return (struct state_file){
		.dir = d->state_dir,
		.name = mem_printf(&d->tx.mem, "%s:%s:%s.json", l->network, l->id, l->ifname),
	};
}

static void put_bytes(struct jw *w, const char *key, const void *data, size_t size)
{
	jw_str(w, key, base64_encode(w->mem, data, size));
}

static void put_lease_of(struct jw *w, const struct dhcp_lease *lease, const char *message)
{
	jw_int(w, "start", lease->start);
	jw_int(w, "t1", lease->t1);
	jw_int(w, "t2", lease->t2);
	jw_int(w, "end", lease->end);
	put_bytes(w, message, lease->raw, lease->size);
}

/* "": the container had nothing before. */
static void put_replaced(struct jw *w, const struct dhcp_lease *replaced)
{
	if (replaced)
		put_bytes(w, "replaced", replaced->raw, replaced->size);
}

static void put4(struct jw *w, const struct hold *l)
{
	const struct dhcp_conf *conf = &l->v4.conf;

	jw_int(w, "priority", l->priority);
	jw_bool(w, "serverMTU", l->server_mtu);
	jw_int(w, "arpProbe", l->arp_probe);
	put_bytes(w, "mac", conf->mac, sizeof(conf->mac));
	jw_bool(w, "broadcast", conf->broadcast);
	put_bytes(w, "options", conf->options, conf->n_options);
	put_lease_of(w, &l->v4.x.lease, "ack");
	put_replaced(w, l->replaced[0]);
}

static void put6(struct jw *w, const struct hold *l)
{
	const struct hold6 *six = l->six;
	const struct dhcp6_conf *conf = &six->c.conf;

	jw_open(w, "dhcpv6", '{');
	put_bytes(w, "duid", conf->duid, conf->n_duid);
	jw_int(w, "iaid", conf->iaid);
	jw_bool(w, "rapidCommit", conf->rapid_commit);
	put_lease_of(w, &six->c.x.lease, "reply");
	put_replaced(w, l->replaced[1]);
	jw_close(w, '}');
}

static void put_left(struct jw *w, const struct hold *l)
{
	jw_open(w, "left", '[');
	for (unsigned i = 0; i < DAEMON_LEFT_MAX && ip_set(l->left[i]); i++)
		jw_str(w, NULL, IP_S(l->left[i]));
	jw_close(w, ']');
}

static const char *document(struct mem *mem, const struct hold *l)
{
	struct jw w;

	jw_init(&w, mem, true);
	jw_open(&w, NULL, '{');
	jw_int(&w, "version", VERSION);
	jw_str(&w, "netns", l->netns);
	jw_int(&w, "dev", (int64_t)l->dev);
	jw_int(&w, "ino", (int64_t)l->ino);
	jw_int(&w, "cookie", (int64_t)l->cookie);
	jw_int(&w, "index", l->index);
	jw_int(&w, "carrier", l->carrier);
	jw_str(&w, "parent", l->parent);
	put_left(&w, l);
	if (l->four)
		put4(&w, l);
	if (l->six)
		put6(&w, l);
	jw_close(&w, '}');
	return jw_end(&w);
}

int record_save(struct daemon *d, const struct hold *l)
{
	struct state_file f = file_of(d, l);

	TRY(state_save(&d->tx, &f, document(&d->tx.mem, l)));
	tx_commit(&d->tx);
	return 0;
}

void record_forget(struct daemon *d, const struct hold *l)
{
	struct state_file f = file_of(d, l);

	if (state_forget(&d->tx, &f) < 0)
		daemon_say(l, "%s", d->tx.msg);
	tx_commit(&d->tx);
}

bool record_is_kept(struct daemon *d, const struct hold *l)
{
	struct state_file f = file_of(d, l);

	return access(mem_printf(&d->tx.mem, "%s/%s", f.dir, f.name), F_OK) == 0;
}

/* ---- loading ------------------------------------------------------------ */

static int64_t number(const struct cj *c, const char *key)
{
	return cj_int(c, key, 0, INT64_MIN, INT64_MAX);
}

/* At most cap bytes, or none. */
static size_t bytes(struct mem *mem, const struct cj *c, const char *key, void *to, size_t cap)
{
	size_t size = 0;
	const char *data = base64_decode(mem, cj_str(c, key, ""), &size);

	if (!data || size > cap)
		return 0;
	memcpy(to, data, size);
	return size;
}

static void read_lease(struct mem *mem, const struct cj *c, const char *message,
		       struct dhcp_lease *ret)
{
	*ret = (struct dhcp_lease){
		.start = number(c, "start"),
		.t1 = number(c, "t1"),
		.t2 = number(c, "t2"),
		.end = number(c, "end"),
	};
	ret->size = (uint16_t)bytes(mem, c, message, ret->raw, sizeof(ret->raw));
}

/* Without memory the change is not completed. */
static void read_replaced(struct mem *mem, const struct cj *c, struct hold *l, bool six)
{
	struct dhcp_lease replaced = { .size = 0 };

	if (!cj_has(c, "replaced"))
		return;
	replaced.size = (uint16_t)bytes(mem, c, "replaced", replaced.raw, DHCP_PACKET);
	(void)hold_replaces(l, six, &replaced);
}

static bool read4(struct daemon *d, const struct cj *c, struct hold *l)
{
	struct dhcp_conf *conf = &l->v4.conf;
	struct mem *mem = &d->tx.mem;

	l->four = true;
	l->priority = number(c, "priority");
	l->server_mtu = cj_bool(c, "serverMTU", false);
	l->arp_probe = (uint32_t)cj_int(c, "arpProbe", DHCP_PROBE_MS, 0, DHCP_PROBE_MAX);
	conf->broadcast = cj_bool(c, "broadcast", false);
	conf->timeout = d->opt.timeout;
	conf->resend_max = d->opt.resend_max;
	conf->resend_timeout = d->opt.resend_timeout;
	conf->n_options = (uint16_t)bytes(mem, c, "options", conf->options, sizeof(conf->options));
	read_lease(mem, c, "ack", &l->v4.x.lease);
	read_replaced(mem, c, l, false);
	return bytes(mem, c, "mac", conf->mac, sizeof(conf->mac)) == sizeof(conf->mac) &&
	       dhcp_conf_valid(conf);
}

static bool read6(struct daemon *d, const struct cj *c, struct hold *l)
{
	struct hold6 *six = hold6_new(l);
	struct dhcp6_conf *conf;

	if (!six)
		return false;
	conf = &six->c.conf;
	conf->resend_timeout = d->opt.resend_timeout;
	conf->rapid_commit = cj_bool(c, "rapidCommit", true);
	conf->iaid = (uint32_t)cj_int(c, "iaid", 0, 0, UINT32_MAX);
	conf->n_duid = (uint8_t)bytes(&d->tx.mem, c, "duid", conf->duid, sizeof(conf->duid));
	read_lease(&d->tx.mem, c, "reply", &six->c.x.lease);
	read_replaced(&d->tx.mem, c, l, true);
	return dhcp6_conf_valid(conf);
}

static void read_left(const struct cj *c, struct hold *l)
{
	struct cj list = cj_list(c, "left");
	unsigned n = cj_len(&list), k = 0;

	for (unsigned i = 0; i < n && k < DAEMON_LEFT_MAX; i++) {
		struct cj e = cj_at(&list, i);

		l->left[k] = cj_as_ip(&e);
		k += ip_set(l->left[k]);
	}
}

static bool read_document(struct daemon *d, const struct cj *c, struct hold *l)
{
	bool six = cj_has(c, "dhcpv6"), good = true;
	struct cj more = cj_obj(c, "dhcpv6");

	if (cj_int(c, "version", 1, 0, INT64_MAX) > VERSION)
		daemon_say(l, "a newer version has written the lease: what is unknown is ignored");
	l->dev = (dev_t)number(c, "dev");
	l->ino = (ino_t)number(c, "ino");
	l->cookie = (uint64_t)number(c, "cookie");
	l->carrier = cj_int(c, "carrier", -1, -1, INT64_MAX);
	/* 0.2.0 wrote it for DHCPv6 alone. */
	snprintf(l->parent, sizeof(l->parent), "%s",
		 cj_str(c, "parent", cj_str(&more, "parent", "")));
	read_left(c, l);
	if (cj_has(c, "mac") || !six)
		good = read4(d, c, l);
	if (six)
		good = read6(d, &more, l) && good;
	return good && l->ino && cj_ok(&d->tx, c) == 0;
}

static void load(struct daemon *d, const struct state_entry *e)
{
	struct hold *l;
	struct cj c;
	char *text;

	if (state_load(&d->tx, &e->file, &text) != 1 ||
	    cj_parse(&d->tx, text, strlen(text), e->file.name, &c) < 0) {
		fprintf(stderr, "dhcp: %s\n", d->tx.msg);
		return;
	}
	l = hold_new(d, e->network, e->id, e->ifname, cj_str(&c, "netns", ""));
	if (!l || !read_document(d, &c, l)) {
		fprintf(stderr, "dhcp: %s/%s is damaged: ignored\n", e->file.dir, e->file.name);
		if (l)
			hold_free(d, l);
		return;
	}
	hold_resume(d, l);
}

int record_load_all(struct daemon *d)
{
	struct state_list list;

	TRY(state_list(&d->tx, d->state_dir, &list));
	for (unsigned i = 0; i < list.n; i++)
		if (list.e[i].network)
			load(d, &list.e[i]);
	return 0;
}

/* ---- dhcp list ---------------------------------------------------------- */

/* Seconds until the renewal and the end. */
static void put_times(struct jw *w, const struct dhcp_lease *lease, int64_t now)
{
	if (lease->t1 != DHCP_NEVER)
		jw_int(w, "renewIn", (lease->t1 - now) / 1000);
	if (lease->end != DHCP_NEVER)
		jw_int(w, "expiresIn", (lease->end - now) / 1000);
}

static void open_lease(struct jw *w, const struct hold *l)
{
	jw_open(w, NULL, '{');
	jw_str(w, "network", l->network);
	jw_str(w, "containerID", l->id);
	jw_str(w, "ifname", l->ifname);
}

static void list4(struct jw *w, const struct hold *l, int64_t now)
{
	const struct dhcp_lease *v4 = &l->v4.x.lease;
	struct dhcp_facts facts;

	open_lease(w, l);
	if (dhcp_has_lease(&l->v4) && !dhcp_facts(v4->raw, v4->size, &facts)) {
		jw_str(w, "address", mem_str(w->mem, CIDR_S(facts.address)));
		jw_str(w, "server", mem_str(w->mem, IP_S(facts.server)));
		put_times(w, v4, now);
	}
	jw_close(w, '}');
}

static const char *hex(struct mem *mem, const uint8_t *p, size_t size)
{
	char *text = mem_alloc(mem, 2 * size + 1);

	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	return text;
}

/* DHCPv6 servers have no address: the server is its DUID. */
static void list6(struct jw *w, const struct hold *l, int64_t now)
{
	const struct dhcp6_client *c = &l->six->c;
	struct dhcp_facts facts;

	open_lease(w, l);
	if (!dhcp6_facts(c->x.lease.raw, c->x.lease.size, c->conf.iaid, &facts)) {
		jw_str(w, "address", mem_str(w->mem, CIDR_S(facts.address)));
		jw_str(w, "server", hex(w->mem, c->server, c->n_server));
		put_times(w, &c->x.lease, now);
	}
	jw_close(w, '}');
}

const char *record_list(struct daemon *d)
{
	int64_t now = daemon_at().now;
	struct jw w;

	jw_init(&w, &d->tx.mem, true);
	jw_open(&w, NULL, '[');
	for (const struct hold *l = d->leases; l; l = l->next) {
		if (l->four && !l->leaving)
			list4(&w, l, now);
		if (l->six)
			list6(&w, l, now);
	}
	jw_close(&w, ']');
	return jw_end(&w);
}
