// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tuning.c - changes sysctls and attributes of the container's interface, behind another plugin
 *
 * ADD saves the values before (backup.h), and then changes.  The rollback, DEL and GC write the
 * saved values back, in one function.
 */
#include "base/differ.h"
#include "plugins/list.h"
#include "plugins/tuning/sysctls.h"
#include "plugins/tuning/tuning.h"

/* ---- ADD ---------------------------------------------------------------- */

struct undo_tuning {
	struct call *c;
	struct backup *before;
};

static int undo_tuning(struct tx *tx, void *arg)
{
	struct undo_tuning *u = arg;

	return backup_restore(tx, &u->c->cont, u->c->ifname, u->before);
}

struct to_note {
	struct call *c;
	const struct tuning_conf *cf;
	struct backup *before;
};

/* A DEL after a kill sets the link up again, with what it had. */
static int note_down(struct tx *tx, const struct link *l, const struct layer3 *s, void *arg)
{
	const struct dropped d = { .ifname = mem_str(&tx->mem, l->name), .up = true, .layer3 = *s };
	struct to_note *t = arg;

	backup_add_dropped(tx, t->before, &d);
	return backup_save(tx, t->c, t->cf->dir, t->before);
}

/*
 * Finds the container's interface.  Its attributes are read only if one of them is to change,
 * because reading them waits for the RTNL lock.  Returns 1, 0 if there is none, or a recorded
 * failure.
 */
static int find_link(struct tx *tx, struct call *c, const struct tuning_conf *cf, struct link *ret)
{
	int index = tuning_wants_link(cf) ? -EINVAL : link_index_try(&c->cont, c->ifname);

	if (index < 0)
		return link_find(tx, &c->cont, c->ifname, ret);
	*ret = (struct link){ .index = index };
	snprintf(ret->name, sizeof(ret->name), "%s", c->ifname);
	return index > 0;
}

/* Makes the link and the sysctls what cf says; *ret_link is the link, index 0: not asked for. */
static int apply(struct tx *tx, struct call *c, struct tuning_conf *cf, struct link *l)
{
	struct to_note note = { .c = c, .cf = cf };
	struct undo_tuning undo = { .c = c };
	struct backup *before;
	int there;

	TRY(tuning_check_allowed(tx, cf, CNI_E_CONFIG));
	*l = (struct link){ .index = 0 };
	if (!tuning_wants_link(cf) && !cf->n)
		return 0;
	TRY(there = find_link(tx, c, cf, l));
	if (!there)
		return tx_fail(tx, -ENODEV, "%s: there is no interface %s", c->cont.where,
			       c->ifname);
	TRY(tuning_read_sysctls(tx, c, cf));
	before = mem_alloc(&tx->mem, sizeof(*before));
	TRY(backup_of(tx, c, cf, l, before));
	if (!backup_is_empty(before))
		TRY(backup_save(tx, c, cf->dir, before));
	note.before = undo.before = before;
	TRY(tx_undo(tx, undo_tuning, "tune", &undo));
	TRY(layer3_ensure_link(tx, &c->cont, l, &cf->link, note_down, &note));
	TRY(tuning_write_sysctls(tx, c, cf));
	return tuning_note_shown(tx, c, cf, mem_dup(&tx->mem, before, sizeof(*before)));
}

/*
 * The result names the MAC and the MTU that the interface has now; before 1.1.0 the MTU only if
 * the main plugin has named one.
 */
static void update(struct tx *tx, const struct call *c, const struct tuning_conf *cf,
		   struct result *res)
{
	bool sandboxed = result_find_if(res, c->ifname, true) >= 0;
	bool names_mtu = result_version_number(c->version) >= result_version_number("1.1.0");

	for (unsigned i = 0; i < res->n_ifs; i++) {
		struct result_if *f = &res->ifs[i];

		if (!str_eq(f->name, c->ifname) || str_empty(f->sandbox) == sandboxed)
			continue;
		if (cf->link.mac.len)
			f->mac = mem_str(&tx->mem, MAC_S(cf->link.mac));
		if (cf->link.mtu && (f->mtu || names_mtu))
			f->mtu = cf->link.mtu;
	}
}

