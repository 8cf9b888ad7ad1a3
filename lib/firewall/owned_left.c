// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned_left.c - has a living owner left the address of an element?
 *
 * A DHCP server can renew a lease with another address, and give the former one to another
 * container, before a repair moves the owner's elements.  What the owner's namespace has now proves
 * nothing: a container can use its address elsewhere than on its interface.  The daemon's document
 * of the lease proves it: "left" lists the addresses that the lease had before and has not now
 * (ipam/dhcp/record.c).
 */
#include <jansson.h>

#include "firewall/owned_impl.h"
#include "netlink/link.h"
#include "sys/state.h"
#include "value/mark.h"

/* The address that is the key of e; false: the key is none. */
static bool address_of(const struct owned_table *t, const struct owned_elem *e, struct ip *ret)
{
	enum nft_type type = t->sets[e->set].key[0];

	*ret = (struct ip){ .family = type == NFT_T_IPV6 ? AF_INET6 : AF_INET };
	if ((type != NFT_T_IPV4 && type != NFT_T_IPV6) || e->e.key.len != ip_bytes(*ret))
		return false;
	memcpy(ret->b, e->e.key.b, e->e.key.len);
	return true;
}

/*
 * Is the document of another link than the owner's?  A lease whose end the daemon was not told
 * leaves its document, and the next link of that name can get the address in another way.
 */
static bool is_of_former(struct owned_judge *j, const struct mark_owner *o, json_t *document)
{
	struct mark mark = mark_of(o->network, o->id, o->ifname);
	int before = j->tx->err, there;
	struct link host;

	there = link_find_marked(j->tx, j->host, "", &mark, &host);
	tx_excuse(j->tx, before, there, "its owner keeps the address");
	if (there <= 0 || !host.parent)
		return there < 0;
	return json_integer_value(json_object_get(document, "index")) != host.parent;
}

/* Has a document of this namespace the address in its list? */
static bool lists_left(const struct owned_judge *j, json_t *document, struct ip ip)
{
	json_t *e, *left = json_object_get(document, "left");
	size_t i;

	if ((uint64_t)json_integer_value(json_object_get(document, "ino")) != j->ino ||
	    (uint64_t)json_integer_value(json_object_get(document, "cookie")) != j->cookie)
		return false;
	json_array_foreach (left, i, e) {
		const char *s = json_string_value(e);
		struct ip was;

		if (s && ip_parse(s, &was) && ip_eq(was, ip))
			return true;
	}
	return false;
}

bool owned_has_left(struct owned_judge *j, const struct owned_elem *e)
{
	struct state_file f = { .dir = STATE_DHCP };
	int before = j->tx->err, r;
	struct mem *mem = &j->tx->mem;
	struct mark_owner o;
	json_t *document;
	struct ip ip;
	char *text;
	bool left;

	if (!j->ino || !address_of(j->t, e, &ip) || !owned_parse(mem, e->there.comment, &o))
		return false;
	f.name = mem_printf(mem, "%s:%s:%s.json", o.network, o.id, o.ifname);
	r = state_load(j->tx, &f, &text);
	tx_excuse(j->tx, before, r, "its owner keeps the address");
	if (r <= 0)
		return false;
	document = json_loads(text, 0, NULL);
	left = lists_left(j, document, ip) && !is_of_former(j, &o, document);
	json_decref(document);
	return left;
}
