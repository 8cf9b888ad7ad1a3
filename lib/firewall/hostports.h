/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostports.h - port mappings of the configuration
 *
 * portmap and bridge read the same keys (the reference plugin portmap; docs/config/portmap.md).
 */
#ifndef CPLUG_HOSTPORTS_H
#define CPLUG_HOSTPORTS_H

#include "value/cj.h"
#include "value/ip.h"
#include "firewall/owned.h"

struct port_mapping {
	uint8_t proto;           /* IPPROTO_TCP, _UDP, _SCTP */
	uint16_t host, host_end; /* host_end = host for a single port */
	uint16_t container;      /* the container port of host */
	struct ip host_ip;       /* no address = any */
	int family;              /* family of the host addresses: AF_INET, AF_INET6, 0 = both */
};

/* Is it published on addresses of this family? */
static inline bool port_mapping_on(const struct port_mapping *m, int family)
{
	return !m->family || m->family == family;
}

/*
 * A range whose host and container ports are equal is one element.  Other ranges are one element
 * for each port.
 */
static inline bool port_mapping_is_range(const struct port_mapping *m)
{
	return m->host_end > m->host && m->container == m->host;
}

/* One match of conditionsV4 or conditionsV6. */
struct port_condition {
	enum { COND_ADDR, COND_IIFNAME, COND_MARK, COND_PORT } what;
	bool equal;
	bool source; /* COND_ADDR, COND_PORT */
	struct cidr addr;
	char name[16];
	uint32_t value, mask; /* COND_MARK */
	uint16_t first, last; /* COND_PORT */
	uint8_t proto;        /* COND_PORT; 0 = any */
};

struct port_conditions {
	struct port_condition *c;
	unsigned n;
	const char *text; /* the configured words, for names and comments; NULL = none */
};

struct hostports {
	struct port_mapping *maps;
	unsigned n;
	bool snat, masq_all;
	int mark_bit;           /* markMasqBit; -1 = not set */
	const char *mark_chain; /* externalSetMarkChain; NULL = none */
	struct port_conditions v4, v6;
	enum owned_conflict on_conflict;
};

/*
 * Reads runtimeConfig.portMappings, and snat, masqAll, markMasqBit, externalSetMarkChain,
 * conditionsV4, conditionsV6, onConflict, backend.  Errors are stored in the document, for cj_ok().
 */
struct hostports hostports_read(struct mem *mem, const struct cj *conf);

/* "tcp", "udp", "sctp". */
const char *hostports_proto(uint8_t proto);

/* "8080/tcp", "127.0.0.1:8080/tcp", "10000-10999/udp"; in the arena. */
const char *hostports_text(struct mem *mem, const struct port_mapping *m);

#endif
