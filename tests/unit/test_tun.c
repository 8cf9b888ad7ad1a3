// SPDX-License-Identifier: GPL-2.0-or-later
/* test_tun.c - persistent tap and tun devices, with owner and flags; undone */
#include <linux/if_tun.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "net_state.h"
#include "netlink/link.h"
#include "sys/tun.h"

static const char DEVICES[] = "ip -d link";

/* Makes the device file, in a mount namespace of our own, where the system has none. */
static bool device_is_there(void)
{
	auto_(fd_close) int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return true;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	if (access("/dev/net", F_OK) < 0 && mount("tmpfs", "/dev", "tmpfs", 0, "mode=755") == 0)
		mkdir("/dev/net", 0755);
	else if (mount("tmpfs", "/dev/net", "tmpfs", 0, "mode=755") < 0)
		return false;
	mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200));
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	return fd >= 0;
}

static int begin(void **state)
{
	return net_begin(state, "true");
}

static void need_tun(void)
{
	net_need(NULL);
	if (!device_is_there()) {
		fprintf(stderr, "no /dev/net/tun to be had: %s\n", strerror(errno));
		skip();
	}
}

static struct tun_new tap(const char *name)
{
	return (struct tun_new){ .name = name, .owner = -1, .group = -1 };
}

static int add_all(struct tx *tx)
{
	struct tun_new plain = tap("tap0"), full = tap("tap1"), l3 = tap("tun0");

	full.owner = 1234;
	full.group = 0;
	full.multi_queue = full.vnet_hdr = true;
	l3.layer3 = l3.packet_info = true;
	TRY(tun_add(tx, NULL, &plain));
	TRY(tun_add(tx, NULL, &full));
	return tun_add(tx, NULL, &l3);
}

static void adds_and_undoes(void **state)
{
	(void)state;
	need_tun();
	net_undoes(add_all, DEVICES);
	assert_int_equal(add_all(&unit_tx), 0);
	net_expect("ip -d link | sed -n 's/.*\\(tun type.*\\) addrgenmode.*/\\1/p'",
		   "tun type tap pi off vnet_hdr off persist on\n"
		   "tun type tap pi off vnet_hdr on multi_queue numqueues 0 numdisabled 0 "
		   "persist on user 1234 group root\n"
		   "tun type tun pi on vnet_hdr off persist on\n");
}

/* The reference attaches to the device that exists, and reports success. */
static void refuses_a_name_in_use(void **state)
{
	static const char *const bad[] = { "", "a-name-of-16-byt", "tap%d" };
	struct tun_new t = tap("tap0");

	(void)state;
	need_tun();
	assert_int_equal(tun_add(&unit_tx, NULL, &t), 0);
	assert_true(tun_add(&unit_tx, NULL, &t) < 0);
	assert_int_equal(unit_tx.code, CPLUG_E_EXISTS);
	assert_string_equal(unit_tx.msg,
			    "host: add tap0: an interface of that name exists already");
	unit_again();
	t.name = "lo";
	assert_true(tun_add(&unit_tx, NULL, &t) < 0);
	assert_int_equal(unit_tx.code, CPLUG_E_EXISTS);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		unit_again();
		t.name = bad[i];
		CHECK(tun_add(&unit_tx, NULL, &t) < 0, "\"%s\" was added", t.name);
	}
}

static struct netns inner = { .fd = -1 };

static int add_inside(struct tx *tx)
{
	struct tun_new t = tap("tap7");

	return tun_add(tx, &inner, &t);
}

static void adds_in_another_namespace(void **state)
{
	char show[128];
	pid_t pid;
	int up[2];

	(void)state;
	need_tun();
	assert_int_equal(pipe(up), 0);
	pid = fork();
	if (pid == 0) {
		_exit(unshare(CLONE_NEWNET) < 0 || write(up[1], "x", 1) != 1 || pause());
	}
	assert_int_equal(read(up[0], show, 1), 1);
	snprintf(show, sizeof(show), "/proc/%d/ns/net", (int)pid);
	assert_int_equal(netns_open(&unit_tx, show, &inner), 0);
	snprintf(show, sizeof(show), "nsenter --net=/proc/%d/ns/net ip -o link; ip -o link",
		 (int)pid);
	net_undoes(add_inside, show);
	assert_int_equal(add_inside(&unit_tx), 0);
	assert_int_equal(link_find(&unit_tx, &net, "tap7", NULL), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	waitpid(pid, NULL, 0);
	netns_close(&inner);
	close(up[0]);
	close(up[1]);
}

/* The device may have got another kind, or be gone, before it is undone. */
static void undo_leaves_what_is_not_ours(void **state)
{
	(void)state;
	need_tun();
	assert_int_equal(add_all(&unit_tx), 0);
	net_need("ip link del tap0 && ip link add tap0 type ifb && ip link del tun0");
	tx_rollback(&unit_tx);
	assert_int_equal(unit_tx.err, 0);
	net_expect("ip -o link | sed 's/^[0-9]*: //; s/:.*//'", "lo\ntap0\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, net_end)
	const struct CMUnitTest tests[] = {
		TEST(adds_in_another_namespace),
		TEST(adds_and_undoes),
		TEST(refuses_a_name_in_use),
		TEST(undo_leaves_what_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
