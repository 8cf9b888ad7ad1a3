// SPDX-License-Identifier: GPL-2.0-or-later
/* test_tc.c - rate limits and redirections: set, read, compared, deleted and undone */
#include "net_state.h"
#include "netlink/tc.h"

static const char SETUP[] = "ip link add v0 type veth peer name v1 && ip link set v0 up && "
			    "ip link set v1 up";
/* The kernel counts the indices of actions, and reports the parent that was used last. */
static const char STATE[] = "{ tc qdisc; tc filter show dev v0 ingress; } | "
			    "sed 's/index [0-9]*//; s/parent ffff: protocol/protocol/'";

static const char QDISC[] = "tc qdisc show dev v0 | sed 's/refcnt [0-9]* //'";

static struct link v0, ifb;

static int begin(void **state)
{
	TRY(net_begin(state, SETUP));
	if (!rt_is_open(&net))
		return 0;
	return link_find(&unit_tx, &net, "v0", &v0) == 1 ? 0 : -1;
}

static void need_tbf(void)
{
	net_need("tc qdisc add dev v1 root tbf rate 1mbit burst 10000 latency 25ms && "
		 "tc qdisc del dev v1 root");
}

static void need_redirect(void)
{
	net_need("ip link add ifb7 type ifb && ip link set ifb7 up");
	net_need("tc qdisc add dev v1 ingress && tc filter add dev v1 parent ffff: protocol all "
		 "prio 1 u32 match u32 0 0 flowid 1:1 action mirred egress redirect dev ifb7 && "
		 "tc qdisc del dev v1 ingress");
	assert_int_equal(link_find(&unit_tx, &net, "ifb7", &ifb), 1);
}

/* ---- numbers ------------------------------------------------------------ */

