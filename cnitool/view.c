// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * view.c - leases, published ports and rates, for pictures of the host
 */
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cnitool/netconf.h"
#include "cnitool/view.h"
#include "firewall/hostports.h"
#include "netlink/tc.h"
#include "sys/file.h"

/* ---- texts ---- */

void view_say(struct mem *m, struct words *list, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	words_add(m, list, mem_vprintf(m, fmt, ap));
	va_end(ap);
}

const char *view_escape(struct mem *m, const char *s)
{
	char *out = mem_alloc(m, strlen(s) * 4 + 1), *p = out;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c > 0x7e || c == '\\')
			p += sprintf(p, "\\x%02x", c);
		else
			*p++ = (char)c;
	}
	return out;
}

const char *view_kind(const struct link *l)
{
	return *l->kind ? l->kind : "device";
}

const char *view_state(const struct link *l)
{
	if (!(l->flags & IFF_UP))
		return "down";
	return l->flags & IFF_RUNNING ? "up" : "no carrier";
}

int view_rate(struct tx *tx, struct rt *rt, const struct link *l, const char **ret)
{
	static const char *const units[] = { "", "k", "M", "G", "T" };
	struct tc_tbf_params p;
	double bits;
	unsigned u = 0;
	int there;

	*ret = NULL;
	TRY(there = tc_tbf_find(tx, rt, l, &p));
	if (!there)
		return 0;
	for (bits = 8.0 * (double)p.rate; bits >= 1000 && u < ARRAY_LEN(units) - 1; u++)
		bits /= 1000;
	*ret = mem_printf(&tx->mem, "%.4g %sbit/s", bits, units[u]);
	return 0;
}

/* ---- leases ---- */

struct lease_walk {
	struct view *w;
	const char *network, *path;
	int dir;
};

static int note_lease(struct tx *tx, const struct lease *l, int r, void *arg)
{
	const struct lease_walk *x = arg;
	struct view *w = x->w;
	struct stat st;

	if (r < 0 || l->lessee.odd)
		return 0;
	if (fstatat(x->dir, IP_S(l->ip), &st, AT_SYMLINK_NOFOLLOW) < 0)
		st.st_mtime = time(NULL);
	w->leases = mem_grow(&tx->mem, w->leases, w->n_leases, sizeof(*w->leases));
	w->leases[w->n_leases++] = (struct view_lease){
		.ip = l->ip,
		.network = x->network,
		.id = mem_str(&tx->mem, l->lessee.id),
		.ifname = mem_str(&tx->mem, l->lessee.ifname),
		.dir = x->path,
		.age = (int64_t)(time(NULL) - st.st_mtime),
	};
	return 0;
}

static int read_leases_in(struct view *w, const char *data_dir)
{
	struct tx *tx = w->t->tx;
	struct mem *m = &tx->mem;
	auto_(file_close_dir) DIR *d = opendir(data_dir);
	int r = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		auto_(fd_close) int dir = -1;
		struct lease_walk x = { .w = w };

		if (!name_valid_id(e->d_name))
			continue;
		dir = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir < 0)
			continue;
		x.network = mem_str(m, e->d_name);
		x.path = mem_printf(m, "%s/%s", data_dir, e->d_name);
		x.dir = dir;
		r = also(r, lease_scan(tx, dir, note_lease, &x));
	}
	return r;
}

static void note_data_dir(struct mem *m, const char *dir, struct words *ret)
{
	for (unsigned i = 0; i < ret->n; i++)
		if (str_eq(ret->v[i], dir))
			return;
	if (*dir)
		view_say(m, ret, "%s", dir);
}

void view_note_data_dirs(struct mem *m, const struct netconf *n, struct words *ret)
{
	for (unsigned i = 0; i < n->n_plugins; i++) {
		struct cj ipam = cj_any(&n->plugins[i].conf, "ipam");

		if (cj_is_object(&ipam))
			note_data_dir(m, cj_str(&ipam, "dataDir", ""), ret);
	}
}

void view_data_dirs(struct tool *t, const struct netconf *nets, unsigned n, struct words *ret)
{
	struct mem *m = &t->tx->mem;

	note_data_dir(m, "/var/lib/cni/networks", ret);
	if (t->cache.private)
		note_data_dir(m, mem_printf(m, "%s/networks", t->cache.dir), ret);
	for (unsigned i = 0; i < n; i++)
		view_note_data_dirs(m, &nets[i], ret);
}

int view_read_leases(struct view *w)
{
	struct words dirs = { .n = 0 };
	struct netconf *nets;
	unsigned n;
	int r = 0;

	TRY(netconf_all(w->t->tx, w->t->opt.conf_dir, &nets, &n));
	view_data_dirs(w->t, nets, n, &dirs);
	for (unsigned i = 0; i < dirs.n; i++)
		r = also(r, read_leases_in(w, dirs.v[i]));
	return r;
}

/* ---- table inet cplug ---- */

struct elem_walk {
	struct mem *m;
	struct words sets;
	const char *set;
	view_elem_fn *each;
	void *arg;
};

static int note_set(const char *set, void *arg)
{
	struct elem_walk *x = arg;

	if (set)
		view_say(x->m, &x->sets, "%s", set);
	else
		x->sets.n = 0;
	return 0;
}

static int pass_elem(const struct nft_elem *e, void *arg)
{
	struct elem_walk *x = arg;

	return x->each(x->set, e, x->arg);
}

