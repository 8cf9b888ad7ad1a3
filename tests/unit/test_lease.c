// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_lease.c - lease files, and the index compared with them
 *
 * The test makes random claims and releases, of our own and of a foreign program that only changes
 * files, and compares the store with a model after each step.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "ipam/host-local/store.h"
#include "unit.h"

static char dir[PATH_MAX];

static int begin(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/cplug-lease.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	return unit_begin(state);
}

static int end(void **state)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command) != 0) /* NOLINT(cert-env33-c): a test's own directory */
		return -1;
	return unit_end(state);
}

static void lease_files_are_parsed(void **state)
{
	static const struct {
		const char *text;
		size_t size; /* 0 = strlen() */
		const char *id, *ifname;
	} cases[] = {
		{ "c1\r\neth0", 0, "c1", "eth0" },
		{ "c1\r\neth0\n", 0, "c1", "eth0" },
		{ " c1\r\neth0 \r\n", 0, "c1", "eth0" },
		{ "c1\neth0", 0, "c1", "eth0" },
		{ "c1", 0, "c1", NULL },
		{ "c1\n", 0, "c1", NULL },
		{ "c1\r\n", 0, "c1", NULL },
		{ "", 0, NULL, NULL },
		{ "\r\n", 0, NULL, NULL },
		{ "\r\neth0\r\n", 0, "eth0", NULL },
		{ "c1\0\r\neth0", 9, NULL, NULL },
		{ "\0\0\0\0", 4, NULL, NULL },
		{ "c 1\r\neth0", 0, NULL, NULL },
		{ "-c1\r\neth0", 0, NULL, NULL },
		{ "c1\r\neth0\r\neth1", 0, NULL, NULL },
		{ "c1\r\ninterface-too-long", 0, NULL, NULL },
		{ "c1\r\na/b", 0, NULL, NULL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		size_t size = cases[i].size ? cases[i].size : strlen(cases[i].text);
		char *copy = mem_dup(&unit_tx.mem, cases[i].text, size + 1);
		struct lessee l = { .id = NULL };
		bool ok = lease_parse(copy, size, &l);

		CHECK(ok == !!cases[i].id, "case %u: %d", i, ok);
		if (!ok)
			continue;
		assert_string_equal(l.id, cases[i].id);
		if (cases[i].ifname)
			assert_string_equal(l.ifname, cases[i].ifname);
		else
			assert_null(l.ifname);
	}
}

static void what_a_crash_leaves_is_recognised(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		bool torn;
	} cases[] = {
		{ "", 0, true },          { "\0\0\0", 3, true },      { "c1\0\0", 4, true },
		{ "c1\r\ne\0", 6, true }, { "c1\r\n\0", 5, true },    { "\n", 1, false },
		{ "c 1", 3, false },      { "c1\0\0x", 5, false },    { "c 1\0", 4, false },
		{ "#\n", 2, false },      { "a: b\n\0\0", 7, false }, { "\0c1", 3, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char *copy = mem_dup(&unit_tx.mem, cases[i].text, cases[i].size + 1);

		CHECK(lease_is_torn(copy, cases[i].size) == cases[i].torn, "case %u", i);
	}
}

/* ---- the model ---- */

enum { ADDRESSES = 1500, IDS = 40, LIES = 150 };

static int model[ADDRESSES]; /* the owner's id, or -1 */

static struct ip address(unsigned n)
{
	struct ip ip;

	/* Every third address is IPv6, spread over many blocks. */
	if (n % 3 == 0) {
		ip_parse("fd00:77::", &ip);
		return ip_add(ip, (int64_t)n * 97);
	}
	ip_parse("10.9.0.0", &ip);
	return ip_add(ip, n);
}

static const char *id(unsigned n)
{
	return mem_printf(&unit_tx.mem, "container-%u", n);
}

/* A foreign program changes a lease without the index, perhaps within the same clock tick. */
static void foreign(unsigned n, int who)
{
	const char *path = mem_printf(&unit_tx.mem, "%s/net/%s", dir, IP_S(address(n)));
	auto_(fd_close) int fd = -1;

	unlink(path);
	model[n] = who;
	if (who < 0)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_true(dprintf(fd, "%s\r\neth0", id((unsigned)who)) > 0);
}

static void store_begin(struct store *st)
{
	*st = STORE_CLOSED;
	assert_int_equal(store_open(&unit_tx, dir, "net", STORE_CREATE, st), 0);
}

static void compare(struct store *st, unsigned who)
{
	struct lease *leases;
	unsigned n, want = 0;

	for (unsigned i = 0; i < ADDRESSES; i++)
		want += model[i] == (int)who;
	assert_int_equal(store_find(&unit_tx, st, id(who), &leases, &n), 0);
	CHECK(n == want, "container %u: %u leases, not %u", who, n, want);
	for (unsigned i = 0; i < n; i++) {
		unsigned k = 0;

		while (k < ADDRESSES && !ip_eq(address(k), leases[i].ip))
			k++;
		CHECK(k < ADDRESSES && model[k] == (int)who, "%s", IP_S(leases[i].ip));
	}
}

static void one_step(struct store *st, unsigned n, unsigned who)
{
	struct store_want want = { .lessee = { .id = id(who), .ifname = "eth0" },
				   .life = { .boot = 1 } };
	struct lease had;
	int r;

	if (rand() % 2) {
		r = store_claim(&unit_tx, st, &want, address(n));
		CHECK(r == (model[n] < 0 ? 0 : -EEXIST), "claim: %d %s", r, unit_tx.msg);
		if (r == 0)
			model[n] = (int)who;
	} else if (lease_read(&unit_tx.mem, st->dir, address(n), &had) == 0) {
		assert_true(model[n] >= 0);
		assert_int_equal(store_release(&unit_tx, st, &had), 0);
		model[n] = -1;
	} else {
		assert_int_equal(model[n], -1);
	}
}

static void the_index_matches_the_files(void **state)
{
	enum { ROUNDS = 120, STEPS = 60 };
	unsigned good = 0;

	(void)state;
	srand(42); /* NOLINT(cert-msc51-cpp): the same every time */
	memset(model, -1, sizeof(model));
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct store st;

		store_begin(&st);
		good += !st.rescanned;
		for (unsigned i = 0; i < STEPS; i++)
			one_step(&st, (unsigned)rand() % ADDRESSES, (unsigned)rand() % IDS);
		for (unsigned who = 0; who < IDS; who += 7)
			compare(&st, (who + round) % IDS);
		store_close(&st);
		if (round % 5 == 4) {
			foreign((unsigned)rand() % ADDRESSES, -1);
			foreign((unsigned)rand() % ADDRESSES, rand() % IDS);
		}
		unit_again();
	}
	/* The index was used exactly when no foreign program had changed the folder. */
	assert_int_equal(good, ROUNDS - 1 - (ROUNDS - 1) / 5);
}

