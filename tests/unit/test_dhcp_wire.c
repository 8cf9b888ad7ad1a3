// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_dhcp_wire.c - what the DHCP daemon asks the kernel in a container's namespace
 */
#include <linux/rtnetlink.h>

#include "forged.h"
#include "ipam/dhcp/hold.h"
#include "private_net.h"
#include "unit.h"

static bool allowed; /* a network namespace */

/* Asks for a link by its ifindex.  Returns the size of the answer. */
static ssize_t ask(int index, struct nlmsghdr *answer, size_t room)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} q = { .h = { .nlmsg_len = sizeof(q),
		       .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST },
		.i = { .ifi_index = index } };

	return wire_ask(&q.h, answer, room);
}

/* Root of the container can send to the socket before it is connected to the kernel. */
static void only_the_kernel_answers(void **state UNUSED)
{
	union {
		struct nlmsghdr h;
		char room[4096];
	} answer;

	if (!allowed)
		skip();
	forged_before_connect = 3;
	assert_true(ask(1, &answer.h, sizeof(answer)) >
		    (ssize_t)NLMSG_LENGTH(sizeof(struct ifinfomsg)));
	assert_int_equal(forged_before_connect, 0);
	assert_int_equal(answer.h.nlmsg_type, RTM_NEWLINK);
}

static void a_refusal_is_an_answer(void **state UNUSED)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[512];
	} answer;

	if (!allowed)
		skip();
	forged_before_connect = 3;
	assert_true(ask(99, &answer.h, sizeof(answer)) > 0);
	assert_int_equal(answer.h.nlmsg_type, NLMSG_ERROR);
	assert_int_equal(answer.e.error, -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_kernel_answers),
		cmocka_unit_test(a_refusal_is_an_answer),
	};

	allowed = private_net();
	return cmocka_run_group_tests_name("dhcp_wire", tests, NULL, NULL);
}
