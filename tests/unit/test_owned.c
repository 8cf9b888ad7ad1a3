// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_owned.c - owners of nftables elements: their comments; the private bytes of the index
 */
#include "unit.h"
#include "firewall/owned_impl.h"

/* ---- comments ---- */

static const char *comment_of(const char *network, const char *id)
{
	return owner_of(&unit_tx.mem, network, id, "eth0").comment;
}

/* A comment whose text after the key has this many bytes. */
static const char *comment_of_length(size_t n)
{
	char id[200];

	assert_true(n < sizeof(id));
	memset(id, 'a', sizeof(id));
	id[n - strlen("net1//eth0")] = '\0';
	return comment_of("net1", id);
}

static void a_comment_names_its_owner(void **state UNUSED)
{
	const char *comment = comment_of("net1", "c1");

	assert_string_equal(owned_owner_text(comment), "net1/c1/eth0");
	assert_true(owned_names_owner(comment));
}

/* The whole text, as long as it fits. */
static void a_comment_that_fits_has_no_hash(void **state UNUSED)
{
	const size_t room = NFT_COMMENT_MAX - OWNED_KEY_LEN - 1;
	const char *fits = comment_of_length(room), *cut = comment_of_length(room + 1);

	assert_int_equal(strlen(fits), NFT_COMMENT_MAX);
	assert_null(strchr(fits, '#'));
	assert_true(str_starts(owned_owner_text(fits), "net1/aaaa"));
	assert_string_equal(fits + strlen(fits) - strlen("aa/eth0"), "aa/eth0");
	assert_int_equal(strlen(cut), NFT_COMMENT_MAX);
	assert_true(str_starts(owned_owner_text(cut), "net1/aaaa"));
	assert_int_equal(strspn(strchr(cut, '#') + 1, "0123456789abcdef"), OWNED_TAIL_HEX);
	assert_true(owned_names_owner(cut));
}

/* The key at the start of the comment does not tell them apart: its 44 bits can be searched for. */
static void long_comments_differ_behind_the_key(void **state UNUSED)
{
	static const struct {
		unsigned at; /* the character that differs */
		bool in_network;
	} cases[] = { { 199, true }, { 130, true }, { 199, false }, { 120, false } };

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char a[201], b[201];
		const char *x, *y;

		memset(a, 'a', sizeof(a));
		a[200] = '\0';
		memcpy(b, a, sizeof(b));
		b[cases[i].at] = 'b';
		x = cases[i].in_network ? comment_of(a, "c1") : comment_of("net1", a);
		y = cases[i].in_network ? comment_of(b, "c1") : comment_of("net1", b);
		CHECK(strcmp(owned_owner_text(x), owned_owner_text(y)) != 0, "case %u: %s", i, x);
	}
}

/* ---- the index ---- */

static const struct owned_set sets[] = {
	{ "four", .key_len = 4 },
	{ "range", .key_len = 8 },
};

static const struct owned_table table = { .name = "test", .sets = sets, .n_sets = 2 };

static struct owned_elem elem(unsigned set, uint8_t from, uint8_t to)
{
	struct owned_elem e = { .set = set };

	e.e.key.len = sets[set].key_len;
	memset(e.e.key.b, from, e.e.key.len);
	if (to) {
		e.e.key_end.len = sets[set].key_len;
		memset(e.e.key_end.b, to, e.e.key_end.len);
	}
	return e;
}

static struct owned_index index_of(const struct owned_change *c)
{
	struct owned_index x = { .lost = false };

	x.chunks = owned_pack(&unit_tx.mem, c, NULL, 0, &x.n);
	return x;
}

/* As many elements as fill several chunks; every second one is a range. */
static void an_index_lists_all_elements(void **state UNUSED)
{
	struct owner o = owner_of(&unit_tx.mem, "net1", "c1", "eth0");
	struct owned_elem elems[60], *have = NULL;
	struct owned_change c = { .in = { &table, "group" }, .owner = &o, .kind = OWNED_FIREWALL };
	struct owned_index x;
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_LEN(elems); i++)
		elems[i] = elem(i % 2, (uint8_t)(i + 1), i % 2 ? (uint8_t)(i + 2) : 0);
	elems[7].skipped = true;
	c.elems = elems;
	c.n = ARRAY_LEN(elems);
	x = index_of(&c);
	assert_true(x.n > 3);
	owned_unpack(&unit_tx.mem, &table, &x, &have, &n);
	assert_int_equal(n, ARRAY_LEN(elems) - 1);
	for (unsigned i = 0; i < n; i++) {
		const struct owned_elem *want = &elems[i < 7 ? i : i + 1];

		assert_int_equal(have[i].set, want->set);
		assert_true(nft_key_eq(&have[i].e.key, &want->e.key));
		assert_true(nft_key_eq(&have[i].e.key_end, &want->e.key_end));
	}
}

/* What an earlier version wrote: a header of 25 bytes, without the namespace. */
static void an_index_of_version_1_is_read(void **state UNUSED)
{
	static const uint8_t bytes[] = {
		1,   0,   1,   1,   2,   3, 4, 5, 6, 9, 0, 0, 0,
		'g', 'r', 'o', 'u', 'p', 0, 0, 0, 0, 0, 0, 0, /* records */ 0,
		10,  1,   0,   2,
	};
	struct nft_elem chunk = { .private = bytes, .private_len = sizeof(bytes) };
	struct owned_index x = { .chunks = &chunk, .n = 1 };
	struct owned_elem *have = NULL;
	unsigned n = 0;

	owned_unpack(&unit_tx.mem, &table, &x, &have, &n);
	assert_int_equal(n, 1);
	assert_int_equal(have[0].set, 0);
	assert_memory_equal(have[0].e.key.b, bytes + 26, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TX(a_comment_names_its_owner),
		WITH_TX(a_comment_that_fits_has_no_hash),
		WITH_TX(long_comments_differ_behind_the_key),
		WITH_TX(an_index_lists_all_elements),
		WITH_TX(an_index_of_version_1_is_read),
	};

	return cmocka_run_group_tests_name("owned", tests, NULL, NULL);
}