/* The reference's examples (8 Mbit/s with 80 kbit, and so on), and the ends of the range. */
static void computes_parameters(void **state)
{
	static const struct {
		struct tc_tbf t;
		uint32_t limit, buffer;
		const char *text;
	} cases[] = {
		{ { 1000000, 10000, 0 },
		  35000,
		  156250,
		  "rate 1000000 B/s, burst 10000 B, limit 35000 B" },
		{ { 2000000, 20000, 0 },
		  70000,
		  156250,
		  "rate 2000000 B/s, burst 20000 B, limit 70000 B" },
		{ { 1, 1, 0 }, 1, 15625000, "rate 1 B/s, burst 1 B, limit 1 B" },
		{ { 125000, 268435455, 0 },
		  268438580,
		  UINT32_MAX,
		  "rate 125000 B/s, burst 268435455 B, limit 268438580 B" },
		{ { 12500000000, 4294967295, 0 },
		  UINT32_MAX,
		  5368709,
		  "rate 12500000000 B/s, burst 4294967295 B, limit 4294967295 B" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct tc_tbf_params p = tc_tbf_params(&cases[i].t);

		assert_true(p.rate == cases[i].t.rate);
		assert_int_equal(p.limit, cases[i].limit);
		assert_int_equal(p.buffer, cases[i].buffer);
		assert_string_equal(TC_TBF_S(&p), cases[i].text);
		assert_true(tc_tbf_matches(&p, &cases[i].t));
		p.burst = 0; /* as the kernel reports it */
		assert_true(tc_tbf_matches(&p, &cases[i].t));
		p.limit--;
		assert_false(tc_tbf_matches(&p, &cases[i].t));
	}
}

static void compares_up_to_a_microsecond(void **state)
{
	static const struct tc_tbf want = { 1000000, 10000, 0 };
	struct tc_tbf_params p = tc_tbf_params(&want);

	(void)state;
	p.buffer += 16;
	assert_true(tc_tbf_matches(&p, &want));
	p.buffer++;
	assert_false(tc_tbf_matches(&p, &want));
	p.buffer -= 33;
	assert_true(tc_tbf_matches(&p, &want));
	p.buffer--;
	assert_false(tc_tbf_matches(&p, &want));
	p = tc_tbf_params(&want);
	p.rate++;
	assert_false(tc_tbf_matches(&p, &want));
}

/* ---- the rate limit ----------------------------------------------------- */

static struct tc_tbf limit = { 1000000, 10000, 0 };

static int add_limit(struct tx *tx)
{
	return tc_tbf_add(tx, &net, &v0, &limit);
}

static int ensure_limit(struct tx *tx)
{
	return tc_tbf_ensure(tx, &net, &v0, &limit);
}

static void limits_a_rate(void **state)
{
	struct tc_tbf_params p;

	(void)state;
	need_tbf();
	assert_int_equal(tc_tbf_find(&unit_tx, &net, &v0, &p), 0);
	assert_int_equal(tc_tbf_del(&unit_tx, &net, &v0), 0);
	net_undoes(add_limit, STATE);
	net_undoes(ensure_limit, STATE);
	assert_int_equal(add_limit(&unit_tx), 0);
	net_expect(QDISC, "qdisc tbf 1: root rate 8Mbit burst 10000b lat 25ms \n");
	assert_int_equal(tc_tbf_find(&unit_tx, &net, &v0, &p), 1);
	assert_int_equal(p.handle, 0x10000);
	assert_true(tc_tbf_matches(&p, &limit));
	assert_string_equal(TC_TBF_S(&p), "rate 1000000 B/s, burst 10000 B, limit 35000 B");
	unit_again();
	assert_true(add_limit(&unit_tx) < 0);
	assert_int_equal(unit_tx.code, CPLUG_E_TAKEN);
	assert_string_equal(unit_tx.msg, "host: limit the rate of v0: it has a queueing discipline "
					 "already (see: tc qdisc show dev v0)");
	unit_again();
	assert_int_equal(tc_tbf_del(&unit_tx, &net, &v0), 0);
	assert_int_equal(tc_tbf_del(&unit_tx, &net, &v0), 0);
	net_expect(QDISC, "qdisc noqueue 0: root \n");
}

static const struct tc_tbf extremes[] = {
	{ 1, 1500, 0 },            /* a burst of 1500 seconds */
	{ 125000, 268435455, 0 },  /* kubelet's idea of "no limit to the burst" */
	{ 0x7fffffff, 100000, 0 }, /* INT_MAX */
	{ 0x80000000, 100000, 0 },
	{ 0xffffffff, 0xffffffff, 0 },
	{ 0x100000000, 100000, 0 },
	{ 12500000000, 1250000, 0 },     /* 100 Gbit/s */
	{ 125000000000, 0xffffffff, 0 }, /* 1 Tbit/s */
	{ 12500000000, 10, 0 },          /* a burst of less than a tick */
};

static void takes_any_rate(void **state)
{
	(void)state;
	need_tbf();
	for (unsigned i = 0; i < ARRAY_LEN(extremes); i++) {
		struct tc_tbf_params p;

		CHECK(tc_tbf_add(&unit_tx, &net, &v0, &extremes[i]) == 0, "case %u: %s", i,
		      unit_tx.msg);
		assert_int_equal(tc_tbf_find(&unit_tx, &net, &v0, &p), 1);
		CHECK(tc_tbf_matches(&p, &extremes[i]), "case %u: %s, buffer %u", i, TC_TBF_S(&p),
		      p.buffer);
		limit = extremes[i];
		assert_int_equal(ensure_limit(&unit_tx), 0);
		CHECK(unit_tx.count == 1, "case %u: changed what matched", i);
		assert_int_equal(tc_tbf_del(&unit_tx, &net, &v0), 0);
		unit_again();
	}
	limit = (struct tc_tbf){ 1000000, 10000, 0 };
}

/* As the reference makes it: the same rate, without a burst in bytes, rounded. */
static void ensures_a_limit(void **state)
{
	struct tc_tbf_params p;

	(void)state;
	need_tbf();
	net_need("tc qdisc add dev v0 root handle 5: tbf rate 80mbit burst 12345 latency 25ms");
	assert_int_equal(tc_tbf_find(&unit_tx, &net, &v0, &p), 1);
	assert_false(p.ours);
	net_undoes(ensure_limit, STATE);
	assert_int_equal(tc_tbf_find(&unit_tx, &net, &v0, &p), 1);
	assert_false(p.ours);
	assert_int_equal(ensure_limit(&unit_tx), 0);
	net_expect(QDISC, "qdisc tbf 5: root rate 8Mbit burst 10000b lat 25ms \n");
	unit_again();
	assert_int_equal(ensure_limit(&unit_tx), 0);
	assert_int_equal(unit_tx.count, 0);
	assert_int_equal(tc_tbf_del(&unit_tx, &net, &v0), 0);
	net_need("tc qdisc add dev v0 root handle 5: pfifo limit 10");
	assert_true(ensure_limit(&unit_tx) < 0);
	assert_int_equal(unit_tx.code, CPLUG_E_TAKEN);
	unit_again();
	assert_int_equal(tc_tbf_del(&unit_tx, &net, &v0), 0); /* not ours */
	net_expect(QDISC, "qdisc pfifo 5: root limit 10p\n");
}

/* ---- the redirection ---------------------------------------------------- */

static struct tc_redirect everything = { .to = &ifb };

static int redirect(struct tx *tx)
{
	return tc_redirect_ensure(tx, &net, &v0, &everything);
}

static void redirects(void **state)
{
	(void)state;
	need_redirect();
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &everything), 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb, false), 0);
	net_undoes(redirect, STATE);
	assert_int_equal(redirect(&unit_tx), 0);
	assert_int_equal(unit_tx.count, 2);
	/* Some versions of iproute2 print a star. */
	net_expect("tc qdisc show dev v0 ingress; "
		   "tc filter show dev v0 ingress | sed 's/index [0-9]*/index N/; s/\\*flow/flow/'",
		   "qdisc ingress ffff: parent ffff:fff1 ---------------- \n"
		   "filter protocol all pref 1 u32 chain 0 \n"
		   "filter protocol all pref 1 u32 chain 0 fh 800: ht divisor 1 \n"
		   "filter protocol all pref 1 u32 chain 0 fh 800::800 order 2048 key ht 800 bkt 0 "
		   "flowid 1:1 not_in_hw \n"
		   "  match 00000000/00000000 at 0\n"
		   "\taction order 1: mirred (Egress Redirect to device ifb7) stolen\n"
		   "\tindex N ref 1 bind 1\n\n");
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &everything), 1);
	unit_again();
	assert_int_equal(redirect(&unit_tx), 0);
	assert_int_equal(unit_tx.count, 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb, false), 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb, false), 0);
	net_expect("tc qdisc show dev v0 ingress; tc filter show dev v0 ingress", "");
}

