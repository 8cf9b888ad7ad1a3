// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * teardown.c - DEL and GC of the tuning plugin: the saved values are written back
 */
#include "plugins/tuning/tuning.h"

/*
 * The folder of the documents; NULL if the configuration names one that the host does not allow:
 * nothing was saved there.
 */
static int find_dir(struct tx *tx, struct call *c, const char **ret)
{
	const char *dir = tuning_read_dir(tx, c);
	int before = tx->err, r = cj_ok(tx, &c->conf);

	*ret = r < 0 ? NULL : dir;
	return tx_excuse(tx, before, r, "nothing is restored");
}

int tuning_del(struct tx *tx, struct call *c)
{
	int before = tx->err, open = 0, r;
	struct state_file f;
	struct backup b;
	const char *dir;

	TRY(find_dir(tx, c, &dir));
	if (!dir)
		return 0;
	f = backup_file(tx, dir, c->id, c->ifname);
	r = backup_load(tx, &f, &b);
	if (r == 0 || err_is_passing(r))
		return r;
	TRY(tx_excuse(tx, before, r, "the container keeps what tuning has set"));
	if (r == 1)
		TRY(open = call_open_noted(tx, c, b.netns, b.inode, b.cookie));
	if (open && netns_is(&c->cont_ns, b.inode, b.cookie))
		TRY(backup_restore(tx, &c->cont, c->ifname, &b));
	return state_forget(tx, &f);
}

/* The namespace of an attachment that is not c's; success if it is gone. */
static int restore_elsewhere(struct tx *tx, const struct call *c, const struct backup *b)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	auto_(rt_close) struct rt rt = { 0 };
	int r = netns_open(tx, b->netns, &ns);

	if (r == -ENOENT ||
	    (r == 0 && (netns_eq(&ns, &c->host_ns) || !netns_is(&ns, b->inode, b->cookie))))
		return 0;
	TRY(r);
	TRY(rt_open(tx, &rt, "container", &ns));
	return backup_restore(tx, &rt, b->ifname, b);
}

/* One document.  The reference's does not say to which network it belongs, and stays. */
static int gc_one(struct tx *tx, struct call *c, const struct state_file *f)
{
	int before = tx->err, r;
	struct backup b;

	r = backup_load(tx, f, &b);
	if (err_is_passing(r))
		return r;
	if (r != 1)
		return tx_excuse(tx, before, r, "the document is not tuning's, and stays");
	if (!str_eq(b.network, c->network) || !b.id || !b.ifname || !b.netns || !b.inode ||
	    !str_eq(backup_file(tx, f->dir, b.id, b.ifname).name, f->name) ||
	    call_is_valid(c, b.id, b.ifname))
		return 0;
	r = restore_elsewhere(tx, c, &b);
	if (err_is_passing(r))
		return r;
	TRY(tx_excuse(tx, before, r, "the container keeps what tuning has set"));
	return state_drop(tx, f);
}

int tuning_gc(struct tx *tx, struct call *c)
{
	struct state_list list;
	const char *dir;
	int r = 0;

	TRY(find_dir(tx, c, &dir));
	if (!dir || !c->valid_known)
		return 0;
	TRY(state_list(tx, dir, &list));
	for (unsigned i = 0; i < list.n && r != -EINTR; i++)
		r = also(r, gc_one(tx, c, &list.e[i].file));
	return r;
}
