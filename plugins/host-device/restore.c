// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * restore.c - a device that is back on the host gets everything that it had there
 *
 * It has the attachment's mark as alias until it has all the rest, so a call that was killed in
 * between is finished by the next DEL or GC.
 */
#include <stdio.h>

#include "base/log.h"
#include "plugins/host-device/host_device.h"

/* The name that it had, or, if another link has that by now, a free one. */
int hostdev_choose_name(struct tx *tx, struct rt *host, const char *had, int index,
			const char **ret)
{
	const char *name = had;
	struct link l;
	int taken;

	TRY(taken = link_find(tx, host, name, &l));
	for (unsigned n = 0; taken && l.index != index; n++) {
		name = mem_printf(&tx->mem, "dev%u", n);
		TRY(taken = link_find(tx, host, name, &l));
	}
	if (!str_eq(name, had))
		log_warn("host: the name %s is in use: the device that had it is now %s", had,
			 name);
	*ret = name;
	return 0;
}

/* Names that the container gave it could be those of other links of the host. */
static int restore_names(struct tx *tx, struct rt *host, struct link *l, const struct link_saved *s)
{
	const char *name;

	TRY(link_drop_altnames(tx, host, l, s));
	TRY(hostdev_choose_name(tx, host, s->name, l->index, &name));
	return link_restore_name(tx, host, l, name);
}

/* Tells that a part is refused; returns r if the failure may pass, else 0. */
static int tell_refused(struct tx *tx, int before, int r, const char *why)
{
	tx_excuse(tx, before, r, why);
	return err_is_passing(r) ? r : 0;
}

/* Goes on after a part that is refused; returns the first failure that may pass, or 0. */
static int restore_parts(struct tx *tx, struct rt *host, struct link *l,
			 const struct hostdev_record *rec, const char *why)
{
	static int (*const parts[])(struct tx * tx, struct rt * rt, struct link * l,
				    const struct link_saved *s) = {
		restore_names,        link_restore_settings,  link_restore_options,
		link_restore_mac,     link_restore_broadcast, link_restore_xdp,
		link_restore_ethtool, link_restore_altnames,  link_restore_master,
		link_restore_state,
	};
	int before = tx->err, passing = 0, r;

	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		r = parts[i](tx, host, l, &rec->link);
		passing = also(passing, tell_refused(tx, before, r, why));
	}
	r = addr_restore(tx, host, l, &rec->addrs, false);
	passing = also(passing, tell_refused(tx, before, r, why));
	r = route_restore(tx, host, l, &rec->routes);
	return also(passing, tell_refused(tx, before, r, why));
}

/*
 * The device is on the host: gives it everything again.  What is refused for good is left out,
 * because a repeated DEL would be refused as well.  The alias is not left out: with the
 * attachment's mark, but without the record, the device would be refused to every ADD.
 */
int hostdev_restore(struct tx *tx, struct rt *host, struct link *l, const struct hostdev_record *r)
{
	static const char left_out[] = "the device is back on the host without it";
	int passing;

	log_step("host: %s gets what it had", l->name);
	passing = restore_parts(tx, host, l, r, "it is tried again");
	if (passing)
		passing = restore_parts(tx, host, l, r, left_out);
	if (passing && passing != -EBUSY)
		return tx_fail(tx, passing,
			       "host: %s has not everything again: %s (repeat the DEL, or run GC)",
			       l->name, strerror(-passing));
	return link_restore_alias(tx, host, l, &r->link);
}
