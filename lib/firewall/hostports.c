// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hostports.c - port mappings of the configuration
 *
 * conditionsV4 and conditionsV6 are arguments of iptables (-d 192.0.2.0/24, ! -i eth1) or of nft
 * (ip daddr != 192.0.2.0/24, iifname "eth1").  The reference plugin passes them to these programs.
 * cplug runs no program; it understands the usual matches in both spellings and rejects others by
 * name.
 */
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "firewall/hostports.h"

/*
 * Mappings are compared with each other; a range (hostPortEnd) counts once.  Ranges are elements of
 * sets of intervals: the kernel needs time for each that it deletes in proportion to all of them
 * (bitmap_cut() of its pipapo sets: 38 s for 20,000, 0.3 s for 1,024), and ends for no signal.  A
 * shifted range counts once for each port, because the kernel has no map of it as one element.
 */
enum { MAPPINGS_MAX = 20000, RANGES_MAX = 1024 };

static const struct {
	const char *name;
	uint8_t proto;
} protocols[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP } };

const char *hostports_proto(uint8_t proto)
{
	for (unsigned i = 0; i < ARRAY_LEN(protocols); i++)
		if (protocols[i].proto == proto)
			return protocols[i].name;
	return "?";
}

const char *hostports_text(struct mem *mem, const struct port_mapping *m)
{
	const char *ip = "";

	if (m->host_ip.family == AF_INET6)
		ip = mem_printf(mem, "[%s]:", IP_S(m->host_ip));
	else if (ip_set(m->host_ip))
		ip = mem_printf(mem, "%s:", IP_S(m->host_ip));
	if (m->host_end != m->host)
		return mem_printf(mem, "%s%u-%u/%s", ip, m->host, m->host_end,
				  hostports_proto(m->proto));
	return mem_printf(mem, "%s%u/%s", ip, m->host, hostports_proto(m->proto));
}

/* ---- mappings ----------------------------------------------------------- */

static uint8_t read_proto(const struct cj *e)
{
	const char *name = cj_str(e, "protocol", "");

	for (unsigned i = 0; i < ARRAY_LEN(protocols); i++)
		if (strcasecmp(name, protocols[i].name) == 0)
			return protocols[i].proto;
	if (*name)
		cj_wrong(e, "protocol", "expected tcp, udp or sctp, got \"%.40s\"", name);
	return IPPROTO_TCP;
}

static struct port_mapping read_mapping(const struct cj *e)
{
	int64_t host = cj_int(e, "hostPort", 0, 1, 65535);
	int64_t end = cj_int(e, "hostPortEnd", host, 1, 65535);
	int64_t cont = cj_int(e, "containerPort", end != host ? host : 0, 1, 65535);
	struct port_mapping m = {
		.proto = read_proto(e),
		.host = (uint16_t)host,
		.host_end = (uint16_t)end,
		.container = (uint16_t)cont,
		.host_ip = cj_ip(e, "hostIP"),
	};

	if (!cj_has(e, "hostPort"))
		cj_wrong(e, "hostPort", "missing (a number from 1 to 65535)");
	if (!cont && !cj_has(e, "containerPort"))
		cj_wrong(e, "containerPort", "missing (a number from 1 to 65535)");
	if (end < host)
		cj_wrong(e, "hostPortEnd", "is less than hostPort (%d)", (int)host);
	if (cont + (end - host) > 65535)
		cj_wrong(e, "containerPort", "the range would end beyond 65535");
	/* 0.0.0.0 and :: mean any address of their family, as in the reference plugin. */
	m.family = m.host_ip.family;
	if (ip_is_any(m.host_ip))
		m.host_ip.family = 0;
	return m;
}

static bool mappings_overlap(const struct port_mapping *a, const struct port_mapping *b)
{
	return a->proto == b->proto && a->host <= b->host_end && b->host <= a->host_end &&
	       ip_eq(a->host_ip, b->host_ip) &&
	       (!a->family || !b->family || a->family == b->family) &&
	       port_mapping_is_range(a) == port_mapping_is_range(b);
}

