// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proof.c - calls archives that were made for glibc, in an executable with musl
 *
 * compat/musl links this program as cplug is linked, and runs it before musl is used.  It calls
 * what cplug calls in libnl-3, libnl-route-3, libnftnl, libmnl and jansson, and through them the
 * functions and structures of the C library: memory, errno, character classes, numbers, formats,
 * sorting, files, sockets.  It is not installed.
 *
 * Prints the first check that fails; exit status 1 then.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/tbf.h>
#include <netlink/route/tc.h>

static void must(int holds, const char *what)
{
	if (holds)
		return;
	printf("%s\n", what);
	exit(1);
}

/* ---- memory --------------------------------------------------------------- */

static void memory(void)
{
	char *p = NULL;

	for (size_t size = 1; size < 1 << 20; size *= 3) {
		unsigned char *zeros = calloc(size, 1);
		char *bigger = realloc(p, size);

		if (!bigger || !zeros) {
			must(0, "realloc, calloc");
			return;
		}
		p = bigger;
		must(!zeros[0] && !zeros[size - 1], "zeros of calloc");
		must((uintptr_t)zeros % _Alignof(max_align_t) == 0, "alignment of calloc");
		memset(zeros, 0xff, size);
		memset(p, 0xff, size);
		free(zeros);
	}
	free(p);
	must(!strcmp(strerror(EADDRINUSE), "Address already in use"), "strerror");
}

/* ---- jansson ---------------------------------------------------------------- */

static int collect(const char *text, size_t size, void *data)
{
	strncat(data, text, size);
	return 0;
}

static void json_numbers(json_t *j)
{
	must(json_integer_value(json_object_get(j, "big")) == INT64_MIN, "json integer");
	must(json_real_value(json_object_get(j, "real")) == -2.5e-1, "json real");
	must(!strcmp(json_string_value(json_object_get(j, "text")), "\xc3\xa9\n"), "json string");
	must(json_array_size(json_object_get(j, "list")) == 3, "json array");
}

static void json_text(json_t *j)
{
	static const char sorted[] = "{\"big\":-9223372036854775808,\"list\":[true,null,{}],"
				     "\"real\":-0.25,\"text\":\"\xc3\xa9\\n\"}";
	char text[256] = "";
	char *dumped = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	json_t *copy = json_deep_copy(j);

	must(dumped && !strcmp(dumped, sorted), "json_dumps");
	free(dumped);
	must(!json_dump_callback(copy, collect, text, JSON_COMPACT | JSON_SORT_KEYS) &&
		     !strcmp(text, sorted),
	     "json_dump_callback");
	json_decref(copy);
}

static void json_file(json_t *j)
{
	FILE *f = tmpfile();
	json_t *again;

	if (!f) {
		must(0, "tmpfile");
		return;
	}
	must(!json_dumpf(j, f, 0), "json_dumpf");
	must(fseek(f, 0, SEEK_SET) == 0, "fseek");
	again = json_loadf(f, 0, NULL);
	must(json_equal(j, again), "json_loadf");
	json_decref(again);
	fclose(f);
}

static void json(void)
{
	static const char source[] = "{\"text\":\"\\u00e9\\n\",\"big\":-9223372036854775808,"
				     "\"real\":-2.5e-1,\"list\":[true,null,{}]}";
	json_error_t error;
	json_t *j;

	json_object_seed(0);
	j = json_loadb(source, sizeof(source) - 1, JSON_REJECT_DUPLICATES, &error);
	must(j != NULL, "json_loadb");
	json_numbers(j);
	json_text(j);
	json_file(j);
	json_decref(j);
	j = json_pack("{s:i, s:[s, b], s:o}", "a", 7, "b", "x", 1, "c", json_null());
	must(j && json_object_size(j) == 3, "json_pack");
	must(json_array_size(json_object_get(j, "b")) == 2, "json_pack, list");
	json_decref(j);
	must(!json_loads("{\n  \"a\": tru }", 0, &error) && error.line == 2 && error.column == 10 &&
		     !strncmp(error.text, "invalid token near 'tru'", 24),
	     "json_error_t");
}

/* ---- libnl-3 ---------------------------------------------------------------- */

