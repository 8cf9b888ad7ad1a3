// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * words.c - the command line of the administrator's actions
 */
#include <stdlib.h>

#include "ipam/cluster/helper/conf.h"
#include "ipam/cluster/helper/words.h"
#include "value/name.h"

const char words_usage[] =
	"cplug-etcd tells and changes which node of a cluster has which block of addresses.\n\n"
	"usage: cplug-etcd ACTION, or cnitool cluster ACTION\n\n"
	"  list [NETWORK]          all nodes and blocks, with the age of each in seconds\n"
	"  reclaim [--force] NODE  take the blocks of a node back that is off for good; --force:\n"
	"                          although this machine has routes to them\n"
	"  forget NETWORK          remove the ranges of a network that has no blocks any more, so\n"
	"                          that another one can have them\n"
	"  join --local ADDRESS --address ADDRESS/LENGTH [--address ADDRESS/LENGTH]\n"
	"       [--vni N] [--port N]  make the wire of VXLAN to the other nodes, cplug-vxlan:\n"
	"                          --local is this node's address, --address that on the wire\n"
	"  leave                   remove it\n"
	"  --quiet, --help, --version\n\n"
	"Where etcd is, says " CLUSTER_CONF
	".  The plugin cluster calls it with the actions claim,\n"
	"sync, release and free, and a request on stdin.  Answers are JSON.\n";

static int fail(struct tx *tx, const char *what)
{
	return tx_fail_as(
		tx, CNI_E_FIELD, -EINVAL,
		"cplug-etcd: %s: say list [NETWORK], reclaim [--force] NODE, forget NETWORK, "
		"join --local ADDRESS --address ADDRESS/LENGTH, or leave (cnitool cluster "
		"-- --help)",
		what);
}

static int fail_word(struct tx *tx, const char *action, const char *word)
{
	return fail(tx, mem_printf(&tx->mem, "%s does not take \"%.60s\", or not with this value",
				   action, word));
}

/* ---- join ---- */

static bool read_number(const char *s, unsigned max, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || *end || !n || n > max)
		return false;
	*ret = (unsigned)n;
	return true;
}

/* NULL, or what an address of a node on the wire has to be. */
static const char *read_address(const char *s, struct wire_node *me)
{
	struct cidr a;

	if (!cidr_parse(s, &a) || !ip_is_of_host(a.ip) || ip_is_linklocal(a.ip))
		return "an address of a host with prefix length, like 10.41.0.1/24";
	if (a.len == ip_bits(a.ip))
		return "a prefix in which the other nodes' addresses are, too, like 10.41.0.1/24";
	if (a.len + 1 < ip_bits(a.ip) &&
	    (cidr_eq(a, cidr_masked(a)) || (a.ip.family == AF_INET && ip_eq(a.ip, cidr_last(a)))))
		return "an address of a host, and not that of a network or of broadcasts";
	for (unsigned i = 0; i < me->n; i++)
		if (me->addresses[i].ip.family == a.ip.family)
			return "one address of IPv4 and one of IPv6";
	me->addresses[me->n++] = a;
	return NULL;
}

/* An address to which other nodes send. */
static bool read_local(const char *s, struct ip *ret)
{
	return ip_parse(s, ret) && ip_is_of_host(*ret) && !ip_is_linklocal(*ret);
}

/* NULL, or what the value of an option has to be; "": there is no such option. */
static const char *read_option(const char *option, const char *value, struct wire_node *me)
{
	if (str_eq(option, "--address"))
		return read_address(value, me);
	if (str_eq(option, "--local") && !read_local(value, &me->local))
		return "this node's address, to which the others send, like 192.0.2.11";
	if (str_eq(option, "--vni") && !read_number(value, (1 << 24) - 1, &me->vni))
		return "a number from 1 to 16777215";
	if (str_eq(option, "--port") && !read_number(value, 65535, &me->port))
		return "a number from 1 to 65535";
	if (str_eq(option, "--local") || str_eq(option, "--vni") || str_eq(option, "--port"))
		return NULL;
	return "";
}

static int read_join(struct tx *tx, int argc, char **argv, struct wire_node *me)
{
	for (int i = 2; i < argc; i += 2) {
		const char *value = argv[i + 1] ? argv[i + 1] : "";
		const char *needs = read_option(argv[i], value, me);

		if (needs && !*needs)
			return fail_word(tx, "join", argv[i]);
		if (needs)
			return fail(tx, mem_printf(&tx->mem, "join %s \"%.60s\": it takes %s",
						   argv[i], value, needs));
	}
	if (!ip_set(me->local) || !me->n)
		return fail(tx, "an argument is missing: join needs --local and --address");
	for (unsigned i = 0; i < me->n; i++)
		if (cidr_contains(me->addresses[i], me->local))
			return fail(tx,
				    mem_printf(&tx->mem,
					       "join --address \"%s\": it takes a prefix that is "
					       "the wire's alone, without the address of --local",
					       CIDR_S(me->addresses[i])));
	return 0;
}

/* ---- the others ---- */

static int read_rest(struct tx *tx, int argc, char **argv, struct words *ret)
{
	bool reclaims = str_eq(ret->word, "reclaim");

	for (int i = 2; i < argc; i++) {
		if (reclaims && str_eq(argv[i], "--force"))
			ret->force = true;
		else if (ret->arg || argv[i][0] == '-' || str_eq(ret->word, "leave"))
			return fail_word(tx, ret->word, argv[i]);
		else
			ret->arg = argv[i];
	}
	if (!ret->arg && (reclaims || str_eq(ret->word, "forget")))
		return fail(tx, "an argument is missing");
	if (ret->arg && !name_valid_id(ret->arg)) /* a slash would name another key of etcd */
		return tx_fail_as(tx, CNI_E_FIELD, -EINVAL,
				  "cplug-etcd %s: \"%s\" is not the name of a %s", ret->word,
				  ret->arg, reclaims ? "node" : "network");
	return 0;
}

int words_read(struct tx *tx, int argc, char **argv, struct words *ret)
{
	static const char *const actions[] = { "list", "reclaim", "forget", "join", "leave" };

	*ret = (struct words){ .word = argc > 1 ? argv[1] : "", .me = { .vni = 76, .port = 4789 } };
	if (str_empty(ret->word))
		return fail(tx, "the action is missing");
	for (unsigned i = 0; i < ARRAY_LEN(actions); i++)
		if (str_eq(ret->word, actions[i])) {
			if (str_eq(ret->word, "join"))
				return read_join(tx, argc, argv, &ret->me);
			return read_rest(tx, argc, argv, ret);
		}
	return fail(tx, mem_printf(&tx->mem, "there is no action \"%.60s\"", ret->word));
}
