/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The word that was meant. A hint is worth more than a list, but a wrong hint is worth less than
 * none: a word counts as near only when about two thirds of it stand.
 */
#pragma once

#include "edge/base/slice.h"

/* A search under way: offer it every valid word, then read `best`. */
struct nearest {
	struct slice typed;
	struct slice best; /* empty = nothing is near */
	size_t limit;      /* a word with fewer edits is nearer than `best` */
};

/* Starts a search for the word that is nearest to what was typed. */
struct nearest nearest_to(struct slice typed);
void nearest_offer(struct nearest *, struct slice word);

/*
 * Edits between two words: insert, drop, change a letter, or swap two neighbours. Words longer than
 * 64 bytes are infinitely far from each other.
 */
size_t nearest_edits(struct slice a, struct slice b);
