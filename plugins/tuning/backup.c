// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backup.c - the values before, of what the tuning plugin has changed
 */
#include <inttypes.h>
#include <stdio.h>

#include "plugins/tuning/backup.h"
#include "value/jw.h"
#include "value/name.h"

bool backup_is_empty(const struct backup *b)
{
	const struct link_want *w = &b->link;

	return !w->mac.len && !w->mtu && !w->promisc && !w->allmulti && !w->txqlen &&
	       !b->sysctls.n && !b->shown.n;
}

struct state_file backup_file(struct tx *tx, const char *dir, const char *id, const char *ifname)
{
	return (struct state_file){
		.dir = dir,
		.name = mem_printf(&tx->mem, "%s_%s.json", id, ifname),
	};
}

struct identity {
	char s[32];
};

/* An inode number is reused after the namespace is deleted, so the cookie is better. */
static struct identity identity(const struct netns *ns)
{
	uint64_t cookie = netns_cookie(ns);
	struct identity id;

	if (cookie)
		snprintf(id.s, sizeof(id.s), "cookie %" PRIu64, cookie);
	else
		snprintf(id.s, sizeof(id.s), "inode %" PRIu64, (uint64_t)ns->ino);
	return id;
}

bool backup_is_of(const struct backup *b, const struct netns *ns)
{
	return !b->netns_id || str_eq(b->netns_id, identity(ns).s);
}

/* ---- what changes ------------------------------------------------------- */

static enum link_switch state_of_flag(const struct link *l, unsigned flag)
{
	return l->flags & flag ? LINK_ON : LINK_OFF;
}

static struct link_want link_before(struct tx *tx, const struct link_want *want,
				    const struct link *l)
{
	enum link_switch promisc = state_of_flag(l, IFF_PROMISC);
	enum link_switch allmulti = state_of_flag(l, IFF_ALLMULTI);
	struct link_want was = { .shared = true };

	if (want->mac.len && !mac_eq(want->mac, l->mac))
		was.mac = l->mac;
	if (want->mtu && want->mtu != l->mtu)
		was.mtu = l->mtu;
	if (want->promisc && want->promisc != promisc)
		was.promisc = promisc;
	if (want->allmulti && want->allmulti != allmulti)
		was.allmulti = allmulti;
	if (want->txqlen && *want->txqlen != l->txqlen)
		was.txqlen = mem_dup(&tx->mem, &l->txqlen, sizeof(l->txqlen));
	return was;
}

static void add_value(struct tx *tx, struct sysctl_values *to, const char *name, const char *value)
{
	struct sysctl_value v = { .s.value = value };

	snprintf(v.s.name, sizeof(v.s.name), "%s", name);
	to->v = mem_grow(&tx->mem, to->v, to->n, sizeof(v));
	to->v[to->n++] = v;
}

struct backup backup_of(struct tx *tx, const struct call *c, const struct tuning_conf *cf,
			const struct link *l)
{
	struct backup b = {
		.link = link_before(tx, &cf->link, l),
		.network = c->network,
		.id = c->id,
		.ifname = c->ifname,
		.netns = c->netns_path,
		.netns_id = mem_str(&tx->mem, identity(&c->cont_ns).s),
	};

	for (unsigned i = 0; i < cf->n; i++) {
		const struct sysctl_value *v = &cf->sysctls[i];

		if (v->now && !sysctl_same(v->now, v->s.value))
			add_value(tx, &b.sysctls, v->s.name, v->now);
	}
	return b;
}

void backup_note_shown(struct tx *tx, struct backup *b, const struct sysctl_value *v)
{
	add_value(tx, &b->shown, v->s.name, v->now);
}

bool backup_is_shown(const struct backup *b, const struct sysctl_value *v)
{
	for (unsigned i = 0; i < b->shown.n; i++)
		if (str_eq(b->shown.v[i].s.name, v->s.name))
			return sysctl_same(b->shown.v[i].s.value, v->now);
	return false;
}

/* ---- the document ------------------------------------------------------- */

static void write_values(struct jw *w, const char *key, const struct sysctl_values *list)
{
	if (!list->n)
		return;
	jw_open(w, key, '{');
	for (unsigned i = 0; i < list->n; i++)
		jw_str(w, list->v[i].s.name, list->v[i].s.value);
	jw_close(w, '}');
}

static const char *write_document(struct tx *tx, const struct backup *b)
{
	const struct link_want *l = &b->link;
	struct jw w;

	jw_init(&w, &tx->mem, true);
	jw_open(&w, NULL, '{');
	if (l->mac.len)
		jw_str(&w, "mac", MAC_S(l->mac));
	if (l->promisc)
		jw_bool(&w, "promisc", l->promisc == LINK_ON);
	if (l->mtu)
		jw_int(&w, "mtu", l->mtu);
	if (l->allmulti)
		jw_bool(&w, "allmulti", l->allmulti == LINK_ON);
	if (l->txqlen)
		jw_int(&w, "txQLen", *l->txqlen);
	write_values(&w, "sysctl", &b->sysctls);
	write_values(&w, "shown", &b->shown);
	jw_str(&w, "network", b->network);
	jw_str(&w, "containerID", b->id);
	jw_str(&w, "ifname", b->ifname);
	jw_str(&w, "netns", b->netns);
	jw_str(&w, "netnsID", b->netns_id);
	jw_close(&w, '}');
	return jw_end(&w);
}

