// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_name.c - SHA-512, the names derived with it, and valid names
 *
 * The digests are NIST's examples for FIPS 180-4.  The derived names are those of the reference
 * plugins for the same attachments.
 */
#include <stdio.h>
#include <stdlib.h>

#include "value/name.h"
#include "unit.h"

static const char *hex(const uint8_t hash[SHA512_SIZE])
{
	static char text[2 * SHA512_SIZE + 1];

	for (int i = 0; i < SHA512_SIZE; i++)
		sprintf(text + 2 * i, "%02x", hash[i]);
	return text;
}

static void sha512_is_nists(void **state)
{
	static const struct {
		const char *text;
		unsigned times;
		const char *hash;
	} cases[] = {
		{ "", 1,
		  "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
		  "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
		{ "abc", 1,
		  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  1,
		  "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
		  "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909" },
		{ "a", 1000000,
		  "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
		  "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b" },
	};
	uint8_t hash[SHA512_SIZE];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].text);
		char *text = malloc(n * cases[i].times + 1);

		assert_non_null(text);
		for (unsigned k = 0; k < cases[i].times; k++)
			memcpy(text + n * k, cases[i].text, n);
		sha512(text, n * cases[i].times, hash);
		free(text);
		assert_string_equal(hex(hash), cases[i].hash);
	}
}

/* Lengths around the limits of blocks and padding: the digest of their digests. */
static void sha512_of_every_length(void **state)
{
	uint8_t all[300][SHA512_SIZE], hash[SHA512_SIZE];
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		sha512(text, i, all[i]);
	sha512(all, sizeof(all), hash);
	assert_string_equal(hex(hash),
			    "0a6a4d91c9c127e3ffd49e748cac6b599e1ce1039f1d92bdcdce57e91acc2b7d"
			    "13aa0183989b5e7fdc7a2b84a968d350d022db27b68c0b4fa2d71fdb45537c00");
}

static void derived_names_are_the_references(void **state)
{
	static const char mynet[] = "mynet3a6a58386dfbf2471a6f86bd41e4e9a32aac54ccccd1943742cb67d1e"
				    "9c58b5b";
	static const struct {
		const char *prefix, *text;
		size_t len;
		const char *name;
	} cases[] = {
		{ "CNI-", "n1c1", 28, "CNI-7be53730afe4dc6eb2178d03" },
		{ "CNI-DN-", "n1c1", 28, "CNI-DN-7be53730afe4dc6eb2178" },
		{ "bwp", "n1c1", 15, "bwp7be53730afe4" },
		{ "CNI-", "n2c2", 28, "CNI-b57745534c516968e7a83518" },
		{ "CNI-DN-", "n2c2", 28, "CNI-DN-b57745534c516968e7a83" },
		{ "CNI-", mynet, 28, "CNI-fa41e6efdd3d965f5b648e0d" },
		{ "bwp", mynet, 15, "bwpfa41e6efdd3d" },
		{ "cnitool-", "/run/netns/a", 28, "cnitool-a145bc1ace582bff43bd" },
		{ "CNI-", "", 0, "" },
		{ "CNI-", "", 2, "CN" },
		{ "CNI-", "", 4, "CNI-" },
	};
	char name[256], whole[4 + 2 * SHA512_SIZE + 1];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		memset(name, '!', sizeof(name));
		name_hash(name, cases[i].len, cases[i].prefix, cases[i].text);
		assert_string_equal(name, cases[i].name);
		assert_int_equal(name[cases[i].len + 1], '!');
	}
	name_hash(whole, sizeof(whole) - 1, "CNI-", "abc");
	assert_int_equal(strlen(whole), sizeof(whole) - 1);
	assert_string_equal(whole + sizeof(whole) - 5, "a49f");
}

