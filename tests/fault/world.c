// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * world.c - the state of host and containers as text, fast enough for thousands of calls
 *
 * Read by netlink, one line per object.  It omits what changes by itself, as
 * tests/tools/snapshot does, and sysctls, qdiscs and neighbours, which only that compares.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fault.h"

enum { SIDES_MAX = 4, LINES_MAX = 20000 };

static struct side {
	const char *name;
	struct mnl_socket *route, *filter;
} sides[SIDES_MAX];
static unsigned n_sides;

static char *lines[LINES_MAX];
static unsigned n_lines;
static const struct side *side;

static void PRINTF(1, 2) say(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0 || n_lines == LINES_MAX)
		die("world: too much");
	va_end(ap);
	if (asprintf(&lines[n_lines++], "%s: %s", side ? side->name : "file", text) < 0)
		die("no memory");
	free(text);
}

/* ---- sockets ------------------------------------------------------------ */

static struct mnl_socket *socket_of(int protocol)
{
	struct mnl_socket *sk = mnl_socket_open2(protocol, SOCK_CLOEXEC);

	if (!sk || mnl_socket_bind(sk, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink: %s", strerror(errno));
	return sk;
}

void world_open(const char *const *names, unsigned n)
{
	auto_(fd_close) int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	sides[n_sides++] =
		(struct side){ "host", socket_of(NETLINK_ROUTE), socket_of(NETLINK_NETFILTER) };
	for (unsigned i = 0; i < n; i++) {
		char path[256];

		snprintf(path, sizeof(path), "/run/netns/%s", names[i]);
		auto_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
			die("%s: %s", path, strerror(errno));
		sides[n_sides++] = (struct side){ names[i], socket_of(NETLINK_ROUTE),
						  socket_of(NETLINK_NETFILTER) };
		if (setns(home, CLONE_NEWNET) < 0)
			die("setns: %s", strerror(errno));
	}
}

static void ask(struct mnl_socket *sk, struct nlmsghdr *h, mnl_cb_t each)
{
	static unsigned seq = 1;
	static char answer[65536];
	ssize_t n;
	int r = 1;

	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++seq;
	if (mnl_socket_sendto(sk, h, h->nlmsg_len) < 0)
		die("world: send: %s", strerror(errno));
	while (r > 0) {
		n = mnl_socket_recvfrom(sk, answer, sizeof(answer));
		if (n < 0)
			die("world: receive: %s", strerror(errno));
		r = mnl_cb_run(answer, (size_t)n, seq, mnl_socket_get_portid(sk), each, NULL);
	}
}

/* An attribute's bytes as hexadecimal digits, "" for NULL.  One of four static buffers. */
static const char *hex(const struct nlattr *a)
{
	static char text[4][4096];
	static unsigned next;
	char *s = text[next++ % 4], *p = s;

	*p = '\0';
	for (unsigned i = 0; a && i < mnl_attr_get_payload_len(a) && i < 2000; i++)
		p += sprintf(p, "%02x", ((const uint8_t *)mnl_attr_get_payload(a))[i]);
	return s;
}

static const char *str(const struct nlattr *a)
{
	if (!a)
		return "";
	return mnl_attr_get_str(a);
}

struct gathering {
	const struct nlattr **a;
	unsigned n;
};

static int each_attr(const struct nlattr *a, void *arg)
{
	const struct gathering *g = arg;

	if (mnl_attr_get_type(a) < g->n)
		g->a[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static void gather(const struct nlmsghdr *h, unsigned skip, const struct nlattr **ret, unsigned n)
{
	struct gathering g = { ret, n };

	for (unsigned i = 0; i < n; i++)
		ret[i] = NULL;
	mnl_attr_parse(h, skip, each_attr, &g);
}

/* ---- rtnetlink ---------------------------------------------------------- */

static int each_link(const struct nlmsghdr *h, void *arg UNUSED)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	const struct nlattr *a[IFLA_MAX + 1];

	gather(h, sizeof(*i), a, ARRAY_LEN(a));
	say("link %s up %d promisc %d allmulti %d mtu %s queue %s mac %s master %s alias %s group "
	    "%s",
	    str(a[IFLA_IFNAME]), !!(i->ifi_flags & IFF_UP), !!(i->ifi_flags & IFF_PROMISC),
	    !!(i->ifi_flags & IFF_ALLMULTI), hex(a[IFLA_MTU]), hex(a[IFLA_TXQLEN]),
	    hex(a[IFLA_ADDRESS]), hex(a[IFLA_MASTER]), str(a[IFLA_IFALIAS]), hex(a[IFLA_GROUP]));
	return MNL_CB_OK;
}

static bool is_linklocal(int family, const struct nlattr *a)
{
	const uint8_t *b = a ? mnl_attr_get_payload(a) : NULL;

	return b && family == AF_INET6 && (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80));
}

static int each_addr(const struct nlmsghdr *h, void *arg UNUSED)
{
	const struct ifaddrmsg *i = mnl_nlmsg_get_payload(h);
	const struct nlattr *a[IFA_MAX + 1];

	gather(h, sizeof(*i), a, ARRAY_LEN(a));
	if (!is_linklocal(i->ifa_family, a[IFA_ADDRESS]))
		say("address %s/%d on %u", hex(a[IFA_ADDRESS]), i->ifa_prefixlen, i->ifa_index);
	return MNL_CB_OK;
}

/*
 * The local route of an IPv6 address, which the kernel adds some time after the address
 * (addrconf_dad_work()).  That of ::1 can be cplug's.
 */
static bool is_of_address(const struct rtmsg *i, const struct nlattr *dst)
{
	return i->rtm_family == AF_INET6 && i->rtm_type == RTN_LOCAL &&
	       i->rtm_protocol == RTPROT_KERNEL && dst &&
	       memcmp(mnl_attr_get_payload(dst), &in6addr_loopback, sizeof(in6addr_loopback)) != 0;
}

static int each_route(const struct nlmsghdr *h, void *arg UNUSED)
{
	const struct rtmsg *i = mnl_nlmsg_get_payload(h);
	const struct nlattr *a[RTA_MAX + 1];

	gather(h, sizeof(*i), a, ARRAY_LEN(a));
	if (i->rtm_family <= AF_INET6 && !is_linklocal(i->rtm_family, a[RTA_DST]) &&
	    !is_of_address(i, a[RTA_DST]))
		say("route %s/%d table %s type %d gw %s dev %s priority %s", hex(a[RTA_DST]),
		    i->rtm_dst_len, hex(a[RTA_TABLE]), i->rtm_type, hex(a[RTA_GATEWAY]),
		    hex(a[RTA_OIF]), hex(a[RTA_PRIORITY]));
	return MNL_CB_OK;
}

static int each_rule_part(const struct nlattr *a, void *arg UNUSED)
{
	say("rule %d %s", mnl_attr_get_type(a), hex(a));
	return MNL_CB_OK;
}

static int each_rule(const struct nlmsghdr *h, void *arg UNUSED)
{
	return mnl_attr_parse(h, sizeof(struct rtmsg), each_rule_part, NULL);
}

static void routing(void)
{
	static const struct {
		uint16_t type;
		mnl_cb_t each;
	} dumps[] = {
		{ RTM_GETLINK, each_link },
		{ RTM_GETADDR, each_addr },
		{ RTM_GETROUTE, each_route },
		{ RTM_GETRULE, each_rule },
	};

	for (unsigned i = 0; i < ARRAY_LEN(dumps); i++) {
		char room[256];
		struct nlmsghdr *h = mnl_nlmsg_put_header(room);

		h->nlmsg_type = dumps[i].type;
		memset(mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg)), 0,
		       sizeof(struct ifinfomsg));
		ask(side->route, h, dumps[i].each);
	}
}

