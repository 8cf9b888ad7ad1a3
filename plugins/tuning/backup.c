// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backup.c - the values before, of what the tuning plugin has changed
 */
#include "plugins/tuning/backup.h"
#include "sys/procfs.h"

bool backup_is_empty(const struct backup *b)
{
	const struct link_want *w = &b->link;

	return !w->mac.len && !w->mtu && !w->promisc && !w->allmulti && !w->txqlen &&
	       !b->sysctls.n && !b->shown.n;
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

int backup_of(struct tx *tx, struct call *c, const struct tuning_conf *cf, const struct link *l,
	      struct backup *ret)
{
	struct netns_id id = netns_identify(&c->cont_ns);
	struct backup b = {
		.link = link_before(tx, &cf->link, l),
		.network = c->network,
		.id = c->id,
		.ifname = c->ifname,
		.netns = c->netns_path,
		.inode = mem_str(&tx->mem, id.inode),
		.cookie = mem_str(&tx->mem, id.cookie),
	};

	for (unsigned i = 0; i < cf->n; i++) {
		const struct sysctl_value *v = &cf->sysctls[i];

		if (v->now && !sysctl_same(v->now, v->s.value))
			sysctl_values_add(tx, &b.sysctls, v->s.name, v->now);
	}
	TRY(backup_find_dropped(tx, &c->cont, cf, l, &b));
	*ret = b;
	return 0;
}

void backup_note_shown(struct tx *tx, struct backup *b, const struct sysctl_value *v)
{
	sysctl_values_add(tx, &b->shown, v->s.name, v->now);
}

bool backup_is_shown(const struct backup *b, const struct sysctl_value *v)
{
	for (unsigned i = 0; i < b->shown.n; i++)
		if (str_eq(b->shown.v[i].s.name, v->s.name))
			return sysctl_same(b->shown.v[i].s.value, v->now);
	return false;
}

/* ---- saving ------------------------------------------------------------- */

/* The values of more that list does not have. */
static void add_missing(struct tx *tx, struct sysctl_values *list, const struct sysctl_values *more)
{
	unsigned n = list->n, k;

	for (unsigned i = 0; i < more->n; i++) {
		for (k = 0; k < n && !str_eq(list->v[k].s.name, more->v[i].s.name); k++)
			;
		if (k == n)
			sysctl_values_add(tx, list, more->v[i].s.name, more->v[i].s.value);
	}
}

/* Another tuning of the same list, or an ADD that was killed, has saved older values. */
static void keep_older(struct tx *tx, struct backup *b, const struct backup *older)
{
	struct sysctl_values sysctls = { .n = 0 }, shown = { .n = 0 };
	struct backup dropped = { .n_dropped = 0 };

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
	for (unsigned i = 0; i < older->n_dropped; i++)
		backup_add_dropped(tx, &dropped, &older->dropped[i]);
	for (unsigned i = 0; i < b->n_dropped; i++)
		backup_add_dropped(tx, &dropped, &b->dropped[i]);
	b->sysctls = sysctls;
	b->shown = shown;
	b->dropped = dropped.dropped;
	b->n_dropped = dropped.n_dropped;
}

int backup_save(struct tx *tx, const struct call *c, const char *dir, const struct backup *b)
{
	struct state_file f = backup_file(tx, dir, c->id, c->ifname);
	struct backup all = *b, older;
	int before = tx->err, there = backup_load(tx, &f, &older);

	if (err_is_passing(there))
		return there;
	TRY(tx_excuse(tx, before, there, "what tuning has saved before is replaced"));
	if (there == 1 && older.inode && netns_is(&c->cont_ns, older.inode, older.cookie))
		keep_older(tx, &all, &older);
	return backup_write(tx, &f, &all);
}

/* ---- back --------------------------------------------------------------- */

/*
 * A value that the kernel refuses is refused again the next time: a warning, because runtimes end a
 * DEL at the first failure.  The rollback tells all.
 */
static int excuse_refusal(struct tx *tx, int before, int r)
{
	if (r >= 0 || err_is_passing(r) || tx->unwinding)
		return r;
	return tx_excuse(tx, before, r, "the container keeps what tuning has set");
}

static int restore_link(struct tx *tx, struct rt *rt, const char *ifname, const struct backup *b)
{
	int before = tx->err;
	struct link l;
	int there;

	TRY(there = link_find(tx, rt, ifname, &l));
	if (!there)
		return 0;
	return excuse_refusal(tx, before, layer3_ensure_link(tx, rt, &l, &b->link, NULL, NULL));
}

static int restore_sysctls(struct tx *tx, struct rt *rt, const struct sysctl_values *list)
{
	int r;

	TRY(sysctl_write_list(tx, rt->ns, list->v, list->n));
	r = 0;
	for (unsigned i = 0; i < list->n; i++) {
		const struct sysctl_value *v = &list->v[i];
		int before = tx->err, failed;

		if (v->err == 0 || (v->err == -ENOENT && procfs_has_sysctls()))
			continue;
		failed = tx_fail(tx, v->err, "%s: set sysctl %s back to %s: %s", rt->where,
				 v->s.name, v->s.value, strerror(-v->err));
		r = also(r, excuse_refusal(tx, before, failed));
	}
	return r;
}

static int restore_dropped(struct tx *tx, struct rt *rt, const struct dropped *d)
{
	struct link_want up = { .up = d->up, .shared = true };
	int before = tx->err, there, r;
	struct link l;

	TRY(there = link_find(tx, rt, d->ifname, &l));
	if (!there)
		return 0;
	r = link_ensure(tx, rt, &l, &up);
	r = also(r, layer3_restore(tx, rt, &l, &d->layer3));
	return excuse_refusal(tx, before, r);
}

int backup_restore(struct tx *tx, struct rt *rt, const char *ifname, const struct backup *b)
{
	/* The MTU first: the kernel sets IPv6's to the same. */
	int r = restore_link(tx, rt, ifname, b);

	r = also(r, restore_sysctls(tx, rt, &b->sysctls));
	for (unsigned i = 0; i < b->n_dropped; i++)
		r = also(r, restore_dropped(tx, rt, &b->dropped[i]));
	return r;
}
