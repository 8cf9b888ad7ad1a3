/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * result.h - the result type, and its form in each protocol version
 *
 * In memory a result has the newest form.  This module reads and prints the forms of 0.1.0,
 * 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0 and 1.1.0 (CNI spec of each version, "ADD Success"), and
 * converts as libcni does.
 */
#ifndef CPLUG_RESULT_H
#define CPLUG_RESULT_H

#include "value/cj.h"
#include "value/ip.h"
#include "base/mem.h"
#include "base/tx.h"

/* Interfaces, addresses and routes of a result that is read, each; cj_len_max(). */
enum { RESULT_LIST_MAX = 16384 };

struct result_if {
	const char *name;
	const char *mac;         /* text as given; NULL: none */
	const char *sandbox;     /* netns path; NULL: on the host */
	int64_t mtu;             /* 0: unset; this and the next two since 1.0.0 */
	const char *socket_path; /* NULL: none */
	const char *pci_id;
};

struct result_ip {
	struct cidr addr;
	struct ip gateway; /* family 0: none */
	int iface;         /* index into ifs; -1: unset */
};

struct result_route {
	struct cidr dst;
	bool has_dst; /* false: printed as "<nil>", as the reference does */
	struct ip gw;
	int64_t mtu, advmss, priority; /* 0: unset */
	int64_t table, scope;          /* -1: unset */
	bool onlink; /* gw is a neighbour though no route says so; neither read nor printed */
};

struct result_dns {
	const char **nameservers, **search, **options;
	unsigned n_nameservers, n_search, n_options;
	const char *domain; /* NULL: none */
};

struct result {
	struct mem *mem; /* the arena of the arrays */
	struct result_if *ifs;
	struct result_ip *ips;
	struct result_route *routes;
	unsigned n_ifs, n_ips, n_routes;
	struct result_dns dns;
};

void result_init(struct result *r, struct mem *mem);

/* Each appends one entry and returns its index. */
unsigned result_add_if(struct result *r, struct result_if i);
unsigned result_add_ip(struct result *r, struct result_ip ip);
unsigned result_add_route(struct result *r, struct result_route route);

/* A route with dst and gw (family 0: none); everything else is unset. */
struct result_route result_route(struct cidr dst, struct ip gw);

/*
 * The index of the interface of that name in the container (sandboxed: sandbox is not empty)
 * or on the host; -1 if there is none.
 */
int result_find_if(const struct result *r, const char *name, bool sandboxed);

/* Has it an address of this family (AF_INET, AF_INET6)? */
bool result_has_family(const struct result *r, int family);

bool result_dns_empty(const struct result_dns *d);

/*
 * Read a dns object, and a list of routes, which configurations have, too.  Complaints go to
 * the cursor's document.
 */
struct result_dns result_read_dns(struct mem *mem, const struct cj *c);
void result_read_routes(struct result *r, const struct cj *list);

/* How to read a result. */
struct result_rules {
	const char *def_version; /* for a result without cniVersion: the configuration's */
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
 * Prints the JSON of a protocol version into the arena, without a final newline: compact (for
 * another plugin's stdin, and the cache), or indented by four spaces.  Fails with
 * CNI_E_VERSION if the version is unknown, or older than 0.3.0 and there is no address.
 */
int result_print(struct tx *tx, const struct result *r, const char *version, bool compact,
		 char **ret_text) CHECKED;

/* The protocol versions, oldest first, NULL-terminated. */
extern const char *const result_versions[];

/* The form of a version; RESULT_UNKNOWN if it is not in result_versions. */
enum result_form {
	RESULT_UNKNOWN,
	RESULT_BLOCKS, /* 0.1.0, 0.2.0: ip4, ip6 */
	RESULT_LISTS,  /* 0.3.0, 0.3.1, 0.4.0 */
	RESULT_MODERN, /* 1.0.0, 1.1.0 */
};
enum result_form result_form(const char *version);

/*
 * Converts "1", "1.0", "1.0.0" or "" (0.1.0) to major*1000000 + minor*1000 + patch; -1 if it is
 * not one to three numbers of up to three digits.
 */
int result_version_number(const char *version);

#endif
