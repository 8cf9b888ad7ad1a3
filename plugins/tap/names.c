// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * names.c - tap with "redirect": the names of the tap, and of the interface that it joins
 *
 * The tap is named CNI_IFNAME.  If an interface of the list has that name, which is the rule, it is
 * named tap-CNI_IFNAME, or tap-HASH if that is too long.
 */
#include "cni/prev.h"
#include "plugins/tap/tap.h"
#include "value/name.h"

/* ---- names -------------------------------------------------------------- */

static const char *derived_name(struct tx *tx, const struct call *c)
{
	const char *name = mem_printf(&tx->mem, "tap-%s", c->ifname);
	char *hash;

	if (strlen(name) < IFNAMSIZ)
		return name;
	hash = mem_alloc(&tx->mem, IFNAMSIZ);
	name_hash(hash, IFNAMSIZ - 1, "tap-", c->ifname);
	return hash;
}

const char *redirect_listed_name(struct tx *tx, const struct call *c)
{
	const char *name = derived_name(tx, c);

	return result_find_if(c->prev, name, true) < 0 ? c->ifname : name;
}

int redirect_choose_name(struct tx *tx, struct call *c, const char **ret)
{
	int there = prev_interface(c) >= 0;

	if (!there)
		TRY(there = link_find(tx, &c->cont, c->ifname, NULL));
	*ret = there ? derived_name(tx, c) : c->ifname;
	return 0;
}

/* ---- the interface that the tap joins ------------------------------------ */

static int fail_ambiguous(struct tx *tx, const struct call *c, const char *one, const char *other)
{
	if (one)
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "redirect: prevResult lists %s and %s in the container, and none "
				  "is named %s (set CNI_IFNAME to the one that the tap joins)",
				  one, other, c->ifname);
	return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
			  "redirect: prevResult lists no interface in the container (put a plugin "
			  "that makes one before tap)");
}

int redirect_find_joined(struct tx *tx, const struct call *c, const char *tap, const char **ret)
{
	const struct result *r = c->prev;
	const char *only = NULL;

	if (!str_eq(tap, c->ifname)) {
		*ret = c->ifname;
		return 0;
	}
	for (unsigned i = 0; i < r->n_ifs; i++) {
		const char *name = r->ifs[i].name;

		if (str_empty(r->ifs[i].sandbox) || str_empty(name) || str_eq(name, tap) ||
		    name_invalid_ifname(name))
			continue;
		if (only)
			return fail_ambiguous(tx, c, only, name);
		only = name;
	}
	*ret = only;
	if (!only)
		return fail_ambiguous(tx, c, NULL, NULL);
	return 0;
}
