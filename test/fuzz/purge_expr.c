/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a tag expression: what is refused has a place in the text; what is taken prints to a
 * text within the bound that reads the same and takes the same sets of the text's own words.
 */
#include "cache/rule/scope.h"
#include "purge/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS = 6 };

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

/* Runs of bytes between what divides tags: most of them are tags. */
static size_t words_of(struct slice text, uint64_t ids[WORDS])
{
	size_t count = 0, start = 0;
	for (size_t i = 0; i <= text.len && count < WORDS; i++) {
		if (i < text.len && !memchr(" \t\r\n\"()", text.at[i], 7))
			continue;
		if (i > start)
			ids[count++] = scope_tag_id(slice_of(text.at + start, i - start));
		start = i + 1;
	}
	qsort(ids, count, sizeof(*ids), compare);
	return count;
}

static void check_same(const struct expr *a, const struct expr *b, struct slice text)
{
	uint64_t words[WORDS], set[WORDS];
	size_t count = words_of(text, words);
	for (size_t mask = 0; mask < (size_t)1 << count; mask++) {
		size_t len = 0;
		for (size_t i = 0; i < count; i++)
			if (mask >> i & 1)
				set[len++] = words[i];
		must(expr_matches(a, set, len) == expr_matches(b, set, len));
	}
	must(expr_matches_untagged(a) == expr_matches_untagged(b));
}

static void check(const struct expr *e, struct slice text)
{
	struct expr *again;
	struct expr_problem problem;
	struct buf once, twice;
	buf_init(&once, EXPR_TEXT);
	buf_init(&twice, EXPR_TEXT);
	expr_print(e, &once);
	must(!once.overflow);
	must(expr_parse(buf_slice(&once), &again, &problem) == ERR_NONE);
	expr_print(again, &twice);
	must(slice_eq(buf_slice(&once), buf_slice(&twice)));
	check_same(e, again, text);
	expr_free(&again);
	buf_fini(&once);
	buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of((const char *)data, size);
	struct expr *e;
	struct expr_problem problem;
	if (expr_parse(text, &e, &problem) == ERR_NONE) {
		check(e, text);
		expr_free(&e);
	} else {
		must(problem.at <= size && problem.why[0]);
	}
	return 0;
}
