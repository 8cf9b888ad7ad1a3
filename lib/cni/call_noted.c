// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * call_noted.c - the namespace that an attachment's document names
 */
#include "cni/call.h"

int call_open_noted(struct tx *tx, struct call *c, const char *path, const char *inode,
		    const char *cookie)
{
	int before = tx->err, r;

	if (rt_is_open(&c->cont))
		return 1;
	if (str_empty(path) || str_empty(inode))
		return 0;
	netns_close(&c->cont_ns);
	r = netns_open(tx, path, &c->cont_ns);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && !err_is_passing(r))
		return tx_excuse(tx, before, r, "taken for gone");
	TRY(r);
	if (netns_eq(&c->cont_ns, &c->host_ns) || !netns_is(&c->cont_ns, inode, cookie))
		return 0;
	TRY(rt_open(tx, &c->cont, "container", &c->cont_ns));
	return 1;
}