static void netlink_message(void)
{
	struct ifinfomsg info = { .ifi_index = 7 };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_REQUEST);
	struct nlattr *nest, *found, *attr[IFLA_MAX + 1];

	must(msg && !nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO), "nlmsg_append");
	must(!nla_put_string(msg, IFLA_IFNAME, "eth0") && !nla_put_u32(msg, IFLA_MTU, 1450),
	     "nla_put");
	nest = nla_nest_start(msg, IFLA_LINKINFO);
	must(nest && !nla_put_u16(msg, 1, 0x1234) && nla_nest_end(msg, nest) == 0, "nla_nest");
	must(!nlmsg_parse(nlmsg_hdr(msg), sizeof(info), attr, IFLA_MAX, NULL), "nlmsg_parse");
	must(attr[IFLA_MTU] && nla_get_u32(attr[IFLA_MTU]) == 1450, "nla_get_u32");
	must(attr[IFLA_IFNAME] && !strcmp(nla_data(attr[IFLA_IFNAME]), "eth0"), "nla_data");
	found = attr[IFLA_LINKINFO];
	must(found && nla_get_u16(nla_find(nla_data(found), nla_len(found), 1)) == 0x1234,
	     "nla_find");
	nlmsg_free(msg);
}

static void netlink_address(void)
{
	struct nl_addr *addr;
	char text[64];

	must(!nl_addr_parse("2001:db8::1/64", AF_UNSPEC, &addr), "nl_addr_parse");
	must(nl_addr_get_family(addr) == AF_INET6 && nl_addr_get_prefixlen(addr) == 64,
	     "nl_addr_get_prefixlen");
	must(!strcmp(nl_addr2str(addr, text, sizeof(text)), "2001:db8::1/64"), "nl_addr2str");
	nl_addr_put(addr);
	must(nl_addr_parse("no address", AF_INET, &addr) < 0, "nl_addr_parse, error");
	must(nl_str2af("inet6") == AF_INET6 && nl_size2int("3k") == 3 * 1024, "nl_size2int");
}

static void netlink_socket(void)
{
	struct nl_sock *sk = nl_socket_alloc();

	must(sk && !nl_connect(sk, NETLINK_ROUTE), "nl_connect");
	must(nl_socket_get_local_port(sk) != 0, "nl_socket_get_local_port");
	must(!nl_socket_add_membership(sk, RTNLGRP_LINK), "nl_socket_add_membership");
	must(nl_socket_add_membership(sk, 1 << 20) < 0, "nl_socket_add_membership, error");
	nl_socket_free(sk);
}

/* In the archive, but in no header of libnl-3. */
void *rtnl_tc_data(struct rtnl_tc *tc);

static void netlink_qdisc(void)
{
	struct rtnl_qdisc *q = rtnl_qdisc_alloc();
	struct nlattr *attr[TCA_MAX + 1];
	struct nl_msg *msg;

	must(!strcmp(nl_geterror(NLE_NOMEM), "Out of memory"), "nl_geterror");
	must(q && !rtnl_tc_set_kind(TC_CAST(q), "tbf") && rtnl_tc_data(TC_CAST(q)), "rtnl_tc_data");
	rtnl_tc_set_ifindex(TC_CAST(q), 7);
	rtnl_tc_set_parent(TC_CAST(q), TC_H_ROOT);
	rtnl_qdisc_tbf_set_rate(q, 1000000, 1500, 0);
	rtnl_qdisc_tbf_set_limit(q, 3000);
	must(!rtnl_qdisc_build_add_request(q, NLM_F_CREATE, &msg), "rtnl_qdisc_build_add_request");
	must(nlmsg_hdr(msg)->nlmsg_type == RTM_NEWQDISC &&
		     !nlmsg_parse(nlmsg_hdr(msg), sizeof(struct tcmsg), attr, TCA_MAX, NULL),
	     "nlmsg_parse, qdisc");
	must(attr[TCA_KIND] && !strcmp(nla_data(attr[TCA_KIND]), "tbf"), "rtnl_tc_set_kind");
	must(attr[TCA_OPTIONS] != NULL, "rtnl_qdisc_tbf_set_rate");
	nlmsg_free(msg);
	rtnl_qdisc_put(q);
}

/* ---- libnftnl and libmnl ------------------------------------------------------ */