int view_each_elem(struct tx *tx, struct nfnl *nl, struct nft_ref table, view_elem_fn *each,
		   void *arg)
{
	struct elem_walk x = { .m = &tx->mem, .each = each, .arg = arg };
	int r = nft_each_set(nl, table, note_set, &x);

	for (unsigned i = 0; r == 0 && i < x.sets.n; i++) {
		table.name = x.set = x.sets.v[i];
		TRY(each(x.set, NULL, arg));
		r = nft_each_elem(nl, table, pass_elem, &x);
	}
	if (r < 0 && r != -EPROTONOSUPPORT && r != -EAFNOSUPPORT && r != -EOPNOTSUPP &&
	    r != -ENOENT)
		return tx_fail(tx, r, "host: list the elements of nftables table %s: %s",
			       table.table, strerror(-r));
	return 0;
}

static struct ip ip_at(const uint8_t *b, bool six)
{
	struct ip ip = { .family = six ? AF_INET6 : AF_INET };

	memcpy(ip.b, b, ip_bytes(ip));
	return ip;
}

static unsigned port_at(const uint8_t *b)
{
	return (unsigned)b[0] << 8 | b[1];
}

/* The name without its group: "hostports4-1a2b" is hostports4. */
static bool is_set(const char *name, const char *kind, bool *six)
{
	size_t n = strlen(kind);

	if (strncmp(name, kind, n) != 0 || (name[n] != '4' && name[n] != '6'))
		return false;
	*six = name[n] == '6';
	return !name[n + 1] || name[n + 1] == '-';
}

/* [ADDRESS .] PROTOCOL . PORT leads to ADDRESS [. PORT]; each part has 4 or 16 bytes (docs/nft.md).
 */
static bool read_port(struct mem *m, const char *set, const struct nft_elem *e,
		      struct view_elem *ret)
{
	bool host = str_starts(set, "host"), six = false;
	const char *kind = set + (host ? 4 : 0);
	bool range = is_set(kind, "portranges", &six);
	const uint8_t *key = e->key.b, *end = e->key_end.b;
	unsigned size, port_size = range ? 0 : 4;

	if (!range && !is_set(kind, "ports", &six))
		return false;
	size = six ? 16 : 4;
	if (e->key.len != size * host + 8 || e->data.len < size + port_size)
		return false;
	ret->at = "";
	if (host) {
		ret->at = mem_printf(m, six ? "[%s]:" : "%s:", IP_S(ip_at(key, six)));
		key += size;
		end += size;
	}
	ret->to = ip_at(e->data.b, six);
	ret->proto = key[0];
	ret->first = ret->last = ret->target = port_at(key + 4);
	if (range && e->key_end.len == e->key.len)
		ret->last = port_at(end + 4);
	if (!range)
		ret->target = port_at(e->data.b + size);
	return true;
}

const char *view_elem_text(struct mem *m, const struct view_elem *e)
{
	const char *proto = hostports_proto(e->proto);

	if (!e->proto)
		return "masqueraded";
	if (e->first == e->last)
		return mem_printf(m, "port %s%u/%s -> %u", e->at, e->first, proto, e->target);
	return mem_printf(m, "ports %s%u-%u/%s -> %u-%u", e->at, e->first, e->last, proto,
			  e->target, e->target + e->last - e->first);
}

struct elems {
	struct view *w;
	const char *set;
	unsigned from; /* w->n_elems before this set, whose dump may be repeated */
};

static int note_elem(const char *set, const struct nft_elem *e, void *arg)
{
	struct elems *x = arg;
	struct view *w = x->w;
	struct mem *m = &w->t->tx->mem;
	struct view_elem elem = { .proto = 0, .at = "" };
	bool six = false;

	if (!e) {
		if (set != x->set)
			x->from = w->n_elems;
		x->set = set;
		w->n_elems = x->from;
		return 0;
	}
	if (is_set(set, "masq", &six) && e->chain && e->key.len == (six ? 16 : 4))
		elem.to = ip_at(e->key.b, six);
	else if (!read_port(m, set, e, &elem))
		return 0;
	elem.owner = mem_str(m, e->comment ? e->comment : "");
	w->elems = mem_grow(m, w->elems, w->n_elems, sizeof(*w->elems));
	w->elems[w->n_elems++] = elem;
	return 0;
}

static int compare_elems(const void *a, const void *b)
{
	const struct view_elem *x = a, *y = b;
	int r = ip_cmp(x->to, y->to);

	if (r == 0)
		r = x->proto - y->proto;
	if (r == 0)
		r = strcmp(x->at, y->at);
	return r ? r : (int)x->first - (int)y->first;
}

/* Consecutive ports of one container become a range. */
static void merge_elems(struct view *w)
{
	unsigned n = 0;

	if (w->n_elems)
		qsort(w->elems, w->n_elems, sizeof(*w->elems), compare_elems);
	for (unsigned i = 0; i < w->n_elems; i++) {
		const struct view_elem *e = &w->elems[i];
		struct view_elem *last = n ? &w->elems[n - 1] : NULL;

		if (last && e->proto && ip_eq(last->to, e->to) && last->proto == e->proto &&
		    str_eq(last->at, e->at) && last->last + 1 == e->first &&
		    last->target + e->first - last->first == e->target)
			last->last = e->last;
		else
			w->elems[n++] = *e;
	}
	w->n_elems = n;
}

int view_read_elems(struct view *w, struct nfnl *nl)
{
	const struct nft_ref table = { .family = NFPROTO_INET, .table = "cplug" };
	struct elems x = { .w = w };

	TRY(view_each_elem(w->t->tx, nl, table, note_elem, &x));
	merge_elems(w);
	return 0;
}
