// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_jw.c - the JSON writer: layout, escapes, invalid UTF-8
 */
#include "value/jw.h"
#include "unit.h"

static const char *document(bool compact)
{
	struct jw w;

	jw_init(&w, &unit_tx.mem, compact);
	jw_open(&w, NULL, '{');
	jw_str(&w, "name", "a[");
	jw_int(&w, "low", INT64_MIN);
	jw_bool(&w, "yes", true);
	jw_open(&w, "empty", '{');
	jw_close(&w, '}');
	jw_open(&w, "none", '[');
	jw_close(&w, ']');
	jw_open(&w, "list", '[');
	jw_str(&w, NULL, "{");
	jw_open(&w, NULL, '{');
	jw_raw(&w, "raw", "[1,2]");
	jw_close(&w, '}');
	jw_close(&w, ']');
	jw_close(&w, '}');
	return jw_end(&w);
}

static void documents_are_laid_out(void **state)
{
	(void)state;
	assert_string_equal(document(true),
			    "{\"name\":\"a[\",\"low\":-9223372036854775808,\"yes\":true,"
			    "\"empty\":{},\"none\":[],\"list\":[\"{\",{\"raw\":[1,2]}]}");
	assert_string_equal(document(false), "{\n"
					     "    \"name\": \"a[\",\n"
					     "    \"low\": -9223372036854775808,\n"
					     "    \"yes\": true,\n"
					     "    \"empty\": {},\n"
					     "    \"none\": [],\n"
					     "    \"list\": [\n"
					     "        \"{\",\n"
					     "        {\n"
					     "            \"raw\": [1,2]\n"
					     "        }\n"
					     "    ]\n"
					     "}");
}

static void strings_are_escaped(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "\"\"" },
		{ NULL, "\"\"" },
		{ "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
		{ "\n\r\t\b\x1f\x7f", "\"\\n\\r\\t\\u0008\\u001f\\u007f\"" },
		{ "\xc2\x80[\xc2\x9b[\u00a0", "\"\\u0080[\\u009b[\u00a0\"" },
		{ "<a>&amp;", "\"<a>&amp;\"" },
		{ "\u00e9\u20ac\U0001f433", "\"\u00e9\u20ac\U0001f433\"" },
		{ "plain\u00e9plain\tplain", "\"plain\u00e9plain\\tplain\"" },
		{ "plain\"", "\"plain\\\"\"" },
		{ "\x01plain\xff", "\"\\u0001plain\ufffd\"" },
		{ "\xff", "\"\ufffd\"" },
		{ "a\x80z", "\"a\ufffdz\"" },
		{ "\xc3", "\"\ufffd\"" },
		{ "\xc0\xaf", "\"\ufffd\ufffd\"" },                     /* overlong / */
		{ "\xe0\x80\xaf", "\"\ufffd\ufffd\ufffd\"" },           /* likewise */
		{ "\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\"" },           /* lone surrogate */
		{ "\xf4\x90\x80\x80", "\"\ufffd\ufffd\ufffd\ufffd\"" }, /* beyond Unicode */
		{ "\xf0\x8f\xbf\xbf", "\"\ufffd\ufffd\ufffd\ufffd\"" }, /* overlong */
		{ "\xe2\x82", "\"\ufffd\ufffd\"" },
		{ "\xf5\x80", "\"\ufffd\ufffd\"" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct jw w;

		jw_init(&w, &unit_tx.mem, true);
		jw_str(&w, NULL, cases[i].in);
		assert_string_equal(jw_end(&w), cases[i].out);
	}
}

static void no_output_is_the_empty_text(void **state)
{
	struct jw w;

	(void)state;
	jw_init(&w, &unit_tx.mem, true);
	assert_string_equal(jw_end(&w), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TX(documents_are_laid_out),
		WITH_TX(strings_are_escaped),
		WITH_TX(no_output_is_the_empty_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