/* The same mapping twice counts once; two targets for one port are an error. */
static bool is_repeated(struct mem *mem, const struct cj *e, const struct port_mapping *old,
			struct port_mapping *m)
{
	if (!m->host || !mappings_overlap(old, m))
		return false;
	if (old->host != m->host || old->host_end != m->host_end ||
	    old->container != m->container) {
		cj_wrong(e, "hostPort", "%s is published by another mapping of the list already",
			 hostports_text(mem, m));
		return true;
	}
	if (!old->family || m->family)
		return true;
	m->family = old->family == AF_INET ? AF_INET6 : AF_INET;
	return false;
}

/* The elements of one family that a mapping becomes. */
static unsigned count_elements(const struct port_mapping *m)
{
	if (port_mapping_is_range(m) || m->host_end < m->host)
		return 1;
	return 1U + m->host_end - m->host;
}

static void read_mappings(struct mem *mem, const struct cj *conf, struct hostports *p)
{
	struct cj runtime = cj_obj(conf, "runtimeConfig");
	struct cj list = cj_list(&runtime, "portMappings");
	unsigned n = cj_len_max(&list, MAPPINGS_MAX), ranges = 0;
	unsigned elements = 0, of_this;
	const char *shifted = "";

	p->maps = mem_alloc(mem, (n + 1) * sizeof(*p->maps));
	for (unsigned i = 0; i < n; i++) {
		struct cj e = cj_at(&list, i);
		struct port_mapping m = read_mapping(&e);
		bool repeated = false;

		if (port_mapping_is_range(&m) && ++ranges > RANGES_MAX) {
			cj_wrong(&list, NULL, "more than %d ranges (hostPortEnd)", RANGES_MAX);
			return;
		}
		for (unsigned k = 0; k < p->n && !repeated; k++)
			repeated = is_repeated(mem, &e, &p->maps[k], &m);
		if (repeated)
			continue;
		p->maps[p->n++] = m;
		of_this = count_elements(&m);
		elements += of_this;
		if (of_this > 1)
			shifted = hostports_text(mem, &m);
		if (elements > MAPPINGS_MAX) {
			cj_wrong(&list, NULL,
				 "more than %d ports with those of %s, each of which counts "
				 "(a range whose containerPort is its hostPort counts once)",
				 MAPPINGS_MAX, shifted);
			return;
		}
	}
}

/* ---- conditions --------------------------------------------------------- */

/* The words of a condition, and the next one to read. */
struct words {
	const struct cj *conf;
	const char *key;
	char **w;
	unsigned n, at;
	int family;
	struct port_conditions *to;
	struct mem *mem;
};

static const char *next_word(struct words *w)
{
	if (w->at == w->n)
		return "";
	return w->w[w->at++];
}

static bool take_word(struct words *w, const char *word)
{
	if (w->at < w->n && str_eq(w->w[w->at], word)) {
		w->at++;
		return true;
	}
	return false;
}

static struct port_condition *add_condition(struct words *w)
{
	struct port_conditions *t = w->to;

	t->c = mem_grow(w->mem, t->c, t->n, sizeof(*t->c));
	return &t->c[t->n++];
}

static void wrong_word(const struct words *w, const char *word, const char *why)
{
	/* At the end, the word that needs another is named. */
	if (!*word && w->at)
		word = w->w[w->at - 1];
	cj_wrong(w->conf, w->key, "\"%.60s\": %s", word, why);
}

/* nft: == or !=; iptables: ! before or after the option. */
static bool read_equality(struct words *w, bool equal)
{
	if (take_word(w, "!=") || take_word(w, "!"))
		return !equal;
	take_word(w, "==");
	return equal;
}

static void read_addr(struct words *w, bool source, bool equal)
{
	const char *text;
	struct port_condition c = { .what = COND_ADDR, .source = source };
	struct ip ip;

	c.equal = read_equality(w, equal);
	text = next_word(w);
	if (ip_parse(text, &ip))
		c.addr = cidr_host(ip);
	else if (!cidr_parse(text, &c.addr))
		wrong_word(w, text, "expected an address or a prefix, like 192.0.2.0/24");
	if (ip_set(c.addr.ip) && c.addr.ip.family != w->family)
		wrong_word(w, text, "this is an address of the other family");
	c.addr = cidr_masked(c.addr);
	*add_condition(w) = c;
}

