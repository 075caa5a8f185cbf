/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/nearest.h"

enum { WORD_BYTES = 64 };

struct nearest nearest_to(struct slice typed)
{
	/* "wrokers" is two thirds of "workers"; "on" is not two thirds of "off". */
	return (struct nearest){ .typed = typed, .limit = typed.len / 3 + 2 };
}

void nearest_offer(struct nearest *n, struct slice word)
{
	size_t edits = nearest_edits(n->typed, word);
	if (edits >= n->limit || edits >= word.len)
		return;
	n->best = word;
	n->limit = edits;
}

static size_t least(size_t a, size_t b, size_t c)
{
	return min_size(a, min_size(b, c));
}

/* Optimal string alignment, three rows of its table at a time. */
size_t nearest_edits(struct slice a, struct slice b)
{
	if (a.len > WORD_BYTES || b.len > WORD_BYTES)
		return SIZE_MAX;
	size_t rows[3][WORD_BYTES + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *oldest = before;
		before = above;
		above = row;
		row = oldest;
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			bool same = a.at[i - 1] == b.at[j - 1];
			row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
			if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] &&
			    a.at[i - 2] == b.at[j - 1])
				row[j] = min_size(row[j], before[j - 2] + 1);
		}
	}
	return row[b.len];
}
