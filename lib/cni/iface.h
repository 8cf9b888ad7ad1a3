/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iface.h - the container's interface, configured from a result and compared with it
 *
 * (The reference's ipam.ConfigureIface and ip.ValidateExpected….)
 */
#ifndef CPLUG_IFACE_H
#define CPLUG_IFACE_H

#include "cni/call.h"
#include "netlink/link.h"
#include "value/result.h"

struct iface_options {
	bool dad;       /* do duplicate address detection for IPv6, and wait for it */
	bool accept_ra; /* let router advertisements configure the interface */
	/*
	 * Other hosts are reached through the gateway only: instead of the connected routes, one to
	 * each gateway and, through it, one to the address's subnet.
	 */
	bool routed;
	const struct mark *mark; /* becomes the alias when the link is set up; NULL = none */
};

/*
 * Before ipam_add(): sets the link up if the IPAM plugin talks through it (ipam_needs_link()), with
 * duplicate address detection of its link-local address if that is used and dad is set.  Router
 * advertisements are ignored, as iface_configure() does, unless ipam_needs_advertisements().
 */
int iface_prepare(struct tx *tx, struct call *c, const struct link *l, bool dad) CHECKED;

/*
 * Gives the link in the container (which is ours, and down) the addresses of the
 * result that belong to it, sets it up, and adds the result's routes; a route
 * without gateway goes through the first gateway of its family among the
 * addresses.  IPv6 is switched on where it is off (undone on failure), router
 * advertisements off.
 */
int iface_configure(struct tx *tx, struct call *c, const struct link *l, const struct result *r,
		    const struct iface_options *o) CHECKED;

/* Sets it up without addresses, after the same sysctls; mark as above. */
int iface_up(struct tx *tx, struct call *c, const struct link *l, const struct mark *mark) CHECKED;

/*
 * Repairs an interface: sysctls, MAC, MTU, up, and those addresses and routes of the result that
 * are missing.  Undo: as it was, except for the sysctls.
 */
int iface_ensure(struct tx *tx, struct call *c, struct link *l, const struct result *r,
		 const struct iface_options *o) CHECKED;

/* The gateway that a route without one goes through; no address = on-link. */
struct ip iface_default_gateway(const struct result *r, int family);

/*
 * Appends a link to the interfaces of a result, with its MTU from protocol version 1.1.0 on.
 * sandbox: the namespace's path; NULL for a link on the host.
 */
void iface_list(struct tx *tx, const struct call *c, const struct link *l, const char *sandbox,
		struct result *ret);

/*
 * Fails with CNI_E_CONFIG if the result has an IPv6 address and mtu (bytes; 0 and less: any) is
 * below 1280, at which the kernel removes IPv6 from a link.  hint: "", or whose MTU it is.
 */
int iface_need_mtu(struct tx *tx, int mtu, const struct result *r, const char *hint) CHECKED;

/* ---- CHECK ---- */
struct iface_want {
	const char *kind; /* NULL = any */
	bool up;
	int mtu;     /* bytes; used if the result has none; 0 = any */
	bool routed; /* as in struct iface_options */
};

/*
 * Compares the container's interface with prevResult: it exists, is of kind, is up
 * if up, has the MAC and MTU of the result, its addresses and routes.  Extra ones are
 * fine.  *ret is the link (index 0: there is none).
 */
int iface_check(struct tx *tx, struct call *c, const struct iface_want *want,
		struct link *ret) CHECKED;
/* The sysctls that our ADD set; the reference sets others. */
int iface_check_sysctls(struct tx *tx, struct call *c, const struct link *l) CHECKED;
/*
 * The MTU in bytes that the container's interface had before the tuning plugin changed it, as that
 * plugin's document tells; 0: it has not, or it is not known.
 */
int iface_mtu_before_tuning(struct tx *tx, const struct call *c);
/* Single comparisons, for links on the host.  want 0 or NULL: any. */
void iface_check_mtu(struct tx *tx, const struct link *have, int64_t want);
void iface_check_mac(struct tx *tx, const struct link *have, const char *want);

#endif
