/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A regular expression over URLs, in PCRE2's syntax, that cannot be made to take long: an order to
 * purge comes from outside, and what it says is asked of every stored answer.
 *
 * PCRE2's own limits do not bound a match: they are counted anew from each byte where a match may
 * begin, and know nothing of the bytes that one step reads. `(?=(a+))a*[bc]` on 8,000 bytes took
 * 27 ms under a match limit of 10,000, `(?<k>a*)\k<k>[bc]` 877 ms. So every item of the pattern
 * calls out (PCRE2_AUTO_CALLOUT), and pays there from a budget of REGEX_STEPS: one for itself, and
 * one for each 32 bytes that were read since. That takes a simple pattern from 0.1 us to 0.2 us,
 * and the worst one found to 0.6 ms. What could read much without getting to the next item is
 * refused: back references, and repeats above REGEX_REPEAT.
 *
 * A match that runs out of its budget, or of memory, counts as a match, and is counted: to fetch an
 * answer once more than was needed is safe, to keep one that was to be purged is not.
 *
 * There is no JIT compiler in it: it halves the time, but wants memory that is writable and
 * executable, which the unit of systemd denies for good reason; and the same order should purge the
 * same answers on every machine.
 *
 * The syntax is PCRE2's of bytes, not of UTF-8. `.` is any byte, `$` the end alone; only named
 * groups capture, which nothing can see. A match anywhere in the URL will do: anchors are the
 * pattern's own.
 *
 * It is compiled once and never changes but for its counter: all threads may ask it. Each thread
 * that does keeps up to REGEX_HEAP_KIB until it ends.
 */
#pragma once

#include "edge/base/err.h"
#include "edge/base/slice.h"

enum {
	REGEX_TEXT = 1024,     /* bytes of a pattern */
	REGEX_NESTING = 32,    /* groups in each other */
	REGEX_REPEAT = 256,    /* the largest number in {} */
	REGEX_STEPS = 20000,   /* of one match: under a millisecond */
	REGEX_HEAP_KIB = 1024, /* of backtracking, for each thread */
};

struct regex;

struct regex_problem {
	size_t at; /* offset into the text */
	char why[128];
};

/*
 * Compiles a pattern. An empty one, which would match everything, is refused.
 *	own: the caller frees it by regex_free.
 *	fail: ERR_BAD_PATTERN, with the problem; ERR_NO_MEMORY.
 */
enum err regex_new(struct slice text, struct regex **ret, struct regex_problem *ret_problem);

/* Whether a URL matches, or nobody can tell within the bounds. thread: any. */
bool regex_matches(struct regex *, struct slice url);
/* How many matches were cut short. thread: any. */
uint64_t regex_cuts(const struct regex *);

/* After the last match has returned. */
void regex_free(struct regex **);
