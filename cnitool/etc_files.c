// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * etc_files.c - contents of a container's /etc/hosts and /etc/resolv.conf
 */
#include "cnitool/etc_files.h"

const char *etc_files_hosts(struct mem *m, const char *hostname, const struct result_ip *ips,
			    unsigned n)
{
	struct mem_text text = { .mem = m };

	mem_text_add(&text, "127.0.0.1\tlocalhost\n"
			    "::1\tlocalhost ip6-localhost ip6-loopback\n");
	for (unsigned i = 0; i < n; i++)
		mem_text_add(&text, "%s\t%s\n", IP_S(ips[i].addr.ip), hostname);
	if (!n)
		mem_text_add(&text, "127.0.1.1\t%s\n", hostname);
	return mem_text_end(&text);
}

static void put_line(struct mem_text *text, const char *key, const char **words, unsigned n)
{
	if (!n)
		return;
	mem_text_add(text, "%s", key);
	for (unsigned i = 0; i < n; i++)
		mem_text_add(text, " %s", words[i]);
	mem_text_add(text, "\n");
}

const char *etc_files_resolv_conf(struct mem *m, const struct result_dns *dns)
{
	struct mem_text text = { .mem = m };

	if (result_dns_empty(dns))
		return NULL;
	for (unsigned i = 0; i < dns->n_nameservers; i++)
		mem_text_add(&text, "nameserver %s\n", dns->nameservers[i]);
	if (!str_empty(dns->domain) && !dns->n_search)
		mem_text_add(&text, "domain %s\n", dns->domain);
	put_line(&text, "search", dns->search, dns->n_search);
	put_line(&text, "options", dns->options, dns->n_options);
	return mem_text_end(&text);
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
