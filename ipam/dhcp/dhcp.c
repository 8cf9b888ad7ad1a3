// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dhcp.c - dhcp: addresses from the network's DHCP server
 *
 * A lease has to be renewed long after this call has ended, so a daemon has it; the
 * plugin asks the daemon.  Either of the two may be the reference's.
 */
#include "base/differ.h"
#include "base/log.h"
#include "cni/prev.h"
#include "ipam/dhcp/conf.h"
#include "ipam/dhcp/daemon.h"
#include "ipam/dhcp/rpc.h"
#include "plugins/list.h"
#include "sys/state.h"

/* The daemon answers an Allocate within its -resendtimeout, which is 208 seconds by default. */
enum { PATIENCE_ADD = 300000, PATIENCE = 30000 }; /* ms */

/* The path is relative to our folder, not to the daemon's. */
static const char *absolute(struct mem *mem, const char *path)
{
	char folder[4096];

	if (!*path || *path == '/' || !getcwd(folder, sizeof(folder)))
		return path;
	return mem_printf(mem, "%s/%s", folder, path);
}

/* Calls the daemon.  As rpc_call(), but DEL and GC take a path that is too long as no daemon's. */
static int ask(struct tx *tx, const struct call *c, const char *method, int timeout_ms,
	       struct rpc_reply *ret)
{
	const struct rpc_call q = {
		.socket = dhcp_ipam_socket(&c->conf),
		.method = method,
		.args = { .id = c->id,
			  .netns = absolute(&tx->mem, c->netns_path),
			  .ifname = c->ifname,
			  .args = c->args,
			  .path = c->path,
			  .conf = c->stdin_text,
			  .size = c->stdin_size },
		.timeout_ms = timeout_ms,
	};
	int before = tx->err, r = rpc_call(tx, &q, ret);

	if (r != -ENAMETOOLONG || (c->command != CNI_DEL && c->command != CNI_GC))
		return r;
	TRY(tx_excuse(tx, before, r, "so it has no lease"));
	return -ENOENT;
}

static bool is_absent(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED;
}

static int fail_absent(struct tx *tx, const struct call *c, enum cni_code code)
{
	return tx_fail_as(tx, code, -ENOENT,
			  "error dialing DHCP daemon: none listens on %s (" DHCP_START ")",
			  dhcp_ipam_socket(&c->conf));
}

/* ---- ADD ---------------------------------------------------------------- */

static int dhcp_validate(struct tx *tx, struct call *c)
{
	struct dhcp_ipam cf;

	return dhcp_ipam_read(tx, &c->conf, c->args, &cf);
}

struct undo_lease {
	const struct call *call;
};

static int undo_lease(struct tx *tx, void *arg)
{
	struct undo_lease *u = arg;
	struct rpc_reply reply;
	int r = ask(tx, u->call, "Release", PATIENCE, &reply);

	return is_absent(r) ? 0 : r;
}

/* Has the daemon get a lease, or returns the present one.  A repair that fails then keeps it. */
static int dhcp_add(struct tx *tx, struct call *c, struct result *ret)
{
	struct undo_lease u = { .call = c };
	struct rpc_reply reply;
	struct dhcp_ipam cf;
	int r;

	TRY(dhcp_ipam_read(tx, &c->conf, c->args, &cf));
	r = ask(tx, c, "Allocate", PATIENCE_ADD, &reply);
	if (is_absent(r))
		return fail_absent(tx, c, CPLUG_E_DELEGATE);
	/* Also after a failure: if we do not wait any longer, the daemon may still get a lease. */
	if (c->command == CNI_ADD)
		r = also(r, tx_undo(tx, undo_lease, "lease an address", &u));
	TRY(r);
	TRY(rpc_read_result(tx, &reply, ret));
	/* Old daemons of the reference do not know the key. */
	for (unsigned i = 0; i < ret->n_routes; i++)
		if (!ret->routes[i].priority)
			ret->routes[i].priority = cf.priority;
	return 0;
}

/* ---- DEL and GC --------------------------------------------------------- */

