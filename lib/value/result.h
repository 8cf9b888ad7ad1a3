/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * result.h - the one result type, and all protocol versions of it
 *
 * Inside cplug a result is always of the newest form; only this module knows
 * how 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0 and 1.1.0 spell it.  (CNI spec,
 * "ADD Success", of each version; the conversions are libcni's.)
 */
#ifndef CPLUG_RESULT_H
#define CPLUG_RESULT_H

#include "value/cj.h"
#include "value/ip.h"
#include "base/mem.h"
#include "base/tx.h"

struct result_if {
	const char *name;
	const char *mac;         /* text as given; NULL = none */
	const char *sandbox;     /* netns path; NULL = on the host */
	int64_t mtu;             /* 0 = unset; from 1.0.0 on, and so the next two */
	const char *socket_path; /* NULL = none */
	const char *pci_id;
};

struct result_ip {
	struct cidr addr;
	struct ip gateway; /* ip_set() = there is one */
	int iface;         /* index into ifs; -1 = unset */
};

struct result_route {
	struct cidr dst;
	bool has_dst; /* false prints "<nil>" as the reference does */
	struct ip gw;
	int64_t mtu, advmss, priority; /* 0 = unset */
	int64_t table, scope;          /* -1 = unset */
};

struct result_dns {
	const char **nameservers, **search, **options;
	unsigned n_nameservers, n_search, n_options;
	const char *domain; /* NULL = none */
};

struct result {
	struct mem *mem; /* where the arrays grow */
	struct result_if *ifs;
	struct result_ip *ips;
	struct result_route *routes;
	unsigned n_ifs, n_ips, n_routes;
	struct result_dns dns;
};

void result_init(struct result *r, struct mem *mem);

/* Each appends and returns the index. */
unsigned result_add_if(struct result *r, struct result_if i);
unsigned result_add_ip(struct result *r, struct result_ip ip);
unsigned result_add_route(struct result *r, struct result_route route);

/* A route with everything unset but dst and gw (gw may have no address). */
struct result_route result_route(struct cidr dst, struct ip gw);

/*
 * The interface of that name in the container (sandboxed: its sandbox is not
 * empty), or on the host; -1 if not there.
 */
int result_find_if(const struct result *r, const char *name, bool sandboxed);

bool result_dns_empty(const struct result_dns *d);

/*
 * Readers that other modules share: a dns object, a list of routes.  Complaints
 * go to c's document.
 */
struct result_dns result_read_dns(struct mem *mem, const struct cj *c);
void result_read_routes(struct result *r, const struct cj *list);

/* How to read a result. */
struct result_rules {
	const char *def_version; /* of a result without cniVersion: the configuration's */
	/*
	 * NULL, or a version: the result's must belong to the same group of {0.1.0, 0.2.0},
	 * {0.3.0, 0.3.1, 0.4.0} and {1.0.0, 1.1.0}, as prevResult's must.
	 */
	const char *group;
	enum cni_code code; /* of a failure */
};

/*
 * Reads the result at c.  A JSON null or an absent value is an empty result.  Borrows nothing
 * from the document, which may be freed.  Does not check the index in ips[].interface: the
 * caller must.
 */
int result_read(struct tx *tx, const struct cj *c, const struct result_rules *rules,
		struct result *ret) CHECKED;

/*
 * The JSON text for a protocol version, in the arena: 4 spaces of indentation,
 * no final newline; or compact (for another plugin's stdin, the cache).  Fails
 * with CNI_E_VERSION for an unknown version, and for < 0.3.0 with no address.
 */
int result_print(struct tx *tx, const struct result *r, const char *version, bool compact,
		 char **ret_text) CHECKED;

/* The protocol versions known, oldest first, NULL-terminated. */
extern const char *const result_versions[];

/* The three forms; RESULT_UNKNOWN unless it is exactly one of the versions above. */
enum result_form {
	RESULT_UNKNOWN,
	RESULT_BLOCKS, /* 0.1.0, 0.2.0: ip4, ip6 */
	RESULT_LISTS,  /* 0.3.0, 0.3.1, 0.4.0 */
	RESULT_MODERN, /* 1.0.0, 1.1.0 */
};
enum result_form result_form(const char *version);

/*
 * Parses "1", "1.0", "1.0.0" or "" (0.1.0) into major*1000000 + minor*1000 +
 * patch; -1 if it is not 1 to 3 numbers of up to 3 digits.
 */
int result_version_number(const char *version);

#endif