static void the_life_of_a_lease_survives_a_rescan(void **state)
{
	static const struct lease_life life = { 7, 8, 9, 10 };
	struct lease_life got = { 0 };
	struct store_want want = { .lessee = { .id = "c1", .ifname = "eth0" }, .life = life };
	struct store st;

	(void)state;
	memset(model, -1, sizeof(model));
	store_begin(&st);
	assert_int_equal(store_claim(&unit_tx, &st, &want, address(1)), 0);
	store_close(&st);
	foreign(2, 3);
	store_begin(&st);
	assert_true(st.rescanned);
	assert_true(index_life(&st.index, address(1), "c1", &got));
	assert_memory_equal(&got, &life, sizeof(got));
	assert_true(index_life(&st.index, address(2), id(3), &got));
	assert_int_equal(got.boot, 0);
	store_close(&st);
}

/* With a damaged index no address is leased twice, and no loop is endless. */
static void a_damaged_index_is_harmless(void **state)
{
	static const struct lease_life life = { 0 };
	struct pool_range range = { .gateway = { .family = 0 } };
	struct pool_set set = { &range, 1 };

	(void)state;
	srand(7); /* NOLINT(cert-msc51-cpp) */
	range.first = address(1);
	range.last = ip_add(range.first, 999);
	for (unsigned i = 0; i < LIES; i++) {
		const char *path = mem_printf(&unit_tx.mem, "%s/.cplug/net.index", dir);
		struct store_want want = { .lessee = { .id = id(i), .ifname = "eth0" },
					   .life = life };
		auto_(fd_close) int fd = open(path, O_RDWR | O_CLOEXEC);
		struct lease *leases;
		struct store st;
		struct stat s;
		struct ip ip;
		unsigned n;

		/* Damage the tables, not the header with the time stamp, so that the index is used.
		 */
		for (int k = 0; fd >= 0 && fstat(fd, &s) == 0 && s.st_size > 4096 && k < 40; k++) {
			uint8_t noise = (uint8_t)rand();
			off_t at = 4096 + rand() % (s.st_size - 4096);

			assert_int_equal(pwrite(fd, &noise, 1, at), 1);
		}
		store_begin(&st);
		assert_int_equal(store_claim_next(&unit_tx, &st, &want, &set, &ip), 0);
		assert_int_equal(
			store_find(&unit_tx, &st, id((unsigned)rand() % (i + 1)), &leases, &n), 0);
		store_close(&st);
		unit_again();
	}
	{
		struct store st;
		unsigned n = 0;
		struct lease l;

		store_begin(&st);
		for (unsigned i = 0; i < 1000; i++)
			n += lease_read(&unit_tx.mem, st.dir, ip_add(range.first, i), &l) == 0;
		assert_int_equal(n, LIES); /* one lease per claim */
		store_close(&st);
	}
}