/* Somebody's ingress qdisc, or clsact, and filters stay. */
static void leaves_what_is_not_ours(void **state)
{
	static const char *const foreign[] = {
		"tc qdisc add dev v0 ingress",
		"tc qdisc add dev v0 clsact",
		("tc qdisc add dev v0 ingress && tc filter add dev v0 parent ffff: protocol all "
		 "prio 1 u32 match u32 1 1 flowid 1:1 action mirred egress redirect dev v1"),
		("tc qdisc add dev v0 clsact && tc filter add dev v0 ingress protocol all prio 1 "
		 "u32 match u32 1 1 flowid 1:2 action mirred egress redirect dev v0"),
	};

	(void)state;
	need_redirect();
	for (unsigned i = 0; i < ARRAY_LEN(foreign); i++) {
		char *before, *after;

		net_need(foreign[i]);
		before = net_text(STATE);
		/* an ingress qdisc without filters counts as left over */
		if (i != 0)
			net_undoes(redirect, STATE);
		assert_int_equal(redirect(&unit_tx), 0);
		assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &everything), 1);
		assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb, false), 0);
		after = net_text(STATE);
		CHECK(i == 0 || strcmp(before, after) == 0, "%s: left:\n%s", foreign[i], after);
		free(before);
		free(after);
		net_need("tc qdisc del dev v0 parent ffff:fff1 2>/dev/null || true");
	}
	/* a redirection's undo knows whose the qdisc is */
	net_need(foreign[0]);
	net_undoes(redirect, STATE);
}

/* The reference repeats the action. */
static void finds_the_redirection_of_the_reference(void **state)
{
	(void)state;
	need_redirect();
	net_need("tc qdisc add dev v0 ingress && tc filter add dev v0 parent ffff: protocol all "
		 "prio 1 u32 match u32 0 0 flowid 1:1 action mirred egress redirect dev ifb7 "
		 "action mirred egress redirect dev ifb7");
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &everything), 1);
	assert_int_equal(redirect(&unit_tx), 0);
	assert_int_equal(unit_tx.count, 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb, false), 0);
	net_expect("tc qdisc show dev v0 ingress", "");
}

/* The target of a filter, and that of one whose target is gone. */
static void tells_the_target(void **state)
{
	int index = -1;

	(void)state;
	need_redirect();
	assert_int_equal(tc_redirect_target(&unit_tx, &net, &v0, &index), 0);
	assert_int_equal(index, -1);
	assert_int_equal(redirect(&unit_tx), 0);
	assert_int_equal(tc_redirect_target(&unit_tx, &net, &v0, &index), 1);
	assert_int_equal(index, ifb.index);
	net_need("ip link del ifb7");
	assert_int_equal(tc_redirect_target(&unit_tx, &net, &v0, &index), 1);
	assert_int_equal(index, 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, NULL, false), 0);
	assert_int_equal(tc_redirect_target(&unit_tx, &net, &v0, &index), 0);
}

