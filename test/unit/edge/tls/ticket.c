/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/ticket.c"

#include "made.h"

static char why[256];

/* A key of one digit, as a line. */
static const char *line_of(char digit)
{
	static char lines[4][HEX_DIGITS + 2];
	static unsigned next;
	char *line = lines[next++ % 4];
	memset(line, digit, HEX_DIGITS);
	line[HEX_DIGITS] = '\n';
	line[HEX_DIGITS + 1] = '\0';
	return line;
}

static enum err read_keys(struct tickets *t, const char *text, mode_t mode)
{
	made_write_text("keys", text);
	must(chmod(made_path("keys"), mode) == 0);
	enum err e = tickets_read(t, made_path("keys"), why, sizeof(why));
	CU_ASSERT_EQUAL(ERR_peek_error(), 0);
	return e;
}

static void test_read(void)
{
	struct tickets *t;
	char text[4 * HEX_DIGITS];
	CU_ASSERT_EQUAL_FATAL(tickets_new(&t), ERR_NONE);
	snprintf(text, sizeof(text), "%s%s%s", line_of('1'), line_of('A'), line_of('f'));
	CU_ASSERT_EQUAL(read_keys(t, text, 0600), ERR_NONE);
	CU_ASSERT_STRING_EQUAL(why, "");
	CU_ASSERT_EQUAL(t->set.count, 3);
	CU_ASSERT(t->set.at[0].name[0] == 0x11 && t->set.at[0].aes[31] == 0x11);
	CU_ASSERT(t->set.at[1].hmac[0] == 0xaa && t->set.at[2].name[15] == 0xff);
	text[HEX_DIGITS] = '\0'; /* one, and no end of line */
	CU_ASSERT_EQUAL(read_keys(t, text, 0640), ERR_NONE);
	CU_ASSERT_STRING_EQUAL(why, "");
	CU_ASSERT_EQUAL(t->set.count, 1);
	CU_ASSERT_EQUAL(read_keys(t, text, 0644), ERR_NONE);
	CU_ASSERT(says(why, "keys: others can read or write it; chmod 600"));
	tickets_free(&t);
	CU_ASSERT_PTR_NULL(t);
	tickets_free(&t);
}

static void test_bad(void)
{
	static const char hex[] = "not 160 hex digits; write one with: openssl rand -hex 80";
	struct tickets *t;
	char text[6 * HEX_DIGITS];
	CU_ASSERT_EQUAL_FATAL(tickets_new(&t), ERR_NONE);
	struct key_set before = t->set;
	CU_ASSERT_EQUAL(read_keys(t, "", 0600), ERR_CONF);
	CU_ASSERT(says(why, "keys: no key in it"));
	snprintf(text, sizeof(text), "%s\n", line_of('1'));
	CU_ASSERT_EQUAL(read_keys(t, text, 0600), ERR_CONF);
	CU_ASSERT(says(why, "keys:2: ") && says(why, hex));
	snprintf(text, sizeof(text), "%s%s", line_of('1'), line_of('1') + 1);
	CU_ASSERT_EQUAL(read_keys(t, text, 0600), ERR_CONF);
	CU_ASSERT(says(why, "keys:2: ") && says(why, hex));
	snprintf(text, sizeof(text), "%s", line_of('g'));
	CU_ASSERT_EQUAL(read_keys(t, text, 0600), ERR_CONF);
	CU_ASSERT(says(why, "keys:1: ") && says(why, hex));
	snprintf(text, sizeof(text), "%s%s", line_of('1'), line_of('1'));
	CU_ASSERT_EQUAL(read_keys(t, text, 0600), ERR_CONF);
	CU_ASSERT(says(why, "keys:2: ") && says(why, "is there already"));
	snprintf(
	    text, sizeof(text), "%s%s%s%s", line_of('1'), line_of('2'), line_of('3'), line_of('4'));
	CU_ASSERT_EQUAL(read_keys(t, text, 0600), ERR_CONF);
	CU_ASSERT(says(why, "keys:4: more than 3 keys"));
	CU_ASSERT_EQUAL(tickets_read(t, made_path("none"), why, sizeof(why)), ERR_CONF);
	CU_ASSERT(says(why, "none: cannot be read: No such file"));
	CU_ASSERT_EQUAL(tickets_read(t, made_folder, why, sizeof(why)), ERR_CONF);
	CU_ASSERT(says(why, "cannot be read: Is a directory"));
	CU_ASSERT_EQUAL(memcmp(&before, &t->set, sizeof(before)), 0);
	tickets_free(&t);
}

static void test_rotate(void)
{
	struct tickets *t;
	struct key key, first;
	CU_ASSERT_EQUAL_FATAL(tickets_new(&t), ERR_NONE);
	first = copy_newest(t);
	for (unsigned rotations = 1; rotations <= 3; rotations++) {
		CU_ASSERT_EQUAL(tickets_rotate(t), ERR_NONE);
		CU_ASSERT_EQUAL(copy_named(t, first.name, &key), rotations);
		struct key newest = copy_newest(t);
		CU_ASSERT_EQUAL(copy_named(t, newest.name, &key), 0);
		CU_ASSERT_NOT_EQUAL(memcmp(newest.aes, first.aes, sizeof(newest.aes)), 0);
	}
	tickets_free(&t);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "read", test_read },
		{ "bad files", test_bad },
		{ "rotate", test_rotate },
		CU_TEST_INFO_NULL,
	};
	return run_tests("ticket", tests);
}
