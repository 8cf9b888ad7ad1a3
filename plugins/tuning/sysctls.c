// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sysctls.c - the sysctls that the tuning plugin reads, sets and compares
 */
#include "base/differ.h"
#include "plugins/tuning/sysctls.h"
#include "sys/procfs.h"

int tuning_need_sysctls(struct tx *tx, const struct tuning_conf *cf, enum cni_code code,
			bool to_set)
{
	if (cf->n && !procfs_has_sysctls())
		return tx_fail_as(tx, code, -ENOENT,
				  "sysctl: there is no /proc/sys/net here, so no sysctl can be "
				  "read or set (mount /proc without the option subset=pid, or run "
				  "the runtime without ProcSubset=pid of systemd)");
	if (cf->n && to_set && procfs_is_readonly())
		return tx_fail_as(
			tx, code, -EROFS,
			"sysctl: /proc/sys/net is mounted read-only here, so no sysctl can "
			"be set (mount -o remount,rw /proc/sys, or run the runtime where it "
			"can be written)");
	return 0;
}

int tuning_read_sysctls(struct tx *tx, struct call *c, struct tuning_conf *cf)
{
	TRY(tuning_need_sysctls(tx, cf, CPLUG_E_KERNEL, false));
	TRY(sysctl_read_list(tx, &c->cont_ns, cf->sysctls, cf->n));
	for (unsigned i = 0; i < cf->n; i++)
		if (cf->sysctls[i].err == -ENOENT)
			return tx_fail_as(tx, CNI_E_CONFIG, -ENOENT,
					  "sysctl: container: there is no %s (correct the key, or "
					  "load the kernel module that has it)",
					  cf->sysctls[i].s.name);
	return 0;
}

int tuning_write_sysctls(struct tx *tx, struct call *c, struct tuning_conf *cf)
{
	struct sysctl_value *list;
	unsigned n = 0;

	/* What has the value already is not written: a read-only /proc/sys is then enough. */
	list = mem_alloc(&tx->mem, (cf->n + 1) * sizeof(*list));
	for (unsigned i = 0; i < cf->n; i++) {
		const struct sysctl_value *v = &cf->sysctls[i];

		if (!v->now || !sysctl_same(v->now, v->s.value))
			list[n++] = *v;
	}
	TRY(sysctl_write_list(tx, &c->cont_ns, list, n));
	for (unsigned i = 0; i < n; i++)
		if (list[i].err < 0) {
			TRY(tuning_need_sysctls(tx, cf, CPLUG_E_KERNEL, true));
			return tx_fail(
				tx, list[i].err,
				"container: set sysctl %s to %.100s: %s (choose a value that "
				"sysctl -w takes in the container)",
				list[i].s.name, list[i].s.value, strerror(-list[i].err));
		}
	return 0;
}

int tuning_note_shown(struct tx *tx, struct call *c, struct tuning_conf *cf, struct backup *b)
{
	TRY(sysctl_read_list(tx, &c->cont_ns, cf->sysctls, cf->n));
	for (unsigned i = 0; i < cf->n; i++) {
		const struct sysctl_value *v = &cf->sysctls[i];

		if (v->now && !sysctl_same(v->now, v->s.value))
			backup_note_shown(tx, b, v);
	}
	if (!b->shown.n)
		return 0;
	return backup_save(tx, c, cf->dir, b);
}

int tuning_check_sysctls(struct tx *tx, struct call *c, struct tuning_conf *cf)
{
	/* The document is looked at only if a value differs. */
	struct state_file f = backup_file(tx, cf->dir, c->id, c->ifname);
	struct backup b = { .shown.n = 0 };
	bool loaded = false;

	TRY(tuning_need_sysctls(tx, cf, CPLUG_E_KERNEL, false));
	TRY(sysctl_read_list(tx, &c->cont_ns, cf->sysctls, cf->n));
	for (unsigned i = 0; i < cf->n; i++) {
		const struct sysctl_value *v = &cf->sysctls[i];

		if (!v->now && v->err != -ENOENT)
			continue; /* cannot be read: route/flush */
		if (v->now && sysctl_same(v->now, v->s.value))
			continue;
		if (v->now && !loaded) {
			TRY(backup_load(tx, &f, &b));
			loaded = true;
		}
		if (!v->now || !backup_is_shown(&b, v))
			differ(tx, mem_printf(&tx->mem, "sysctl %s", v->s.name), v->s.value,
			       v->now);
	}
	return 0;
}