static void finds_a_matchall_filter(void **state)
{
	(void)state;
	need_redirect();
	net_need("tc qdisc add dev v0 ingress && tc filter add dev v0 parent ffff: protocol all "
		 "prio 3 matchall action mirred egress redirect dev ifb7");
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &everything), 1);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb, false), 0);
	net_expect("tc qdisc show dev v0 ingress", "");
}

/* ---- the queue ---------------------------------------------------------- */

static struct tc_tbf queued = { 12500000, 12500, 50000 };

static int add_queued(struct tx *tx)
{
	return tc_tbf_add(tx, &net, &v0, &queued);
}

static int ensure_queued(struct tx *tx)
{
	return tc_tbf_ensure(tx, &net, &v0, &queued);
}

static bool has_fq_codel(void)
{
	char *text = net_text("tc qdisc add dev v1 root fq_codel 2>&1 && tc qdisc del dev v1 root");
	bool has = !*text;

	free(text);
	return has;
}

static void gives_a_queue(void **state)
{
	static const char SHORT[] = "qdisc tbf 1: root rate 100Mbit burst 12500b lat 25ms \n"
				    "qdisc bfifo 2: parent 1:1 limit 50000b\n";
	static const char FAIR[] = "tc qdisc show dev v0 | grep -c 'qdisc fq_codel 2: parent 1:1'";
	struct tc_tbf_params p;

	(void)state;
	need_tbf();
	net_undoes(add_queued, STATE);
	assert_int_equal(add_queued(&unit_tx), 0);
	assert_int_equal(tc_tbf_find(&unit_tx, &net, &v0, &p), 1);
	assert_true(tc_tbf_matches(&p, &queued));
	assert_true(p.ours);
	if (has_fq_codel()) {
		net_expect(FAIR, "1\n");
		assert_non_null(strstr(TC_TBF_S(&p), ", queue fq_codel"));
	} else {
		net_expect(QDISC, SHORT);
		assert_non_null(strstr(TC_TBF_S(&p), ", queue 50000 B"));
	}
	assert_int_equal(tc_tbf_del(&unit_tx, &net, &v0), 0);
	net_expect(QDISC, "qdisc noqueue 0: root \n");
}

/* A change gives a bfifo the limit of the filter; an older version, or the reference, gave none. */
static void ensures_a_queue(void **state)
{
	struct tc_tbf_params p;

	(void)state;
	need_tbf();
	assert_int_equal(add_limit(&unit_tx), 0);
	assert_int_equal(tc_tbf_find(&unit_tx, &net, &v0, &p), 1);
	assert_true(p.ours);
	assert_int_equal(p.child, 0);
	queued = (struct tc_tbf){ 1000000, 10000, 20000 };
	assert_false(tc_tbf_matches(&p, &queued));
	assert_int_equal(ensure_queued(&unit_tx), 0);
	assert_int_equal(tc_tbf_find(&unit_tx, &net, &v0, &p), 1);
	assert_true(tc_tbf_matches(&p, &queued));
	queued = (struct tc_tbf){ 2000000, 10000, 30000 };
	net_undoes(ensure_queued, STATE);
	assert_int_equal(ensure_queued(&unit_tx), 0);
	assert_int_equal(tc_tbf_find(&unit_tx, &net, &v0, &p), 1);
	assert_true(tc_tbf_matches(&p, &queued));
	unit_again();
	assert_int_equal(ensure_queued(&unit_tx), 0);
	assert_int_equal(unit_tx.count, 0);
	net_need("tc qdisc replace dev v0 parent 1:1 handle 3: pfifo limit 1000");
	assert_int_equal(tc_tbf_find(&unit_tx, &net, &v0, &p), 1);
	assert_false(tc_tbf_matches(&p, &queued));
	queued = (struct tc_tbf){ 12500000, 12500, 50000 };
}

/* ---- subnets ------------------------------------------------------------ */

static struct cidr subnets[4];

static void set_subnets(void)
{
	static const char *const text[] = { "10.1.2.0/23", "0.0.0.0/0", "2001:db8:1::/44",
					    "fd00::1/128" };

	for (unsigned i = 0; i < ARRAY_LEN(text); i++)
		assert_true(cidr_parse(text[i], &subnets[i]));
}

static struct tc_redirect some = { .to = &ifb, .subnets = subnets, .n = 4 };

