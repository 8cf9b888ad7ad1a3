// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * request.c - what the plugin asks for
 */
#include "ipam/cluster/helper/request.h"
#include "sys/file.h"

enum { REQUEST_MAX = 1 << 20 };

static void read_ranges(const struct cj *c, struct block_request *q)
{
	struct cj list = cj_list(c, "ranges");

	q->n_ranges = cj_len_max(&list, CLUSTER_RANGES_MAX);
	for (unsigned i = 0; i < q->n_ranges; i++) {
		struct cj e = cj_at(&list, i);
		struct cluster_range *r = &q->ranges[i];
		struct cidr reserved;

		r->subnet = cj_cidr(&e, "subnet");
		r->block = (unsigned)cj_int(&e, "block", 0, 0, 128);
		if (r->block < r->subnet.len || r->block - r->subnet.len > 62 ||
		    r->block > ip_bits(r->subnet.ip))
			cj_wrong(&e, "block", "it does not fit to the subnet");
		if (ip_set(r->subnet.ip) && cidr_is_reserved(r->subnet, &reserved))
			cj_wrong(&e, "subnet", "it has addresses of %s", CIDR_S(reserved));
	}
	q->range = (unsigned)cj_int(c, "range", 0, 0, CLUSTER_RANGES_MAX);
	if (q->range >= q->n_ranges)
		cj_wrong(c, "range", "there is no such range");
}

int request_read(struct tx *tx, struct block_request *ret, enum cni_code *ret_away)
{
	struct file_text text;
	struct cj c, list;
	size_t room = 0;
	ssize_t n;

	text.s = mem_alloc(&tx->mem, REQUEST_MAX + 1);
	if (fd_is_endless(STDIN_FILENO))
		return tx_fail_as(tx, CNI_E_IO, -EPROTOTYPE,
				  "stdin is a datagram socket, which has no end (pass a pipe)");
	while (room < REQUEST_MAX &&
	       (n = read(STDIN_FILENO, text.s + room, REQUEST_MAX - room)) > 0)
		room += (size_t)n;
	TRY(cj_parse(tx, text.s, room, "request", &c));
	*ret = (struct block_request){
		.network = cj_str(&c, "network", ""),
		.instance = cj_str(&c, "instance", ""),
		.want = cj_cidr(&c, "want"),
	};
	*ret_away = (enum cni_code)cj_int(&c, "away", CNI_E_AGAIN, 1, 200);
	read_ranges(&c, ret);
	list = cj_list(&c, "known");
	ret->n_known = cj_len_max(&list, CLUSTER_BLOCKS_MAX);
	ret->known = mem_alloc(&tx->mem, (ret->n_known + 1) * sizeof(*ret->known));
	for (unsigned i = 0; i < ret->n_known; i++) {
		struct cj e = cj_at(&list, i);

		ret->known[i] = cj_as_cidr(&e);
	}
	if (!*ret->network || strchr(ret->network, '/'))
		cj_wrong(&c, "network", "a name is needed");
	return cj_ok(tx, &c);
}

bool request_knows(const struct block_request *q, struct cidr c)
{
	for (unsigned i = 0; i < q->n_known; i++)
		if (cidr_eq(q->known[i], c))
			return true;
	return false;
}
