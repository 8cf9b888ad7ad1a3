// SPDX-License-Identifier: GPL-2.0-or-later
/* test_regex.c - RE2's expressions: what matches, and what is refused */
#include "unit.h"
#include "value/regex.h"

static const struct {
	const char *re, *yes[4], *no[4];
} cases[] = {
	{ "", { "", "a" }, { NULL } },
	{ "a", { "a", "bab" }, { "", "b", "A" } },
	{ "^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$",
	  { "net.ipv4.conf.IFNAME.arp_filter", "net.ipv4.conf.IFNAME." },
	  { "net.ipv4.conf.eth0.arp_filter", "xnet.ipv4.conf.IFNAME.a",
	    "net.ipv4.conf.IFNAME.a1" } },
	{ "net.ipv4.(conf|neigh).(IFNAME|all).",
	  { "net.ipv4.conf.all.rp_filter", "net/ipv4/neigh/IFNAME/x" },
	  { "net.ipv6.conf.all.x", "net.ipv4.conf.lo.x" } },
	{ "^(a|bc)*d$", { "d", "abcd", "bcbcaad" }, { "bd", "abc", "cd" } },
	{ "^a+b?c{2}$", { "acc", "aabcc" }, { "bcc", "ac", "abccc" } },
	{ "^x{2,3}$", { "xx", "xxx" }, { "x", "xxxx" } },
	{ "^x{2,}y", { "xxy", "xxxxxy" }, { "xy" } },
	{ "^x{0,1}y$", { "y", "xy" }, { "xxy" } },
	{ "^x{0}y$", { "y" }, { "xy" } },
	{ "^(ab?){2,3}c$", { "aac", "abac", "abababc" }, { "ac", "ababababc" } },
	{ "x{", { "x{" }, { "x" } },
	{ "x{,2}", { "x{,2}" }, { "xx" } },
	{ "^.*?z+?$", { "z", "azz" }, { "a" } },
	{ "[]a]", { "]", "a" }, { "b" } },
	{ "[^]a]", { "b", "ab" }, { "]", "a" } },
	{ "^[a-c_.-]+$", { "a-c", "_.", "b" }, { "d", "a/c" } },
	{ "^[\\w-.]+$", { "a-b.c_9" }, { "a/b" } },
	{ "^[\\d\\-\\]]+$", { "1-]" }, { "\\" } },
	{ "^[[:alpha:]\\s]+$", { "a b\tC" }, { "a1", "a\v" } },
	{ "^[^\\D5]$", { "4" }, { "5", "x" } },
	{ "^\\d+\\D\\s\\S\\w\\W$", { "12x yz-" }, { "12x yzz" } },
	{ "\\bip\\B", { "net.ipv4" }, { "ip", "zip4", "a.ip.b" } },
	{ "\\Aa\\z", { "a" }, { "ab", "ba" } },
	{ "\\x61\\.\\/\\-", { "a./-" }, { "ax/-" } },
	{ "(?i)^Ipv[4A]$", { "IPV4", "ipva", "ipvA" }, { "ipv6" } },
	{ "(?i)[^a]", { "b" }, { "A" } },
	{ "(?:a)(?P<n>b)(?<m>c)", { "abc" }, { "ab" } },
	{ "^(a*)*b$", { "b", "aab" }, { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac" } },
	{ "^(a*){3}$", { "", "aaaa" }, { "b" } },
	{ "^(((a{1000}){1000}){1000})$", { NULL }, { "a", "" } },
	{ "a||b", { "", "c" }, { NULL } },
	{ "^(|a)$", { "", "a" }, { "b" } },
	{ "^^a$$", { "a" }, { "b" } },
	{ "(^)*a", { "a", "ba" }, { "b" } },
};

static void matches(void **state UNUSED)
{
	const char *why;

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned k = 0; k < 4 && cases[i].yes[k]; k++)
			CHECK(regex_match_try(cases[i].re, cases[i].yes[k],
					      &(unsigned){ REGEX_STEPS }, &why) == 1,
			      "%s does not match \"%s\"", cases[i].re, cases[i].yes[k]);
		for (unsigned k = 0; k < 4 && cases[i].no[k]; k++)
			CHECK(regex_match_try(cases[i].re, cases[i].no[k],
					      &(unsigned){ REGEX_STEPS }, &why) == 0,
			      "%s matches \"%s\"", cases[i].re, cases[i].no[k]);
	}
}

static void refuses(void **state UNUSED)
{
	static const char *const wrong[] = {
		"*a",       "a|*",    "(",
		")",        "a)",     "(a",
		"[",        "[a",     "[z-a]",
		"[[:no:]]", "[\\q]",  "\\q",
		"\\",       "\\pN",   "\\Qa\\E",
		"\\1",      "a**",    "a{2}{3}",
		"a{1001}",  "a{3,2}", "(?s)a",
		"(?P<n",    "a\\x4",  "+",
		"(?",       "a{2}+",  "a{99999999999999999999}",
	};
	char deep[400], longest[REGEX_TEXT_MAX + 2];
	const char *why = NULL;

	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		CHECK(regex_match_try(wrong[i], "a", &(unsigned){ REGEX_STEPS }, &why) == -EINVAL &&
			      why,
		      "%s is not refused", wrong[i]);
		/* Also where nothing can match any more. */
		CHECK(regex_match_try(wrong[i], "", &(unsigned){ REGEX_STEPS }, &why) == -EINVAL,
		      "%s: \"\"", wrong[i]);
	}
	memset(deep, '(', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(regex_match_try(deep, "a", &(unsigned){ REGEX_STEPS }, &why), -EINVAL);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(regex_match_try("a", longest, &(unsigned){ REGEX_STEPS }, &why), -EINVAL);
	assert_int_equal(regex_match_try("^a{127}$", longest + 1, &(unsigned){ REGEX_STEPS }, &why),
			 1);
	assert_int_equal(regex_match_try("^a{126}$", longest + 1, &(unsigned){ REGEX_STEPS }, &why),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(matches), cmocka_unit_test(refuses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