static void an_attachment_has_one_name(void **state)
{
	char id[5000];

	(void)state;
	assert_string_equal(name_owner("n1", "c1", "eth0").s, "vethdbee9d12122");
	assert_string_equal(name_owner("", "", "").s, "veth4d094b64124");
	assert_string_not_equal(name_owner("n", "1c1", "eth0").s, name_owner("n1", "c1", "eth0").s);
	/* 44 bits: such a pair can be found by search, so each user of a key compares the owner. */
	assert_string_equal(name_owner("net1", "x53479", "eth0").s,
			    name_owner("net1", "x4465312", "eth0").s);
	memset(id, 'c', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	assert_int_equal(strlen(name_owner("n1", id, "eth0").s), IFNAMSIZ - 1);
}

static void ids(void **state)
{
	static const struct {
		const char *s;
		bool valid;
	} cases[] = {
		{ "c1", true },      { "a", true },         { "0", true },
		{ "A.b_c-d", true }, { "a.", true },        { "", false },
		{ NULL, false },     { "-a", false },       { ".a", false },
		{ "_a", false },     { "a b", false },      { "a\n", false },
		{ "a/b", false },    { "\xc3\xa9", false }, { "a\xc3\xa9", false },
		{ "a:b", false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		CHECK(name_valid_id(cases[i].s) == cases[i].valid, "\"%s\"", cases[i].s);
}

static void interface_names(void **state)
{
	static const char empty[] = "interface name is empty";
	static const char too_long[] = "interface name is too long";
	static const char dots[] = "interface name is . or ..";
	static const char percent[] =
		"interface name contains %, for which the kernel puts a number";
	static const char chars[] = "interface name contains / or : or whitespace characters";
	static const struct {
		const char *s, *reason; /* NULL = valid */
	} cases[] = {
		{ "eth0", NULL },
		{ "a", NULL },
		{ "...", NULL },
		{ "eth0.100", NULL },
		{ "123456789012345", NULL },
		{ "1234567890123456", too_long },
		{ "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", NULL },
		{ "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", too_long },
		{ "", empty },
		{ NULL, empty },
		{ ".", dots },
		{ "..", dots },
		{ "a/b", chars },
		{ "eth%d", percent },
		{ "%", percent },
		{ "a%", percent },
		{ "a:b", chars },
		{ "a b", chars },
		{ " a", chars },
		{ "a\n", chars },
		{ "a\t", chars },
		{ "a\v", chars },
		{ "a\f", chars },
		{ "a\r", chars },
		{ "a\b", NULL },
		{ "a\u00a0b", chars },
		{ "a\xc2\x85", chars },
		{ "a\x85", NULL }, /* invalid UTF-8, and no space */
		{ "a\u1680", chars },
		{ "a\u2000", chars },
		{ "a\u200a", chars },
		{ "a\u200b", NULL }, /* zero width space: no space in Unicode */
		{ "a\u2028", chars },
		{ "a\u202f", chars },
		{ "a\u205f", chars },
		{ "a\u3000b", chars },
		{ "a\xe3\x80", NULL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const char *reason = name_invalid_ifname(cases[i].s);

		CHECK(reason == cases[i].reason || str_eq(reason, cases[i].reason), "case %u: %s",
		      i, reason ? reason : "valid");
	}
}

static void plugin_types(void **state)
{
	(void)state;
	assert_true(name_valid_type("bridge"));
	assert_true(name_valid_type("host-local"));
	assert_true(name_valid_type("..."));
	assert_false(name_valid_type(NULL));
	assert_false(name_valid_type(""));
	assert_false(name_valid_type("."));
	assert_false(name_valid_type(".."));
	assert_false(name_valid_type("../bridge"));
	assert_false(name_valid_type("/bin/sh"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha512_is_nists),
		cmocka_unit_test(sha512_of_every_length),
		cmocka_unit_test(derived_names_are_the_references),
		cmocka_unit_test(an_attachment_has_one_name),
		cmocka_unit_test(ids),
		cmocka_unit_test(interface_names),
		cmocka_unit_test(plugin_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