static enum link_switch read_switch(const struct cj *c, const char *key)
{
	if (!cj_has(c, key))
		return LINK_LEAVE;
	return cj_bool(c, key, false) ? LINK_ON : LINK_OFF;
}

static void read_values(struct tx *tx, const struct cj *c, const char *key,
			struct sysctl_values *ret)
{
	struct cj object = cj_obj(c, key);

	for (struct cj m = cj_first(&object); m.json; m = cj_next(&m)) {
		struct sysctl_value v;
		const char *value = cj_as_str(&m);

		/* The document is root's; a path that leaves net/ is refused all the same. */
		if (value && sysctl_path(m.key, "", v.s.name))
			add_value(tx, ret, v.s.name, value);
	}
}

int backup_load(struct tx *tx, const struct state_file *f, struct backup *ret)
{
	struct backup b = { .link.shared = true };
	uint32_t txqlen;
	struct cj c;
	char *text;
	int there;

	TRY(there = state_load(tx, f, &text));
	if (!there)
		return 0;
	TRY(cj_parse(tx, text, strlen(text), "values that tuning has saved", &c));
	b.link.mac = cj_mac(&c, "mac");
	b.link.mtu = (int)cj_int(&c, "mtu", 0, 0, INT32_MAX);
	b.link.promisc = read_switch(&c, "promisc");
	b.link.allmulti = read_switch(&c, "allmulti");
	txqlen = (uint32_t)cj_int(&c, "txQLen", 0, 0, INT32_MAX);
	if (cj_has(&c, "txQLen"))
		b.link.txqlen = mem_dup(&tx->mem, &txqlen, sizeof(txqlen));
	read_values(tx, &c, "sysctl", &b.sysctls);
	read_values(tx, &c, "shown", &b.shown);
	b.network = cj_str(&c, "network", NULL);
	b.id = cj_str(&c, "containerID", NULL);
	b.ifname = cj_str(&c, "ifname", NULL);
	b.netns = cj_str(&c, "netns", NULL);
	b.netns_id = cj_str(&c, "netnsID", NULL);
	TRY(cj_ok(tx, &c)); /* the document lives as long as the call */
	*ret = b;
	return 1;
}

/* The values of more that list does not have. */
static void add_missing(struct tx *tx, struct sysctl_values *list, const struct sysctl_values *more)
{
	unsigned n = list->n, k;

	for (unsigned i = 0; i < more->n; i++) {
		for (k = 0; k < n && !str_eq(list->v[k].s.name, more->v[i].s.name); k++)
			;
		if (k == n)
			add_value(tx, list, more->v[i].s.name, more->v[i].s.value);
	}
}

/* Another tuning of the same list, or an ADD that was killed, has saved older values. */
static void keep_older(struct tx *tx, struct backup *b, const struct backup *older)
{
	struct sysctl_values sysctls = { .n = 0 }, shown = { .n = 0 };

	if (older->link.mac.len)
		b->link.mac = older->link.mac;
	if (older->link.mtu)
		b->link.mtu = older->link.mtu;
	if (older->link.promisc)
		b->link.promisc = older->link.promisc;
	if (older->link.allmulti)
		b->link.allmulti = older->link.allmulti;
	if (older->link.txqlen)
		b->link.txqlen = older->link.txqlen;
	add_missing(tx, &sysctls, &older->sysctls);
	add_missing(tx, &sysctls, &b->sysctls);
	add_missing(tx, &shown, &b->shown);
	add_missing(tx, &shown, &older->shown);
	b->sysctls = sysctls;
	b->shown = shown;
}

int backup_save(struct tx *tx, const struct call *c, const char *dir, const struct backup *b)
{
	struct state_file f = backup_file(tx, dir, c->id, c->ifname);
	struct backup all = *b, older;
	int before = tx->err, there = backup_load(tx, &f, &older);

	if (there == -EINTR)
		return there;
	TRY(tx_excuse(tx, before, there, "what tuning has saved before is replaced"));
	if (there == 1 && older.netns_id && backup_is_of(&older, &c->cont_ns))
		keep_older(tx, &all, &older);
	return state_save(tx, &f, write_document(tx, &all));
}

/* ---- back --------------------------------------------------------------- */

int backup_restore(struct tx *tx, struct rt *rt, const char *ifname, const struct backup *b)
{
	struct sysctl_value *list = b->sysctls.v;
	unsigned n = b->sysctls.n;
	struct link l;
	int r = link_find(tx, rt, ifname, &l);

	/* The MTU first: the kernel sets IPv6's to the same. */
	if (r == 1)
		r = link_ensure(tx, rt, &l, &b->link);
	r = also(r, sysctl_write_list(tx, rt->ns, list, n));
	for (unsigned i = 0; i < n; i++)
		if (list[i].err < 0 && list[i].err != -ENOENT)
			r = also(r, tx_fail(tx, list[i].err, "%s: set sysctl %s back to %s: %s",
					    rt->where, list[i].s.name, list[i].s.value,
					    strerror(-list[i].err)));
	return r < 0 ? r : 0;
}