/* Has a daemon left leases that this call is about?  If that cannot be known: yes. */
static bool is_leased(struct tx *tx, const struct call *c)
{
	struct state_list list;
	int before = tx->err, r = state_list(tx, STATE_DHCP, &list);

	if (r < 0)
		return tx_excuse(tx, before, r, "the leases are not known") == 0;
	for (unsigned i = 0; i < list.n; i++) {
		const struct state_entry *e = &list.e[i];

		if (e->network && str_eq(e->network, c->network) &&
		    (c->command == CNI_GC ||
		     (str_eq(e->id, c->id) && str_eq(e->ifname, c->ifname))))
			return true;
	}
	return false;
}

/*
 * A daemon that does not run cannot be told.  When it runs again, it finds that the container's
 * namespace or link is gone, and releases the lease from the host.
 */
static int tell(struct tx *tx, const struct call *c, const char *method)
{
	struct rpc_reply reply;
	int before = tx->err, r;

	TRY(tx_excuse(tx, before, cj_ok(tx, &c->conf), "the default socket is taken"));
	r = ask(tx, c, method, PATIENCE, &reply);
	if (is_absent(r)) {
		if (is_leased(tx, c))
			log_warn("no DHCP daemon listens on %s, so a lease is not released before "
				 "the next one starts (" DHCP_START ")",
				 dhcp_ipam_socket(&c->conf));
		return 0;
	}
	if (r == -EOPNOTSUPP) {
		log_warn("the DHCP daemon at %s does not know %s: it is the reference's",
			 dhcp_ipam_socket(&c->conf), c->command_name);
		return 0;
	}
	return r;
}

static int dhcp_del(struct tx *tx, struct call *c)
{
	return tell(tx, c, "Release");
}

static int dhcp_gc(struct tx *tx, struct call *c)
{
	if (!c->valid_known)
		return 0; /* without the list of valid attachments nothing is removed */
	return tell(tx, c, "GC");
}

/* ---- CHECK -------------------------------------------------------------- */

/* 1 and the present lease; 0 if the daemon cannot tell; or a recorded failure. */
static int find_lease(struct tx *tx, const struct call *c, struct result *ret)
{
	struct rpc_reply reply;
	int r = ask(tx, c, "Check", PATIENCE, &reply);

	result_init(ret, &tx->mem);
	/* No difference (code 107): without a daemon it is not known what the lease is. */
	if (is_absent(r))
		return fail_absent(tx, c, CPLUG_E_DELEGATE);
	if (r == -EOPNOTSUPP) {
		log_warn("the DHCP daemon at %s is the reference's: whether it has the lease "
			 "cannot be known, because its answer would be a new one",
			 dhcp_ipam_socket(&c->conf));
		return 0;
	}
	TRY(r);
	TRY(rpc_read_result(tx, &reply, ret));
	return 1;
}

static bool has_address(const struct result *r, struct ip ip)
{
	for (unsigned i = 0; i < r->n_ips; i++)
		if (ip_eq(r->ips[i].addr.ip, ip))
			return true;
	return false;
}

/* A result without an address of a family means that the attachment has no lease of it. */
static void check_family(struct tx *tx, const struct result *have, bool wanted, int family,
			 const char *of)
{
	for (unsigned i = 0; i < have->n_ips; i++)
		if (have->ips[i].addr.ip.family == family)
			return;
	if (wanted && family == AF_INET6)
		differ(tx, mem_printf(&tx->mem, "DHCPv6: %s", of), "present", NULL);
	else if (wanted)
		differ(tx, of, "present", NULL);
}

static int dhcp_check(struct tx *tx, struct call *c)
{
	const char *of = mem_printf(&tx->mem, "DHCP lease of %s in %s", c->ifname, c->id);
	struct dhcp_ipam cf;
	struct result have;
	int known;

	TRY(dhcp_ipam_read(tx, &c->conf, c->args, &cf));
	TRY(known = find_lease(tx, c, &have));
	if (!known)
		return 0;
	check_family(tx, &have, cf.v4, AF_INET, of);
	check_family(tx, &have, cf.v6, AF_INET6, of);
	for (unsigned i = 0; c->prev && i < have.n_ips; i++)
		if (!has_address(c->prev, have.ips[i].addr.ip))
			differ_as(tx,
				  mem_printf(&tx->mem,
					     "%s: %s, which prevResult does not have: the server "
					     "has given another address since ADD",
					     of, CIDR_S(have.ips[i].addr)),
				  of, DHCP_ANOTHER, CIDR_S(have.ips[i].addr));
	return 0;
}

