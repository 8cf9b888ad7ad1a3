// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_dhcp_probe.c - the times of ARP probes (RFC 5227, 2.1)
 */
#include <fcntl.h>

#include "ipam/dhcp/hold.h"
#include "unit.h"

enum { PROBE_MS = 30 };

/* A lease that waits for its probe.  What is sent to this descriptor is lost, as on a bad wire. */
static struct hold begin(void)
{
	struct hold l = { .arp_probe = PROBE_MS, .probe_begun = 1000, .checking = true };

	l.arp.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(l.arp.fd >= 0);
	return l;
}

static void test_probes_are_spread(void **state UNUSED)
{
	struct hold l = begin();

	assert_int_equal(probe_timer(&l, 1000), 1010);
	assert_int_equal(l.probes, 1);
	assert_int_equal(probe_timer(&l, 1009), 1010);
	assert_int_equal(probe_timer(&l, 1010), 1020);
	assert_int_equal(probe_timer(&l, 1025), 1030);
	assert_int_equal(l.probes, 3);
	assert_false(probe_is_over(&l, 1029));
	assert_true(probe_is_over(&l, 1030));
	fd_close(&l.arp.fd);
}

/*
 * The caller looked at the clock before the end, and asks for the next time behind it: a lease
 * that waits for the probe has to wake at once, not with its next timer.
 */
static void test_end_between_two_looks(void **state UNUSED)
{
	struct hold l = begin();

	(void)probe_timer(&l, 1000);
	(void)probe_timer(&l, 1020);
	assert_false(probe_is_over(&l, 1029));
	assert_int_equal(probe_timer(&l, 1031), 1030);
	assert_int_equal(probe_timer(&l, 99999), 1030);
	assert_true(probe_is_over(&l, 1031));
	fd_close(&l.arp.fd);
}

/* The acknowledgement has not come yet: the probe alone is no reason to wake. */
static void test_end_without_lease(void **state UNUSED)
{
	struct hold l = begin();

	l.checking = false;
	assert_int_equal(probe_timer(&l, 1020), 1030);
	assert_true(probe_timer(&l, 1030) == DHCP_NEVER);
	fd_close(&l.arp.fd);
	assert_true(probe_timer(&l, 1030) == DHCP_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probes_are_spread),
		cmocka_unit_test(test_end_between_two_looks),
		cmocka_unit_test(test_end_without_lease),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
