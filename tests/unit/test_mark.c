// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_mark.c - marks of links: made, recognised, read, shortened
 */
#include "unit.h"
#include "value/mark.h"

static void an_attachment_is_marked(void **state UNUSED)
{
	struct mark m = mark_of("net1", "c1", "eth0");
	struct mark other = mark_of("net1", "c1", "eth1");

	assert_string_equal(m.s, "cplug net1/c1/eth0");
	assert_true(m.group != 0);
	assert_true(m.group != other.group);
	assert_true(mark_is_any(m.s));
	assert_true(mark_matches(&m, "cplug net1/c1/eth0", 0));
	assert_false(mark_matches(&m, other.s, m.group));
	/* A link that has no alias yet is recognised by its group. */
	assert_true(mark_matches(&m, "", m.group));
	assert_false(mark_matches(&m, "", 0));
	assert_false(mark_matches(&m, "", other.group));
}

static void a_mark_names_its_owner(void **state UNUSED)
{
	struct mark_owner o;

	assert_true(mark_parse(&unit_tx.mem, "cplug net1/c1/eth0", &o));
	assert_string_equal(o.network, "net1");
	assert_string_equal(o.id, "c1");
	assert_string_equal(o.ifname, "eth0");
	assert_true(mark_parse(&unit_tx.mem, mark_of_network("net1").s, &o));
	assert_string_equal(o.network, "net1");
	assert_null(o.id);
	assert_false(mark_parse(&unit_tx.mem, "", &o));
	assert_false(mark_parse(&unit_tx.mem, "uplink to rack 7", &o));
	assert_false(mark_parse(&unit_tx.mem, "cplug net1/c1", &o));
	assert_true(mark_parse_owner(&unit_tx.mem, "net1/c1/eth0", &o));
	assert_string_equal(o.ifname, "eth0");
	assert_true(mark_parse_owner(&unit_tx.mem, "net1", &o));
	assert_null(o.id);
	assert_false(mark_parse_owner(&unit_tx.mem, "net1/c1", &o));
}

/* Two attachments whose marks do not fit into an alias keep different marks. */
static void long_marks_stay_unique(void **state UNUSED)
{
	char a[301], b[301];
	struct mark_owner o;
	struct mark m, n;

	memset(a, 'a', sizeof(a));
	a[300] = '\0';
	memcpy(b, a, sizeof(b));
	b[299] = 'b';
	m = mark_of("net1", a, "eth0");
	n = mark_of("net1", b, "eth0");
	assert_int_equal(strlen(m.s), MARK_SIZE - 1);
	assert_true(str_starts(m.s, "cplug net1/aaaa"));
	assert_string_not_equal(m.s, n.s);
	assert_true(m.group != n.group);
	assert_false(mark_parse(&unit_tx.mem, m.s, &o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_attachment_is_marked),
		WITH_TX(a_mark_names_its_owner),
		WITH_TX(long_marks_stay_unique),
	};

	return cmocka_run_group_tests_name("mark", tests, NULL, NULL);
}