static int redirect_some(struct tx *tx)
{
	return tc_redirect_ensure(tx, &net, &v0, &some);
}

static const char FILTERS[] =
	"tc filter show dev v0 ingress | grep -o 'protocol.*pref [0-9]* u32.*flowid [^ ]*\\|match "
	".*\\|Redirect to device [^)]*' | sed 's/chain.*flowid/flowid/; s/\\*flow/flow/'";

static void redirects_subnets(void **state)
{
	(void)state;
	need_redirect();
	set_subnets();
	some.leaving = some.by_source = some.except = false;
	net_undoes(redirect_some, STATE);
	assert_int_equal(redirect_some(&unit_tx), 0);
	net_expect(FILTERS, "protocol ip pref 1 u32 flowid 1:1\n"
			    "match 0a010200/fffffe00 at 16\nRedirect to device ifb7\n"
			    "protocol ip pref 1 u32 flowid 1:1\n"
			    "match 00000000/00000000 at 16\nRedirect to device ifb7\n"
			    "protocol ipv6 pref 2 u32 flowid 1:1\n"
			    "match 20010db8/ffffffff at 24\nmatch 00000000/fff00000 at 28\n"
			    "Redirect to device ifb7\n"
			    "protocol ipv6 pref 2 u32 flowid 1:1\n"
			    "match fd000000/ffffffff at 24\nmatch 00000000/ffffffff at 28\n"
			    "match 00000000/ffffffff at 32\nmatch 00000001/ffffffff at 36\n"
			    "Redirect to device ifb7\n");
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &some), 1);
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &everything), 0);
	unit_again();
	assert_int_equal(redirect_some(&unit_tx), 0);
	assert_int_equal(unit_tx.count, 0);
	some.n = 3;
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &some), 0);
	some.n = 4;
	some.by_source = true;
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &some), 0);
	assert_int_equal(redirect_some(&unit_tx), 0);
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &some), 1);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb, false), 0);
	net_expect("tc qdisc show dev v0 ingress; tc filter show dev v0 ingress", "");
}

static void redirects_all_but_subnets(void **state)
{
	(void)state;
	need_redirect();
	set_subnets();
	some = (struct tc_redirect){ &ifb, true, true, true, subnets, 1 };
	net_undoes(redirect_some, STATE);
	assert_int_equal(redirect_some(&unit_tx), 0);
	net_expect("tc filter show dev v0 egress | grep -o 'match .*\\|Redirect.*ifb7'",
		   "match 0a010200/fffffe00 at 12\nmatch 00000000/00000000 at 0\n"
		   "Redirect to device ifb7\n");
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &some), 1);
	some.except = false;
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &some), 0);
	some.except = true;
	/* the same at the other hook */
	some.leaving = false;
	assert_int_equal(redirect_some(&unit_tx), 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb, true), 0);
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &some), 1);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb, false), 0);
	net_expect("tc qdisc show dev v0 ingress; tc filter show dev v0 egress", "");
	some = (struct tc_redirect){ .to = &ifb, .subnets = subnets, .n = 4 };
}

/* Packets are dropped by a redirection to a link that is gone. */
static void deletes_a_redirection_to_nowhere(void **state)
{
	(void)state;
	need_redirect();
	assert_int_equal(redirect(&unit_tx), 0);
	net_need("ip link del ifb7");
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &everything), 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, NULL, false), 0);
	net_expect("tc qdisc show dev v0 ingress; tc filter show dev v0 ingress", "");
}

static void asks_for_modules(void **state)
{
	(void)state;
	need_tbf();
	need_redirect();
	assert_null(tc_missing_module(&net));
	net_expect("ip -br link show type ifb | wc -l; tc qdisc show dev lo",
		   "1\nqdisc noqueue 0: root refcnt 2 \n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, net_end)
	const struct CMUnitTest tests[] = {
		WITH_TX(computes_parameters),
		WITH_TX(compares_up_to_a_microsecond),
		TEST(limits_a_rate),
		TEST(takes_any_rate),
		TEST(ensures_a_limit),
		TEST(redirects),
		TEST(leaves_what_is_not_ours),
		TEST(finds_the_redirection_of_the_reference),
		TEST(finds_a_matchall_filter),
		TEST(tells_the_target),
		TEST(gives_a_queue),
		TEST(ensures_a_queue),
		TEST(redirects_subnets),
		TEST(redirects_all_but_subnets),
		TEST(deletes_a_redirection_to_nowhere),
		TEST(asks_for_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
