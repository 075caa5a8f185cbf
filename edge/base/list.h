/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An intrusive, circular, doubly linked list. The same struct is the head of a list and the link
 * in a member. An unlinked link points at itself, so list_drop is safe to repeat.
 */
#pragma once

#include "edge/base/base.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}
static inline void list_insert_before(struct list *at, struct list *link)
{
	link->prev = at->prev;
	link->next = at;
	at->prev->next = link;
	at->prev = link;
}
static inline void list_append(struct list *head, struct list *link)
{
	list_insert_before(head, link);
}
static inline void list_prepend(struct list *head, struct list *link)
{
	list_insert_before(head->next, link);
}
static inline void list_drop(struct list *link)
{
	/* NOLINTBEGIN(clang-analyzer-unix.Malloc): it takes a member freed after its drop for one
	 * that is still linked. */
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
	/* NOLINTEND(clang-analyzer-unix.Malloc) */
}
/* The first link, taken off the list; NULL when it is empty. */
static inline struct list *list_take_first(struct list *head)
{
	struct list *first = head->next;
	if (first == head)
		return NULL;
	list_drop(first);
	return first;
}
/* Moves all of `from` to the end of `to`. */
static inline void list_move_all(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define LIST_OF(link, type, member) CONTAINER_OF(link, type, member)
/* Walks the list; the current member may be dropped. */
#define LIST_EACH(it, head)                                                                        \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                  \
	     it = it##_next, it##_next = it->next)
