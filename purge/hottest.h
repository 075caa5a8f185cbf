/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hottest of many objects: those that were asked for most, as many as there is room for, kept
 * while the many are met one by one. A heap, whose top is the one that was asked for least of those
 * kept; who is asked for as often as that does not take its place.
 */
#pragma once

#include "cache/tier/object.h"

/* Something that was asked for. */
struct survey_item {
	uint32_t hits;         /* when it was met: the object's go on */
	struct object *object; /* counted */
};

/* Keeps an object, with a ref of its own, if it is one of the hottest so far. room: 0 = keeps
 * none. */
void hottest_keep(struct survey_item *heap, size_t *count, size_t room, struct object *);
/* Puts what was kept in order, most asked for first; none is kept any more after that. */
void hottest_sort(struct survey_item *heap, size_t count);
