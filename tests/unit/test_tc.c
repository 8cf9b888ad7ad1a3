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
		{ { 1000000, 10000 },
		  35000,
		  156250,
		  "rate 1000000 B/s, burst 10000 B, limit 35000 B" },
		{ { 2000000, 20000 },
		  70000,
		  156250,
		  "rate 2000000 B/s, burst 20000 B, limit 70000 B" },
		{ { 1, 1 }, 1, 15625000, "rate 1 B/s, burst 1 B, limit 1 B" },
		{ { 125000, 268435455 },
		  268438580,
		  UINT32_MAX,
		  "rate 125000 B/s, burst 268435455 B, limit 268438580 B" },
		{ { 12500000000, 4294967295 },
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
	static const struct tc_tbf want = { 1000000, 10000 };
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

static struct tc_tbf limit = { 1000000, 10000 };

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
	{ 1, 1500 },            /* a burst of 1500 seconds */
	{ 125000, 268435455 },  /* kubelet's idea of "no limit to the burst" */
	{ 0x7fffffff, 100000 }, /* INT_MAX */
	{ 0x80000000, 100000 },
	{ 0xffffffff, 0xffffffff },
	{ 0x100000000, 100000 },
	{ 12500000000, 1250000 },     /* 100 Gbit/s */
	{ 125000000000, 0xffffffff }, /* 1 Tbit/s */
	{ 12500000000, 10 },          /* a burst of less than a tick */
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
	limit = (struct tc_tbf){ 1000000, 10000 };
}

/* As the reference makes it: the same rate, without a burst in bytes, rounded. */
static void ensures_a_limit(void **state)
{
	(void)state;
	need_tbf();
	net_need("tc qdisc add dev v0 root handle 5: tbf rate 80mbit burst 12345 latency 25ms");
	net_undoes(ensure_limit, STATE);
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

static int redirect(struct tx *tx)
{
	return tc_redirect_ensure(tx, &net, &v0, &ifb);
}

static void redirects(void **state)
{
	(void)state;
	need_redirect();
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &ifb), 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb), 0);
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
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &ifb), 1);
	unit_again();
	assert_int_equal(redirect(&unit_tx), 0);
	assert_int_equal(unit_tx.count, 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb), 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb), 0);
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
		assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &ifb), 1);
		assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &v0), i == 3);
		assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb), 0);
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
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &ifb), 1);
	assert_int_equal(redirect(&unit_tx), 0);
	assert_int_equal(unit_tx.count, 0);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb), 0);
	net_expect("tc qdisc show dev v0 ingress", "");
}

static void finds_a_matchall_filter(void **state)
{
	(void)state;
	need_redirect();
	net_need("tc qdisc add dev v0 ingress && tc filter add dev v0 parent ffff: protocol all "
		 "prio 3 matchall action mirred egress redirect dev ifb7");
	assert_int_equal(tc_redirect_find(&unit_tx, &net, &v0, &ifb), 1);
	assert_int_equal(tc_redirect_del(&unit_tx, &net, &v0, &ifb), 0);
	net_expect("tc qdisc show dev v0 ingress", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, net_end)
	const struct CMUnitTest tests[] = {
		WITH_TX(computes_parameters),  WITH_TX(compares_up_to_a_microsecond),
		TEST(limits_a_rate),           TEST(takes_any_rate),
		TEST(ensures_a_limit),         TEST(redirects),
		TEST(leaves_what_is_not_ours), TEST(finds_the_redirection_of_the_reference),
		TEST(finds_a_matchall_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
