/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/regex.c"

#include <time.h>

#include "test/unit/edge/http/kit.h"

static struct regex *compiled(const char *text)
{
	struct regex *r = NULL;
	struct regex_problem problem = { 0 };
	kit_check(
	    regex_new(slice_str(text), &r, &problem) == ERR_NONE, text, problem.why, __LINE__);
	return r;
}

static bool matches(const char *text, const char *url)
{
	struct regex *r = compiled(text);
	bool answer = regex_matches(r, slice_str(url));
	CU_ASSERT_EQUAL(regex_cuts(r), 0);
	regex_free(&r);
	CU_ASSERT_PTR_NULL(r);
	return answer;
}

static void test_matching(void)
{
	static const char product[] = "^https?://shop\\.example/p/[0-9]+$";
	CU_ASSERT(matches(product, "https://shop.example/p/12345"));
	CU_ASSERT(matches(product, "http://shop.example/p/1"));
	CU_ASSERT(!matches(product, "http://shop.example/p/1?q"));
	CU_ASSERT(!matches(product, "http://shop.example/p/"));
	CU_ASSERT(!matches(product, "http://shop-example/p/1"));
	CU_ASSERT(matches("\\.(jpg|png)$", "http://a/b.png"));
	CU_ASSERT(!matches("\\.(jpg|png)$", "http://a/b.PNG"));
	CU_ASSERT(matches("(?i)\\.(jpg|png)$", "http://a/b.PNG"));
	CU_ASSERT(matches("/(?<lang>en|de)/.*(?<!draft)$", "http://a/de/b"));
	CU_ASSERT(!matches("/(?<lang>en|de)/.*(?<!draft)$", "http://a/de/draft"));
	CU_ASSERT(matches("^[a-f0-9]{64,256}$",
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	CU_ASSERT(matches("\\{999}", "{999}"));
}

/* Bytes, not characters; and the end is the end. */
static void test_bytes(void)
{
	CU_ASSERT(matches("^a.b$",
	    "a\xff"
	    "b"));
	CU_ASSERT(matches("^a..b$",
	    "a\xc3\xa9"
	    "b"));
	CU_ASSERT(!matches("b$", "ab\n"));
	CU_ASSERT(matches("^a.b", "a\nb"));
	struct regex *r = compiled("^a.b$");
	CU_ASSERT(regex_matches(r, slice_of("a\0b", 3)));
	CU_ASSERT(!regex_matches(r, slice_of("a\0bc", 4)));
	CU_ASSERT(!regex_matches(r, SLICE_NONE));
	regex_free(&r);
}

static void check_refused(struct slice text, size_t at, const char *why)
{
	struct regex *r = NULL;
	struct regex_problem problem = { 0 };
	char row[80];
	snprintf(row, sizeof(row), "%.*s", (int)min_size(text.len, 60), text.at);
	CHECK(row, regex_new(text, &r, &problem) == ERR_BAD_PATTERN);
	CHECK(row, r == NULL);
	CHECK_SLICE(row, slice_str(problem.why), why);
	CHECK(row, problem.at == at);
}

static void test_problems(void)
{
	char text[REGEX_TEXT + 1];
	memset(text, 'a', sizeof(text));
	check_refused(slice_of(text, REGEX_TEXT + 1), REGEX_TEXT, "longer than 1024 bytes");
	memset(text, '(', REGEX_NESTING + 1);
	check_refused(
	    slice_of(text, REGEX_TEXT), REGEX_NESTING + 1, "parentheses are too deeply nested");
	check_refused(SL(""), 0, "is empty");
	check_refused(SL("a("), 2, "missing closing parenthesis");
	check_refused(SL("a)"), 1, "unmatched closing parenthesis");
	check_refused(SL("/[a"), 3, "missing terminating ] for character class");
	check_refused(SL("a{257}"), 4, "a repeat of more than 256");
	check_refused(SL("a{1,65535}"), 6, "a repeat of more than 256");
	check_refused(SL("a{9"
			 "99999999999999999999999999999999}"),
	    4, "a repeat of more than 256");
	check_refused(SL("(?<k>a*)\\k<k>"), 0, "back references are not allowed");
	check_refused(SL("(?<k>a)?(?(<k>)b|c)"), 0, "back references are not allowed");
	check_refused(SL("(*LIMIT_MATCH=0)a"), 0, "options before the pattern are not allowed");
	check_refused(SL("(*UTF)a"), 0, "options before the pattern are not allowed");
	struct regex *r = NULL;
	struct regex_problem problem;
	CU_ASSERT_EQUAL(regex_new(SL("a\\Cb"), &r, &problem), ERR_BAD_PATTERN);
	CU_ASSERT_EQUAL(regex_new(SL("((a{256}){256}){256}"), &r, &problem), ERR_BAD_PATTERN);
	CU_ASSERT_PTR_NULL(r);
}

/* ---- bounds ---- */

static int64_t cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* The shortest of some: what else the machine does is not the pattern's doing. */
static int64_t cost_us(struct regex *r, struct slice url, uint64_t times)
{
	int64_t best = INT64_MAX;
	for (uint64_t i = 0; i < times; i++) {
		int64_t start = cpu_us();
		CU_ASSERT(regex_matches(r, url));
		best = (int64_t)min_u64((uint64_t)best, (uint64_t)(cpu_us() - start));
	}
	return best;
}

/* None of them matches; without the budget each takes from 2 ms to for ever. */
static void test_catastrophes(void)
{
	static const char *const patterns[] = {
		"(a+)+$",
		"^(?:(?:a|aa)+)+$",
		"(a|b|aa)*[cd]",
		"(.*)*[xz].*.*.*[xy]",
		".*.*.*.*[xy]",
		"(?=(a+))a*[bc]",
		"[ab]{128}[cd]",
		"a{256}a{256}[cd]",
		"(?:(?:a{256}){10}|b)[cd]",
		"(?:a|(?R)b)*[cd]",
		"(?:(?=a{256}[xy])|a)*[xy]",
		"(?i)(?:a*a*)*[cd]",
		"(?:a?){64}[cd]",
	};
	const uint64_t times = 5;
	/* Sanitizers are not asked to be fast. */
	const int64_t limit_us = 20000;
	static char url[60000];
	memset(url, 'a', sizeof(url));
	url[sizeof(url) - 1] = '!';
	for (size_t i = 0; i < COUNT_OF(patterns); i++) {
		struct regex *r = compiled(patterns[i]);
		int64_t us = cost_us(r, slice_of(url, sizeof(url)), times);
		CHECK(patterns[i], regex_cuts(r) == times);
		CHECK(patterns[i], us < limit_us);
		if (getenv("VERBOSE"))
			printf("%6" PRId64 " us  %s\n", us, patterns[i]);
		regex_free(&r);
	}
}

/* A budget is for one match: what one used up, the next has again. */
static void test_budget(void)
{
	struct regex *r = compiled("^(a+)+$");
	CU_ASSERT(regex_matches(r, SL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")));
	CU_ASSERT_EQUAL(regex_cuts(r), 1);
	CU_ASSERT(!regex_matches(r, SL("aaa!")));
	CU_ASSERT(regex_matches(r, SL("aaa")));
	CU_ASSERT_EQUAL(regex_cuts(r), 1);
	regex_free(&r);
}

/* What people write is far from the bounds on the longest URLs. */
static void test_long_urls(void)
{
	static const char *const patterns[] = {
		"^https?://shop\\.example/p/[0-9]+$",
		"/(en|de)/.*/sale",
		"[?&]utm_[a-z]+=",
		"^http://[^/]+/(?:[a-z]+/)*[0-9]+\\.html$",
	};
	char url[8192] = "http://shop.example/";
	for (size_t i = strlen(url); i < sizeof(url); i++)
		url[i] = i % 8 ? 'a' : '/';
	for (size_t i = 0; i < COUNT_OF(patterns); i++) {
		struct regex *r = compiled(patterns[i]);
		CHECK(patterns[i], !regex_matches(r, slice_of(url, sizeof(url))));
		CHECK(patterns[i], regex_cuts(r) == 0);
		regex_free(&r);
	}
}

/* ---- many threads ---- */

enum { THREADS = 4, ROUNDS = 300 };

static void *match_often(void *of_thread)
{
	struct regex *r = of_thread;
	uintptr_t wrong = 0;
	for (int i = 0; i < ROUNDS; i++) {
		wrong += !regex_matches(r, SL("aaaa"));
		wrong += regex_matches(r, SL("aaaa!"));
		wrong += !regex_matches(r, SL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"));
	}
	return (void *)wrong;
}

static void test_threads(void)
{
	struct regex *r = compiled("^(a+)+$");
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, match_often, r), 0);
	for (int i = 0; i < THREADS; i++) {
		void *wrong = NULL;
		pthread_join(threads[i], &wrong);
		CU_ASSERT_PTR_NULL(wrong);
	}
	CU_ASSERT_EQUAL(regex_cuts(r), THREADS * ROUNDS);
	regex_free(&r);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "matching", test_matching },
		{ "bytes", test_bytes },
		{ "problems", test_problems },
		{ "catastrophes", test_catastrophes },
		{ "budget", test_budget },
		{ "long URLs", test_long_urls },
		{ "threads", test_threads },
		CU_TEST_INFO_NULL,
	};
	return kit_run("purge/regex", tests);
}
