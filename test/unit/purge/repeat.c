/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/repeat.c"

#include "test/unit/edge/http/kit.h"

static struct repeats *repeats;
static uint64_t number; /* what the latest `begin` said; UNSAID when it said nothing */
enum { UNSAID = 777777 };

static enum repeat begin(const char *actor, const char *key, const char *text)
{
	struct repeat_order o = { slice_str(actor), slice_str(key), slice_str(text) };
	number = UNSAID;
	return repeat_begin(repeats, &o, &number);
}

static uint64_t begin_new(const char *actor, const char *key, const char *text)
{
	CU_ASSERT_EQUAL_FATAL(begin(actor, key, text), REPEAT_NEW);
	CU_ASSERT_NOT_EQUAL_FATAL(number, 0);
	CU_ASSERT_NOT_EQUAL_FATAL(number, UNSAID);
	return number;
}

static void check(
    enum repeat got, const char *actor, const char *key, const char *text, uint64_t seq)
{
	char row[120];
	snprintf(row, sizeof(row), "%s/%s: %s", actor, key, text);
	CHECK(row, begin(actor, key, text) == got);
	CHECK(row, number == (seq ? seq : UNSAID));
}

static void fresh(void)
{
	repeats_free(&repeats);
	CU_ASSERT_PTR_NULL(repeats);
	repeats = repeats_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(repeats);
}

/* ---- */

static void test_once(void)
{
	fresh();
	uint64_t ticket = begin_new("ci", "k", "{a}");
	check(REPEAT_BUSY, "ci", "k", "{a}", 0);
	check(REPEAT_OTHER, "ci", "k", "{b}", 0);
	repeat_end(repeats, ticket, 17);
	for (int i = 0; i < 3; i++) {
		check(REPEAT_SAME, "ci", "k", "{a}", 17);
		check(REPEAT_OTHER, "ci", "k", "{b}", 0);
	}
	/* All that was sent counts, and neither text is the other's beginning. */
	for (const char *const *text =
		 (const char *const[]){ "", "{", "{a} ", " {a}", "{A}", NULL };
	     *text; text++)
		check(REPEAT_OTHER, "ci", "k", *text, 0);
	for (const char *const *key = (const char *const[]){ "", "K", "k ", "kk", "ci", NULL };
	     *key; key++)
		repeat_end(repeats, begin_new("ci", *key, "{a}"), 0);
	check(REPEAT_SAME, "ci", "k", "{a}", 17);
}

static void test_not_done(void)
{
	fresh();
	repeat_end(repeats, begin_new("ci", "k", "{a}"), 0);
	/* So it may be tried again, with the same order or a mended one. */
	repeat_end(repeats, begin_new("ci", "k", "{a}"), 0);
	uint64_t ticket = begin_new("ci", "k", "{b}");
	check(REPEAT_OTHER, "ci", "k", "{a}", 0);
	repeat_end(repeats, ticket, 3);
	check(REPEAT_SAME, "ci", "k", "{b}", 3);
}

static void test_actors(void)
{
	fresh();
	uint64_t ticket = begin_new("ci", "k", "{a}");
	uint64_t other = begin_new("deploy", "k", "{a}");
	CU_ASSERT_NOT_EQUAL(ticket, other);
	repeat_end(repeats, ticket, 1);
	check(REPEAT_SAME, "ci", "k", "{a}", 1);
	check(REPEAT_BUSY, "deploy", "k", "{a}", 0);
	repeat_end(repeats, other, 2);
	check(REPEAT_SAME, "ci", "k", "{a}", 1);
	check(REPEAT_SAME, "deploy", "k", "{a}", 2);
	/* Another's order under that key is no reason to refuse this one's. */
	repeat_end(repeats, begin_new("cert:ci", "k", "{b}"), 3);
	check(REPEAT_SAME, "ci", "k", "{a}", 1);
	/* Where the name ends and the key begins makes a difference. */
	repeat_end(repeats, begin_new("cik", "", "{a}"), 4);
	repeat_end(repeats, begin_new("c", "ik", "{a}"), 5);
	repeat_end(repeats, begin_new("", "cik", "{a}"), 6);
	repeat_end(repeats, begin_new("k", "ci", "{a}"), 7);
	check(REPEAT_SAME, "cik", "", "{a}", 4);
	check(REPEAT_SAME, "c", "ik", "{a}", 5);
}

