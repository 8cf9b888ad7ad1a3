// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * etc_files.c - contents of a container's /etc/hosts and /etc/resolv.conf
 */
#include "cnitool/etc_files.h"

const char *etc_files_hosts(struct mem *m, const char *hostname, const struct result_ip *ips,
			    unsigned n)
{
	const char *text = "127.0.0.1\tlocalhost\n"
			   "::1\tlocalhost ip6-localhost ip6-loopback\n";

	for (unsigned i = 0; i < n; i++)
		text = mem_printf(m, "%s%s\t%s\n", text, IP_S(ips[i].addr.ip), hostname);
	if (!n)
		text = mem_printf(m, "%s127.0.1.1\t%s\n", text, hostname);
	return text;
}

static const char *put_line(struct mem *m, const char *text, const char *key, const char **words,
			    unsigned n)
{
	if (!n)
		return text;
	text = mem_printf(m, "%s%s", text, key);
	for (unsigned i = 0; i < n; i++)
		text = mem_printf(m, "%s %s", text, words[i]);
	return mem_printf(m, "%s\n", text);
}

const char *etc_files_resolv_conf(struct mem *m, const struct result_dns *dns)
{
	const char *text = "";

	if (result_dns_empty(dns))
		return NULL;
	for (unsigned i = 0; i < dns->n_nameservers; i++)
		text = mem_printf(m, "%snameserver %s\n", text, dns->nameservers[i]);
	if (!str_empty(dns->domain) && !dns->n_search)
		text = mem_printf(m, "%sdomain %s\n", text, dns->domain);
	text = put_line(m, text, "search", dns->search, dns->n_search);
	return put_line(m, text, "options", dns->options, dns->n_options);
}

static void merge_words(struct mem *m, const char ***words, unsigned *n, const char **more,
			unsigned n_more)
{
	for (unsigned i = 0; i < n_more; i++) {
		bool known = false;

		for (unsigned k = 0; k < *n; k++)
			known |= str_eq((*words)[k], more[i]);
		if (known)
			continue;
		*words = mem_grow(m, *words, *n, sizeof(**words));
		(*words)[(*n)++] = more[i];
	}
}

void etc_files_merge_dns(struct mem *m, struct result_dns *a, const struct result_dns *b)
{
	merge_words(m, &a->nameservers, &a->n_nameservers, b->nameservers, b->n_nameservers);
	merge_words(m, &a->search, &a->n_search, b->search, b->n_search);
	merge_words(m, &a->options, &a->n_options, b->options, b->n_options);
	if (str_empty(a->domain))
		a->domain = b->domain;
}