static void read_iifname(struct words *w, bool equal)
{
	struct port_condition c = { .what = COND_IIFNAME };
	const char *text;
	size_t n;

	c.equal = read_equality(w, equal);
	text = next_word(w);
	text += *text == '"';
	n = strcspn(text, "\"");
	if (!n || n >= sizeof(c.name))
		wrong_word(w, text, "expected an interface name of 1 to 15 characters");
	snprintf(c.name, sizeof(c.name), "%.*s", (int)n, text);
	/* A prefix of names is eth+ in iptables and eth* in nft. */
	if (n && n < sizeof(c.name) && c.name[n - 1] == '+')
		c.name[n - 1] = '*';
	*add_condition(w) = c;
}

/* Reads a number at *at and advances *at. */
static bool take_number(const char **at, int base, unsigned long max, unsigned long *ret)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	*ret = strtoul(*at, &end, base);
	*at = end;
	return *ret <= max;
}

static void read_mark(struct words *w, bool equal)
{
	struct port_condition c = { .what = COND_MARK };
	const char *text, *at;
	unsigned long value = 0, mask = UINT32_MAX;
	bool ok;

	c.equal = read_equality(w, equal);
	text = at = next_word(w);
	ok = take_number(&at, 0, UINT32_MAX, &value);
	if (ok && *at == '/') {
		at++;
		ok = take_number(&at, 0, UINT32_MAX, &mask);
	}
	if (!ok || *at)
		wrong_word(w, text, "expected a mark, like 0x10 or 0x10/0xff");
	c.value = (uint32_t)value;
	c.mask = (uint32_t)mask;
	*add_condition(w) = c;
}

static void read_port(struct words *w, uint8_t proto, bool source, bool equal)
{
	struct port_condition c = { .what = COND_PORT, .proto = proto, .source = source };
	unsigned long first = 0, last;
	const char *text, *at;
	bool ok;

	c.equal = read_equality(w, equal);
	text = at = next_word(w);
	ok = take_number(&at, 10, UINT16_MAX, &first);
	last = first;
	if (ok && (*at == ':' || *at == '-')) {
		at++;
		ok = take_number(&at, 10, UINT16_MAX, &last);
	}
	if (!ok || *at || last < first)
		wrong_word(w, text, "expected a port or a range of ports");
	c.first = (uint16_t)first;
	c.last = (uint16_t)last;
	*add_condition(w) = c;
}

/* Reads a match in the spelling of iptables; false if word does not begin one. */
static bool iptables_word(struct words *w, const char *word, bool equal)
{
	if (str_eq(word, "-s") || str_eq(word, "--source") || str_eq(word, "--src"))
		read_addr(w, true, equal);
	else if (str_eq(word, "-d") || str_eq(word, "--destination") || str_eq(word, "--dst"))
		read_addr(w, false, equal);
	else if (str_eq(word, "-i") || str_eq(word, "--in-interface"))
		read_iifname(w, equal);
	else if (str_eq(word, "--mark"))
		read_mark(w, equal);
	else if (str_eq(word, "--sport") || str_eq(word, "--source-port"))
		read_port(w, 0, true, equal);
	else if (str_eq(word, "-m") || str_eq(word, "--comment"))
		(void)next_word(w); /* the name of the module, or the text of the comment */
	else
		return false;
	return true;
}

static bool nft_addr(struct words *w, const char *word)
{
	bool four = str_eq(word, "ip"), six = str_eq(word, "ip6");

	if (!four && !six)
		return false;
	if (take_word(w, "saddr"))
		read_addr(w, true, true);
	else if (take_word(w, "daddr"))
		read_addr(w, false, true);
	else
		wrong_word(w, word, "expected saddr or daddr after it");
	return true;
}

