// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * firewalld.c - accepted addresses as sources of a zone of firewalld
 */
#include "firewall/firewalld.h"

#include "base/differ.h"
#include "base/log.h"
#include "sys/dbus.h"

static const char name[] = "org.fedoraproject.FirewallD1";

/* 1, 0, or -errno: the bus does not say. */
static int ask_running(struct mem *mem)
{
	const struct dbus_call call = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "NameHasOwner",
		.args = { name },
	};
	struct dbus_answer a;
	int r = dbus_call_try(mem, &call, &a);

	if (r == -ENOENT || r == -ECONNREFUSED)
		return 0;
	TRY(r);
	return !a.failed && a.yes;
}

bool firewalld_is_running(struct mem *mem)
{
	return ask_running(mem) > 0;
}

static const char *source_of(struct mem *mem, struct ip ip)
{
	return mem_printf(mem, "%s/%u", IP_S(ip), ip_bits(ip));
}

/* Calls a method of the interface zone.  Returns 0, or a recorded failure: there is no answer. */
static int call_zone(struct tx *tx, const char *member, const char *zone, struct ip ip,
		     struct dbus_answer *ret)
{
	const struct dbus_call call = {
		.destination = name,
		.path = "/org/fedoraproject/FirewallD1",
		.interface = "org.fedoraproject.FirewallD1.zone",
		.member = member,
		.args = { zone, source_of(&tx->mem, ip) },
	};
	int r = dbus_call_try(&tx->mem, &call, ret);

	if (r < 0)
		return tx_fail(
			tx, r,
			"firewalld: %s %s of zone %s: %s (start dbus-daemon and firewalld, or "
			"set backend)",
			member, IP_S(ip), zone, strerror(-r));
	return 0;
}

static int fail_zone(struct tx *tx, const char *what, const char *zone, struct ip ip,
		     const struct dbus_answer *a)
{
	return tx_fail(tx, -EPROTO, "firewalld: %s %s, zone %s: %.300s (%.100s)", what, IP_S(ip),
		       zone, a->text, a->error);
}

/* Firewalld puts the name of its error before a colon. */
static bool is_error(const struct dbus_answer *a, const char *error)
{
	return a->failed && str_starts(a->text, error);
}

/* ---- ADD ---- */

struct undo_source {
	const char *zone;
	struct ip ip;
};

static int undo_source(struct tx *tx, void *arg)
{
	struct undo_source *u = arg;

	return firewalld_del(tx, u->zone, &u->ip, 1);
}

int firewalld_add(struct tx *tx, const char *zone, const struct ip *ips, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct undo_source u = { zone, ips[i] };
		struct dbus_answer a;

		TRY(call_zone(tx, "addSource", zone, ips[i], &a));
		if (a.failed && !is_error(&a, "ZONE_ALREADY_SET"))
			return fail_zone(tx, "add source", zone, ips[i], &a);
		log_step("firewalld: %s is in zone %s", IP_S(ips[i]), zone);
		TRY(tx_undo(tx, undo_source, "add a source of firewalld", &u));
	}
	return 0;
}

/* ---- CHECK ---- */

int firewalld_check(struct tx *tx, const char *zone, const struct ip *ips, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct dbus_answer a;

		if (!firewalld_is_running(&tx->mem)) {
			differ(tx, "firewalld", "running", NULL);
			return 0;
		}
		TRY(call_zone(tx, "querySource", zone, ips[i], &a));
		if (a.failed)
			return fail_zone(tx, "query source", zone, ips[i], &a);
		if (!a.yes)
			differ(tx,
			       mem_printf(&tx->mem, "source %s of zone %s of firewalld",
					  IP_S(ips[i]), zone),
			       "present", NULL);
	}
	return 0;
}

/* ---- DEL ---- */

int firewalld_del(struct tx *tx, const char *zone, const struct ip *ips, unsigned n)
{
	int r = n ? ask_running(&tx->mem) : 0;

	if (r < 0)
		return tx_fail(tx, r,
			       "firewalld: remove sources of zone %s: %s (the system bus does not "
			       "answer; repeat DEL)",
			       zone, strerror(-r));
	/* Its sources are gone with it. */
	if (!r)
		return 0;
	r = 0;
	for (unsigned i = 0; i < n; i++) {
		struct dbus_answer a;
		int one = 0;

		/* Without an answer, each further address would wait as long. */
		TRY(call_zone(tx, "removeSource", zone, ips[i], &a));
		if (a.failed && !is_error(&a, "UNKNOWN_SOURCE") && !is_error(&a, "INVALID_ZONE") &&
		    !is_error(&a, "ZONE_CONFLICT"))
			one = fail_zone(tx, "remove source", zone, ips[i], &a);
		r = also(r, one);
	}
	return r;
}
