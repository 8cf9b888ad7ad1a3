// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * document.c - the values that tuning has saved, as JSON
 */
#include <stdio.h>

#include "plugins/tuning/backup.h"
#include "value/jw.h"
#include "value/name.h"

void sysctl_values_add(struct tx *tx, struct sysctl_values *to, const char *name, const char *value)
{
	struct sysctl_value v = { .s.value = value };

	snprintf(v.s.name, sizeof(v.s.name), "%s", name);
	to->v = mem_grow(&tx->mem, to->v, to->n, sizeof(v));
	to->v[to->n++] = v;
}

struct state_file backup_file(struct tx *tx, const char *dir, const char *id, const char *ifname)
{
	return (struct state_file){
		.dir = dir,
		.name = mem_printf(&tx->mem, "%s_%s.json", id, ifname),
	};
}

/* ---- writing ------------------------------------------------------------ */

static void write_values(struct jw *w, const char *key, const struct sysctl_values *list)
{
	if (!list->n)
		return;
	jw_open(w, key, '{');
	for (unsigned i = 0; i < list->n; i++)
		jw_str(w, list->v[i].s.name, list->v[i].s.value);
	jw_close(w, '}');
}

static void write_dropped(struct mem *mem, struct jw *w, const struct backup *b)
{
	if (!b->n_dropped)
		return;
	jw_open(w, "dropped", '[');
	for (unsigned i = 0; i < b->n_dropped; i++) {
		jw_open(w, NULL, '{');
		jw_str(w, "ifname", b->dropped[i].ifname);
		jw_bool(w, "up", b->dropped[i].up);
		layer3_write(mem, w, &b->dropped[i].layer3);
		jw_close(w, '}');
	}
	jw_close(w, ']');
}

int backup_write(struct tx *tx, const struct state_file *f, const struct backup *b)
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
	write_dropped(&tx->mem, &w, b);
	jw_str(&w, "network", b->network);
	jw_str(&w, "containerID", b->id);
	jw_str(&w, "ifname", b->ifname);
	jw_str(&w, "netns", b->netns);
	jw_str(&w, "netnsInode", b->inode);
	jw_str(&w, "netnsCookie", b->cookie);
	jw_close(&w, '}');
	return state_save(tx, f, jw_end(&w));
}

/* ---- reading ------------------------------------------------------------ */

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
			sysctl_values_add(tx, ret, v.s.name, value);
	}
}

static void read_dropped(struct tx *tx, const struct cj *c, struct backup *b)
{
	struct cj list = cj_list(c, "dropped");

	for (unsigned i = 0; i < cj_len(&list); i++) {
		struct cj e = cj_at(&list, i);
		struct dropped d = {
			.ifname = cj_str(&e, "ifname", ""),
			.up = cj_bool(&e, "up", false),
		};

		layer3_read(&tx->mem, &e, &d.layer3);
		backup_add_dropped(tx, b, &d);
	}
}

static int read_backup(struct tx *tx, const char *text, struct backup *ret)
{
	struct backup b = { .link.shared = true };
	uint32_t txqlen;
	struct cj c;

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
	read_dropped(tx, &c, &b);
	b.network = cj_str(&c, "network", NULL);
	b.id = cj_str(&c, "containerID", NULL);
	b.ifname = cj_str(&c, "ifname", NULL);
	b.netns = cj_str(&c, "netns", NULL);
	b.inode = cj_str(&c, "netnsInode", NULL);
	b.cookie = cj_str(&c, "netnsCookie", NULL);
	TRY(cj_ok(tx, &c)); /* the document lives as long as the call */
	*ret = b;
	return 0;
}

/* Names the document, unless the text does (named), and the remedy in the failure of a load. */
static int fail_load(struct tx *tx, const struct state_file *f, int before, int r, bool named)
{
	const char *what = named ? "" : mem_printf(&tx->mem, "%s/%s: ", f->dir, f->name);
	const char *why = mem_str(&tx->mem, tx->msg);

	if (before || err_is_passing(r))
		return r;
	tx->err = 0;
	return tx_fail_as(tx, CPLUG_E_FILE, r,
			  "%s%s (remove it: the container then keeps what tuning has set)", what,
			  why);
}

int backup_load(struct tx *tx, const struct state_file *f, struct backup *ret)
{
	int before = tx->err, there, r;
	char *text;

	there = state_load(tx, f, &text);
	if (there == 0)
		return 0;
	if (there < 0)
		return fail_load(tx, f, before, there, true);
	r = read_backup(tx, text, ret);
	if (r < 0)
		return fail_load(tx, f, before, r, false);
	return 1;
}