static bool nft_word(struct words *w, const char *word)
{
	uint8_t proto = 0;

	if (nft_addr(w, word))
		return true;
	if (str_eq(word, "meta"))
		word = next_word(w);
	if (str_eq(word, "iifname") || str_eq(word, "iif")) {
		read_iifname(w, true);
		return true;
	}
	if (str_eq(word, "mark")) {
		read_mark(w, true);
		return true;
	}
	for (unsigned i = 0; i < ARRAY_LEN(protocols); i++)
		if (str_eq(word, protocols[i].name))
			proto = protocols[i].proto;
	if (!proto && !str_eq(word, "th"))
		return false;
	if (take_word(w, "sport"))
		read_port(w, proto, true, true);
	else
		wrong_word(w, word, "expected sport after it");
	return true;
}

/* A string of the list may contain several words. */
static void split_words(struct words *w, const struct cj *list)
{
	for (unsigned i = 0, n = cj_len(list); i < n; i++) {
		struct cj e = cj_at(list, i);
		char *rest = mem_str(w->mem, cj_as_str(&e)), *word;

		while (rest && (word = strsep(&rest, " \t\n"))) {
			if (!*word)
				continue;
			if (w->n == CJ_LIST_MAX) {
				cj_wrong(w->conf, w->key, "too long: at most %d words are allowed",
					 CJ_LIST_MAX);
				return;
			}
			w->w = mem_grow(w->mem, w->w, w->n, sizeof(*w->w));
			w->w[w->n++] = word;
		}
	}
}

static struct port_conditions read_conditions(struct mem *mem, const struct cj *conf,
					      const char *key, int family)
{
	struct port_conditions to = { .n = 0 };
	struct words w = { .conf = conf, .key = key, .family = family, .to = &to, .mem = mem };
	struct mem_text text = { .mem = mem };
	struct cj list = cj_list(conf, key);

	split_words(&w, &list);
	for (unsigned i = 0; i < w.n; i++)
		mem_text_add(&text, "%s%s", mem_text_comma(&text, " "), w.w[i]);
	to.text = text.s;
	while (w.at < w.n) {
		bool equal = !take_word(&w, "!");
		const char *word = next_word(&w);

		if (!iptables_word(&w, word, equal) && !nft_word(&w, word))
			wrong_word(
				&w, word,
				"cplug does not know this match; it knows -s -d -i -m mark --mark, "
				"and "
				"ip/ip6 saddr/daddr, iifname, meta mark, tcp/udp/sctp sport");
	}
	return to;
}

/* ---- options ------------------------------------------------------------ */

static void read_backend(const struct cj *conf)
{
	const char *backend = cj_str(conf, "backend", "");

	if (str_eq(backend, "iptables"))
		log_info("backend \"iptables\": port mappings are done in nftables all the same");
	else if (*backend && !str_eq(backend, "nftables"))
		cj_wrong(conf, "backend",
			 "unrecognized backend \"%.40s\" (leave it out, or say "
			 "nftables)",
			 backend);
}

struct hostports hostports_read(struct mem *mem, const struct cj *conf)
{
	/* In the order of enum owned_conflict. */
	static const char *const policies[] = { "fail", "replace", "warn" };
	struct hostports p = {
		.snat = cj_bool(conf, "snat", true),
		.masq_all = cj_bool(conf, "masqAll", false),
		.mark_bit = (int)cj_int(conf, "markMasqBit", -1, 0, 31),
		.mark_chain = cj_str(conf, "externalSetMarkChain", NULL),
		.v4 = read_conditions(mem, conf, "conditionsV4", AF_INET),
		.v6 = read_conditions(mem, conf, "conditionsV6", AF_INET6),
		.on_conflict = (enum owned_conflict)cj_enum(conf, "onConflict", OWNED_FAIL,
							    policies, ARRAY_LEN(policies)),
	};

	if (str_empty(p.mark_chain))
		p.mark_chain = NULL;
	if (p.mark_chain && p.mark_bit >= 0)
		cj_wrong(conf, "externalSetMarkChain",
			 "Cannot specify externalSetMarkChain and markMasqBit (leave one out)");
	read_backend(conf);
	read_mappings(mem, conf, &p);
	return p;
}
