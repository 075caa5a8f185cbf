/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/hottest.h"

static void sink(struct survey_item *heap, size_t count, size_t at)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && heap[child + 1].hits < heap[child].hits)
			child++;
		if (heap[at].hits <= heap[child].hits)
			return;
		struct survey_item one = heap[at];
		heap[at] = heap[child];
		heap[child] = one;
	}
}

static void rise(struct survey_item *heap, size_t at)
{
	for (size_t above; at > 0 && heap[above = (at - 1) / 2].hits > heap[at].hits; at = above) {
		struct survey_item one = heap[at];
		heap[at] = heap[above];
		heap[above] = one;
	}
}

void hottest_keep(struct survey_item *heap, size_t *count, size_t room, struct object *o)
{
	uint32_t hits = o->hits;
	if (*count < room) {
		heap[*count] = (struct survey_item){ hits, object_ref(o) };
		rise(heap, (*count)++);
	} else if (room > 0 && heap[0].hits < hits) {
		object_unref(&heap[0].object);
		heap[0] = (struct survey_item){ hits, object_ref(o) };
		sink(heap, room, 0);
	}
}

static int by_hits(const void *a, const void *b)
{
	const struct survey_item *x = a, *y = b;
	return (x->hits < y->hits) - (x->hits > y->hits);
}

void hottest_sort(struct survey_item *heap, size_t count)
{
	qsort(heap, count, sizeof(*heap), by_hits);
}