/* The attachment's only address of a family in prevResult; NULL: there is none, or several. */
static struct result_ip *only_address(const struct call *c, int family)
{
	struct result_ip *ret = NULL;

	for (unsigned i = 0; i < c->prev->n_ips; i++) {
		struct result_ip *ip = &c->prev->ips[i];

		if (ip->addr.ip.family != family || !prev_is_ours(c, ip))
			continue;
		if (ret)
			return NULL;
		ret = ip;
	}
	return ret;
}

static bool may_adopt(struct mem *mem, const struct call *c, struct ip ip)
{
	return !c->adopts || strstr(c->adopts, mem_printf(mem, ",%s,", IP_S(ip)));
}

static int adopt_address(struct tx *tx, struct call *c, const struct result_ip *lease)
{
	struct result_ip *was = only_address(c, lease->addr.ip.family);

	if (!was || ip_eq(was->addr.ip, lease->addr.ip))
		return 0;
	if (!may_adopt(&tx->mem, c, lease->addr.ip))
		return tx_fail_as(tx, CPLUG_E_CHECK, -EADDRNOTAVAIL,
				  "DHCP lease of %s in %s: the server has given another address "
				  "since ADD, %s (cnitool check --repair)",
				  c->ifname, c->id, CIDR_S(lease->addr));
	for (unsigned i = 0; ip_set(was->gateway) && i < c->prev->n_routes; i++)
		if (ip_eq(c->prev->routes[i].gw, was->gateway))
			c->prev->routes[i].gw = lease->gateway;
	was->addr = lease->addr;
	was->gateway = lease->gateway;
	c->renewed = true;
	return 0;
}

/*
 * Acquires a lease that is lost.  If the server has given another address since ADD, the attachment
 * is repaired to have that: the daemon has given it to the interface, and the former address may be
 * another host's by now.
 */
static int dhcp_repair(struct tx *tx, struct call *c)
{
	struct result now;

	result_init(&now, &tx->mem);
	TRY(dhcp_add(tx, c, &now));
	for (unsigned i = 0; c->prev && i < now.n_ips; i++)
		TRY(adopt_address(tx, c, &now.ips[i]));
	return 0;
}

static int dhcp_list(struct tx *tx, struct call *c, struct result *ret)
{
	struct rpc_reply reply;
	int r = ask(tx, c, "Check", PATIENCE, &reply);

	if (is_absent(r) || r == -EOPNOTSUPP)
		return 0;
	TRY(r);
	return rpc_read_result(tx, &reply, ret);
}

/* ---- STATUS ------------------------------------------------------------- */

static int dhcp_status(struct tx *tx, struct call *c)
{
	struct rpc_reply reply;
	struct dhcp_ipam cf;
	int r;

	TRY(dhcp_ipam_read(tx, &c->conf, "", &cf));
	r = ask(tx, c, "Status", PATIENCE, &reply);
	if (is_absent(r))
		return fail_absent(tx, c, CNI_E_UNAVAILABLE);
	if (r < 0 && r != -EOPNOTSUPP) {
		tx->code = CNI_E_UNAVAILABLE;
		return r;
	}
	return 0; /* the reference's daemon answers, and so it is there */
}

const struct plugin dhcp_plugin = {
	.name = "dhcp",
	.about = "addresses from the network's DHCP server (IPAM); dhcp daemon",
	.flags = CNI_IS_IPAM,
	.program = dhcp_main,
	.validate = dhcp_validate,
	.add = dhcp_add,
	.del = dhcp_del,
	.check = dhcp_check,
	.repair = dhcp_repair,
	.gc = dhcp_gc,
	.status = dhcp_status,
	.list = dhcp_list,
};