static int tuning_validate(struct tx *tx, struct call *c)
{
	struct tuning_conf cf;

	TRY(tuning_read_conf(tx, c, &cf));
	return tuning_check_allowed(tx, &cf, CNI_E_CONFIG);
}

static int tuning_add(struct tx *tx, struct call *c, struct result *res)
{
	struct tuning_conf cf;
	struct link l;

	TRY(tuning_read_conf(tx, c, &cf));
	TRY(apply(tx, c, &cf, &l));
	update(tx, c, &cf, res);
	return 0;
}

/* ---- CHECK -------------------------------------------------------------- */

static void compare(struct tx *tx, const char *what, const char *ifname, const char *want,
		    const char *have)
{
	if (!str_eq(want, have))
		differ(tx, mem_printf(&tx->mem, "%s of %s", what, ifname), want, have);
}

static void compare_number(struct tx *tx, const char *what, const char *ifname, uint32_t want,
			   uint32_t have)
{
	differ_number(tx, mem_printf(&tx->mem, "%s of %s", what, ifname), want, have);
}

static const char *on_or_off(bool on)
{
	return on ? "on" : "off";
}

static void check_link(struct tx *tx, const struct link_want *want, const struct link *l)
{
	if (want->mac.len)
		compare(tx, "MAC", l->name, mem_str(&tx->mem, MAC_S(want->mac)),
			mem_str(&tx->mem, MAC_S(l->mac)));
	if (want->mtu)
		compare_number(tx, "MTU", l->name, (uint32_t)want->mtu, (uint32_t)l->mtu);
	if (want->promisc)
		compare(tx, "promiscuous mode", l->name, "on", on_or_off(l->flags & IFF_PROMISC));
	if (want->allmulti)
		compare(tx, "all-multicast mode", l->name, on_or_off(want->allmulti == LINK_ON),
			on_or_off(l->flags & IFF_ALLMULTI));
	if (want->txqlen)
		compare_number(tx, "transmit queue length", l->name, *want->txqlen, l->txqlen);
}

static int tuning_check(struct tx *tx, struct call *c)
{
	struct tuning_conf cf;
	struct link l;
	int there;

	TRY(tuning_read_conf(tx, c, &cf));
	if (!tuning_wants_link(&cf) && !cf.n)
		return 0;
	TRY(there = find_link(tx, c, &cf, &l));
	if (!there) {
		differ(tx, mem_printf(&tx->mem, "interface %s", c->ifname), "present", NULL);
		return 0;
	}
	check_link(tx, &cf.link, &l);
	return tuning_check_sysctls(tx, c, &cf);
}

static int tuning_repair(struct tx *tx, struct call *c)
{
	struct tuning_conf cf;
	struct link l;

	TRY(tuning_read_conf(tx, c, &cf));
	return apply(tx, c, &cf, &l);
}

/* ---- STATUS, and the table of verbs --------------------------------------- */

static int tuning_status(struct tx *tx, struct call *c)
{
	struct tuning_conf cf;

	TRY(tuning_read_conf(tx, c, &cf));
	TRY(tuning_need_sysctls(tx, &cf, CNI_E_UNAVAILABLE, true));
	TRY(tuning_check_allowed(tx, &cf, CNI_E_UNAVAILABLE));
	if (tuning_wants_link(&cf) || cf.n)
		return state_ready(tx, cf.dir);
	return 0;
}

static const char *const args[] = { "MAC", NULL };

const struct plugin tuning_plugin = {
	.name = "tuning",
	.about = "changes sysctls and attributes of the container's interface",
	.flags = CNI_USES_CONT | CNI_NEEDS_PREV | CNI_PASSES_PREV | CNI_RESTORES_CONT,
	.args = args,
	.validate = tuning_validate,
	.add = tuning_add,
	.del = tuning_del,
	.check = tuning_check,
	.repair = tuning_repair,
	.gc = tuning_gc,
	.status = tuning_status,
};
