/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tag expression says which answers to purge by the tags that they have:
 *
 *	sale AND NOT (draft OR "two words")
 *
 *	expression = term *( OR term )
 *	term       = factor *( AND factor )
 *	factor     = NOT factor / "(" expression ")" / tag
 *
 * AND, OR and NOT are operators in any case. A tag is a run of bytes without white space, quotes
 * and parentheses, or stands in double quotes, where \" and \\ are a quote and a backslash: so a
 * tag may be named "AND". Control bytes are refused everywhere, single quotes outside of double
 * ones: who writes 'a' means a tag without them. Two tags beside each other are an error: whether a
 * list means all of them or any is not to be guessed at by what deletes.
 *
 * Tags compare as everywhere, by scope_tag_id: without regard to ASCII case.
 *
 * It is read once and never changes: all threads may ask it. The cost of an answer is bounded by
 * the bounds below, and no input makes the reading recurse.
 */
#pragma once

#include "edge/base/buf.h"
#include "edge/base/err.h"
#include "edge/base/slice.h"

/* Bytes of text, as given and as printed; tags and operators together; parentheses in another. */
enum { EXPR_TEXT = 4096, EXPR_NODES = 256, EXPR_NESTING = 32 };

struct expr;

struct expr_problem {
	size_t at;       /* offset into the text */
	const char *why; /* static */
};

/*
 * Reads an expression.
 *	own: the caller frees it by expr_free.
 *	fail: ERR_BAD_PATTERN, with the problem; ERR_NO_MEMORY.
 */
enum err expr_parse(struct slice text, struct expr **ret, struct expr_problem *ret_problem);

/* Whether an answer with these tags is meant. tag_ids: of scope_tag_id, ascending. */
bool expr_matches(const struct expr *, const uint64_t *tag_ids, size_t count);
/* Whether answers without any tag are meant, too: "NOT a" is allowed, and takes nearly
 * everything. */
bool expr_matches_untagged(const struct expr *);

/* Writes the canonical text: of at most EXPR_TEXT bytes, and it parses to the same. */
void expr_print(const struct expr *, struct buf *);

void expr_free(struct expr **);