/* ---- nf_tables ---------------------------------------------------------- */

static struct {
	uint8_t family;
	char table[64], set[64];
} sets[256];
static unsigned n_sets;

static int each_table(const struct nlmsghdr *h, void *arg UNUSED)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *a[NFTA_TABLE_MAX + 1];

	gather(h, sizeof(*g), a, ARRAY_LEN(a));
	say("nft table %d %s", g->nfgen_family, str(a[NFTA_TABLE_NAME]));
	return MNL_CB_OK;
}

static int each_chain(const struct nlmsghdr *h, void *arg UNUSED)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *a[NFTA_CHAIN_MAX + 1];

	gather(h, sizeof(*g), a, ARRAY_LEN(a));
	say("nft chain %d %s %s", g->nfgen_family, str(a[NFTA_CHAIN_TABLE]),
	    str(a[NFTA_CHAIN_NAME]));
	return MNL_CB_OK;
}

/* Without expressions, because counters change. */
static int each_nft_rule(const struct nlmsghdr *h, void *arg UNUSED)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *a[NFTA_RULE_MAX + 1];

	gather(h, sizeof(*g), a, ARRAY_LEN(a));
	say("nft rule %d %s %s %s", g->nfgen_family, str(a[NFTA_RULE_TABLE]),
	    str(a[NFTA_RULE_CHAIN]), hex(a[NFTA_RULE_USERDATA]));
	return MNL_CB_OK;
}