/*
 * The leases of one container are one run of slots.  In a folder that others can write to there may
 * be any number: the table gives up, and the folder is read.
 */
static void a_long_run_of_slots_breaks_the_index(void **state)
{
	enum { LEASES = SLOTS_RUN + 100 };
	const struct lessee o = { .id = "c1", .ifname = "eth0" };
	auto_(fd_close) int net = -1;
	struct lease *leases;
	struct store st;
	unsigned n;

	(void)state;
	memset(model, -1, sizeof(model));
	store_begin(&st);
	assert_true(index_exists(&st.index));
	store_close(&st);
	net = open(mem_printf(&unit_tx.mem, "%s/net", dir), O_RDONLY | O_DIRECTORY);
	for (unsigned i = 0; i < LEASES; i++) {
		struct lease_spare spare = { .dir = net, .name = "spare" };
		auto_(fd_close) int fd = lease_new(&unit_tx.mem, net, &spare, o);

		assert_int_equal(lease_link(&unit_tx.mem, net, fd, ip_add(address(1), i), o), 0);
	}
	store_begin(&st);
	assert_int_equal(store_find(&unit_tx, &st, "c1", &leases, &n), 0);
	assert_int_equal(n, LEASES);
	assert_false(index_exists(&st.index));
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(store_release(&unit_tx, &st, &leases[i]), 0);
	store_close(&st);
	/* Fewer have an index again. */
	store_begin(&st);
	assert_int_equal(store_find(&unit_tx, &st, "c1", &leases, &n), 0);
	assert_int_equal(n, 0);
	assert_true(index_exists(&st.index));
	store_close(&st);
}

/* One that is in the file, and so was not made by leases. */
static void a_file_with_a_long_run_of_slots_is_given_up(void **state)
{
	enum { CAP = 4 * SLOTS_RUN, USED = 2 * SLOTS_RUN };
	struct slots t = { .cap = 0 }, fresh;
	const char *path = mem_printf(&unit_tx.mem, "%s/slots", dir);
	auto_(fd_close) int fd = open(path, O_RDWR | O_CREAT, 0600);
	uint32_t at;

	(void)state;
	for (unsigned i = 0; i < CAP; i++) {
		struct slot s = slots_new(i < USED ? CAP : 0, ip_add(address(1), i));

		assert_true(slots_write(fd, &s, sizeof(s), (off_t)(i * sizeof(s))));
	}
	assert_true(slots_in_file(&t, fd, 0, CAP, USED));
	fresh = t;
	assert_true(slots_find(&t, CAP, ip_add(address(1), SLOTS_RUN - 1), &at));
	assert_false(t.broken);
	assert_false(slots_find(&t, CAP, ip_add(address(1), SLOTS_RUN), &at));
	assert_true(t.broken);
	t = fresh;
	slots_remove(&t, 0);
	assert_true(t.broken);
	t = fresh;
	slots_rehash(&t, &unit_tx.mem, NULL);
	assert_true(t.broken);
	assert_false(slots_find(&t, CAP, address(1), &at));
	assert_true(at < t.cap);
}

/* last_reserved_ip.0 as text. */
static const char *last_text(int fd)
{
	static char text[64];
	int file = openat(fd, "last_reserved_ip.0", O_RDONLY);
	ssize_t n = read(file, text, sizeof(text) - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	close(file);
	return text;
}

static void the_last_address_is_overwritten(void **state)
{
	static const char *const texts[] = { "10.1.0.199", "10.1.0.2", "fd00::1:2", "10.1.0.3" };
	struct lease_cursor c = { .fd = -1 };
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	struct ip ip, before = { .family = 0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		assert_true(ip_parse(texts[i], &ip));
		assert_true(ip_eq(lease_last_open(fd, 0, &c), before));
		assert_int_equal(c.fd < 0, i == 0); /* there is no file before the first */
		assert_int_equal(lease_last_write(fd, 0, &c, ip), 0);
		assert_string_equal(last_text(fd), texts[i]);
		before = ip;
		/* It is the file of this set, and of no other. */
		assert_int_equal(lease_last_write(fd, 1, &c, ip), 0);
		assert_true(ip_eq(lease_last(fd, 1), ip));
		assert_string_equal(last_text(fd), texts[i]);
		fd_close(&c.fd);
	}
	close(fd);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(lease_files_are_parsed),
		IN_DIR(what_a_crash_leaves_is_recognised),
		IN_DIR(the_index_matches_the_files),
		IN_DIR(the_life_of_a_lease_survives_a_rescan),
		IN_DIR(a_damaged_index_is_harmless),
		IN_DIR(the_last_address_is_overwritten),
		IN_DIR(a_long_run_of_slots_breaks_the_index),
		IN_DIR(a_file_with_a_long_run_of_slots_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