static void test_tickets(void)
{
	fresh();
	uint64_t first = begin_new("ci", "k", "{a}");
	repeat_end(repeats, first, 0);
	uint64_t second = begin_new("ci", "k", "{a}");
	/* Who has ended has no more to say. */
	repeat_end(repeats, first, 9);
	check(REPEAT_BUSY, "ci", "k", "{a}", 0);
	repeat_end(repeats, 0, 9);
	repeat_end(repeats, second + 1, 9);
	repeat_end(repeats, UINT64_MAX, 9);
	check(REPEAT_BUSY, "ci", "k", "{a}", 0);
	repeat_end(repeats, second, 10);
	check(REPEAT_SAME, "ci", "k", "{a}", 10);
}

static const char *numbered(unsigned i)
{
	static char key[16];
	snprintf(key, sizeof(key), "key-%u", i);
	return key;
}

/* So many orders of others, done. */
static void crowd(unsigned count)
{
	static unsigned next;
	for (unsigned i = 0; i < count; i++, next++)
		repeat_end(repeats, begin_new("crowd", numbered(next), "{}"), 1);
}

static void test_aging(void)
{
	fresh();
	/* As many as there is room for are remembered, each with its own. */
	for (unsigned i = 0; i < REPEAT_KEYS; i++)
		repeat_end(repeats, begin_new("ci", numbered(i), "{}"), 100 + i);
	for (unsigned i = 0; i < REPEAT_KEYS; i++)
		check(REPEAT_SAME, "ci", numbered(i), "{}", 100 + i);
	/* One more, and the oldest is forgotten: that one alone. To be asked for makes nothing
	 * younger. */
	crowd(1);
	check(REPEAT_SAME, "ci", numbered(1), "{}", 101);
	check(REPEAT_SAME, "ci", numbered(REPEAT_KEYS - 1), "{}", 100 + REPEAT_KEYS - 1);
	repeat_end(repeats, begin_new("ci", numbered(0), "{other}"), 5);
	check(REPEAT_SAME, "ci", numbered(0), "{other}", 5);
	begin_new("ci", numbered(1), "{}");
	check(REPEAT_SAME, "ci", numbered(3), "{}", 103);
}

static void test_bound(void)
{
	fresh();
	crowd(3 * REPEAT_KEYS + 5);
	size_t used = 0;
	for (size_t i = 0; i < REPEAT_KEYS; i++)
		used += repeats->all[i].ticket > 0;
	CU_ASSERT_EQUAL(used, REPEAT_KEYS);
	CU_ASSERT(sizeof(*repeats) <= 512 * KIB);
}

/* What took so long that it was forgotten ends under a key that is another's by now. */
static void test_forgotten_under_way(void)
{
	fresh();
	uint64_t late = begin_new("ci", "k", "{a}");
	uint64_t later = begin_new("ci", "l", "{a}");
	crowd(REPEAT_KEYS);
	uint64_t again = begin_new("ci", "k", "{b}");
	repeat_end(repeats, late, 17);
	check(REPEAT_BUSY, "ci", "k", "{b}", 0);
	check(REPEAT_OTHER, "ci", "k", "{a}", 0);
	repeat_end(repeats, again, 18);
	check(REPEAT_SAME, "ci", "k", "{b}", 18);
	begin_new("ci", "l", "{b}");
	repeat_end(repeats, later, 0);
	check(REPEAT_BUSY, "ci", "l", "{b}", 0);
}

static void test_life(void)
{
	repeats_free(&repeats);
	repeats_free(&repeats);
	CU_ASSERT_PTR_NULL(repeats);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "done once", test_once },
		{ "what was not done", test_not_done },
		{ "a key is its actor's", test_actors },
		{ "tickets", test_tickets },
		{ "the oldest are forgotten", test_aging },
		{ "bound", test_bound },
		{ "forgotten under way", test_forgotten_under_way },
		{ "life", test_life },
		CU_TEST_INFO_NULL,
	};
	return kit_run("purge/repeat", tests);
}