static int each_set(const struct nlmsghdr *h, void *arg UNUSED)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *a[NFTA_SET_MAX + 1];

	gather(h, sizeof(*g), a, ARRAY_LEN(a));
	say("nft set %d %s %s", g->nfgen_family, str(a[NFTA_SET_TABLE]), str(a[NFTA_SET_NAME]));
	if (n_sets == ARRAY_LEN(sets))
		die("world: too many sets");
	sets[n_sets].family = g->nfgen_family;
	snprintf(sets[n_sets].table, sizeof(sets->table), "%s", str(a[NFTA_SET_TABLE]));
	snprintf(sets[n_sets].set, sizeof(sets->set), "%s", str(a[NFTA_SET_NAME]));
	n_sets++;
	return MNL_CB_OK;
}

static int each_elem(const struct nlattr *a, void *arg)
{
	const struct nlattr **of = arg;

	say("nft element %s %s %s", str(of[NFTA_SET_ELEM_LIST_TABLE]),
	    str(of[NFTA_SET_ELEM_LIST_SET]), hex(a));
	return MNL_CB_OK;
}

static int each_elems(const struct nlmsghdr *h, void *arg UNUSED)
{
	const struct nlattr *a[NFTA_SET_ELEM_LIST_MAX + 1];

	gather(h, sizeof(struct nfgenmsg), a, ARRAY_LEN(a));
	if (!a[NFTA_SET_ELEM_LIST_ELEMENTS])
		return MNL_CB_OK;
	return mnl_attr_parse_nested(a[NFTA_SET_ELEM_LIST_ELEMENTS], each_elem, (void *)a);
}

static struct nlmsghdr *filter_message(char *room, uint16_t type, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	*g = (struct nfgenmsg){ .nfgen_family = family };
	return h;
}

static void filtering(void)
{
	static const struct {
		uint16_t type;
		mnl_cb_t each;
	} dumps[] = {
		{ NFT_MSG_GETTABLE, each_table },
		{ NFT_MSG_GETCHAIN, each_chain },
		{ NFT_MSG_GETRULE, each_nft_rule },
		{ NFT_MSG_GETSET, each_set },
	};
	char room[512];

	n_sets = 0;
	for (unsigned i = 0; i < ARRAY_LEN(dumps); i++)
		ask(side->filter, filter_message(room, dumps[i].type, AF_UNSPEC), dumps[i].each);
	for (unsigned i = 0; i < n_sets; i++) {
		struct nlmsghdr *h = filter_message(room, NFT_MSG_GETSETELEM, sets[i].family);

		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, sets[i].table);
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, sets[i].set);
		ask(side->filter, h, each_elems);
	}
}

/* ---- files -------------------------------------------------------------- */

static int each_file(const char *path, const struct stat *st UNUSED, int type, struct FTW *where)
{
	const char *name = path + where->base;
	char text[4096];
	ssize_t n = 0;

	/* Files that DEL leaves by design: see tests/tools/snapshot. */
	if (type == FTW_D || str_eq(name, "lock") || strstr(name, ".lock") ||
	    str_starts(name, "last_reserved_ip.") || strstr(path, "/.cplug/"))
		return 0;
	auto_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0)
		n = read(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	for (char *p = text; *p; p++)
		if (*p == '\r' || *p == '\n')
			*p = ' ';
	say("%s %s", path, text);
	return 0;
}

/* ---- public functions --------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *world_read(void)
{
	char *text, *p;
	size_t size = 1;

	n_lines = 0;
	for (unsigned i = 0; i < n_sides; i++) {
		side = &sides[i];
		routing();
		filtering();
	}
	side = NULL;
	nftw("/var/lib/cni", each_file, 16, FTW_PHYS);
	nftw("/etc/netns", each_file, 16, FTW_PHYS);
	nftw("/run/cplug", each_file, 16, FTW_PHYS);
	nftw("/run/cni", each_file, 16, FTW_PHYS);
	qsort((void *)lines, n_lines, sizeof(*lines), by_text);
	for (unsigned i = 0; i < n_lines; i++)
		size += strlen(lines[i]) + 1;
	p = text = malloc(size);
	if (!text)
		die("no memory");
	*p = '\0';
	for (unsigned i = 0; i < n_lines; i++) {
		p += sprintf(p, "%s\n", lines[i]);
		free(lines[i]);
	}
	return text;
}

static void only_in(const char *a, const char *b, char sign)
{
	while (*a) {
		size_t n = strcspn(a, "\n") + 1;
		char line[8192];

		snprintf(line, sizeof(line), "%.*s", (int)n, a);
		if (!strstr(b, line))
			printf("# %c %s", sign, line);
		a += n;
	}
}

void world_diff(const char *before, const char *now)
{
	only_in(before, now, '-');
	only_in(now, before, '+');
}
