/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any pattern (the first line) on any URL (the rest), and on a long one made of it: a problem has a
 * place in the pattern and a reason, an answer comes soon and is the same when asked again.
 */
#include <time.h>

#include "purge/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With sanitizers and beside other work: what is bounded by nothing takes seconds. */
enum { PATIENCE_MS = 500, LONG = 8192 };

static int64_t cpu_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static bool ask(struct regex *r, struct slice url)
{
	int64_t start = cpu_ms();
	uint64_t cuts = regex_cuts(r);
	bool answer = regex_matches(r, url);
	must(cpu_ms() - start < PATIENCE_MS);
	must(regex_cuts(r) == cuts || answer);
	return answer;
}

static void check(struct regex *r, struct slice url)
{
	static char long_url[LONG];
	for (size_t i = 0; i < LONG && url.len > 0; i++)
		long_url[i] = url.at[i % url.len];
	must(ask(r, url) == ask(r, url));
	struct slice longer = slice_of(long_url, LONG);
	must(ask(r, longer) == ask(r, longer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice url = slice_of((const char *)data, size);
	struct slice text = slice_take_until(&url, '\n');
	struct regex *r = NULL;
	struct regex_problem problem = { 0 };
	int64_t start = cpu_ms();
	enum err e = regex_new(text, &r, &problem);
	must(cpu_ms() - start < PATIENCE_MS);
	if (e == ERR_NONE)
		check(r, url);
	else
		must(problem.at <= text.len && problem.why[0]);
	regex_free(&r);
	return 0;
}