/* Returns the attribute of this type among the attributes from attr to end, or NULL. */
static const struct nlattr *among(const struct nlattr *attr, const char *end, unsigned type)
{
	for (; mnl_attr_ok(attr, (int)(end - (const char *)attr)); attr = mnl_attr_next(attr))
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

static const struct nlattr *child(const struct nlattr *parent, unsigned type)
{
	const char *payload = parent ? mnl_attr_get_payload(parent) : NULL;

	if (!payload)
		return NULL;
	return among((const void *)payload, payload + mnl_attr_get_payload_len(parent), type);
}

static const struct nlattr *top(const struct nlmsghdr *nlh, unsigned type)
{
	const struct nlattr *first = mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nfgenmsg));

	return among(first, (const char *)nlh + nlh->nlmsg_len, type);
}

static int says(const struct nlattr *attr, const char *text)
{
	return attr && !strcmp(mnl_attr_get_str(attr), text);
}

static struct nftnl_rule *rule_of(void)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nftnl_expr *meta = nftnl_expr_alloc("meta"), *cmp = nftnl_expr_alloc("cmp");

	must(rule && meta && cmp, "nftnl_expr_alloc");
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, "table");
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, "chain");
	nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, NFT_META_IIFNAME);
	nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_1);
	nftnl_rule_add_expr(rule, meta);
	nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	nftnl_expr_set(cmp, NFTNL_EXPR_CMP_DATA, "br0", 4);
	nftnl_rule_add_expr(rule, cmp);
	return rule;
}

static void nft_rule(void)
{
	static char buf[8192];
	struct nftnl_rule *rule = rule_of();
	struct nftnl_udata_buf *comment = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_NEWRULE, NFPROTO_INET, 0, 1);
	const struct nlattr *first;

	must(comment && nftnl_udata_put_strz(comment, 0, "ours"), "nftnl_udata_put_strz");
	nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(comment),
			    nftnl_udata_buf_len(comment));
	nftnl_udata_buf_free(comment);
	nftnl_rule_nlmsg_build_payload(nlh, rule);
	nftnl_rule_free(rule);
	must(says(top(nlh, NFTA_RULE_TABLE), "table"), "nftnl_rule_nlmsg_build_payload");
	must(mnl_attr_get_payload_len(top(nlh, NFTA_RULE_USERDATA)) == 7, "nftnl_udata_buf_len");
	first = child(top(nlh, NFTA_RULE_EXPRESSIONS), NFTA_LIST_ELEM);
	must(says(child(first, NFTA_EXPR_NAME), "meta"), "nftnl_rule_add_expr");
	first = child(child(first, NFTA_EXPR_DATA), NFTA_META_KEY);
	must(first && ntohl(mnl_attr_get_u32(first)) == NFT_META_IIFNAME, "nftnl_expr_set_u32");
}

static void nft_rule_text(void)
{
	struct nftnl_rule *rule = rule_of();
	char text[512] = "";

	nftnl_rule_snprintf(text, sizeof(text), rule, NFTNL_OUTPUT_DEFAULT, 0);
	must(strstr(text, "[ cmp eq reg 1 ") != NULL, "nftnl_rule_snprintf");
	nftnl_rule_free(rule);
}

static void nft_set(void)
{
	static char buf[8192];
	struct nftnl_set *set = nftnl_set_alloc();
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_NEWSET, NFPROTO_INET, 0, 1);

	must(set != NULL, "nftnl_set_alloc");
	nftnl_set_set_str(set, NFTNL_SET_TABLE, "table");
	nftnl_set_set_str(set, NFTNL_SET_NAME, "ports");
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, 6);
	nftnl_set_nlmsg_build_payload(nlh, set);
	nftnl_set_free(set);
	must(says(top(nlh, NFTA_SET_NAME), "ports"), "nftnl_set_nlmsg_build_payload");
	must(ntohl(mnl_attr_get_u32(top(nlh, NFTA_SET_KEY_LEN))) == 6, "nftnl_set_set_u32");
	errno = 0;
	must(mnl_attr_validate(top(nlh, NFTA_SET_NAME), MNL_TYPE_U64) < 0 && errno == ERANGE,
	     "errno of mnl_attr_validate");
}

int main(void)
{
	memory();
	json();
	netlink_message();
	netlink_address();
	netlink_socket();
	netlink_qdisc();
	nft_rule();
	nft_rule_text();
	nft_set();
	return 0;
}
