/*
 * list.h: intrusive circular doubly linked list. A node belongs to at most
 * one list; a node that is on no list points to itself.
 */
#ifndef COUPLET_LIST_H
#define COUPLET_LIST_H

#include <stdbool.h>

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

static inline void list_push_tail(struct list *head, struct list *n)
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

static inline void list_push_head(struct list *head, struct list *n)
{
	list_push_tail(head->next, n);
}

/* Takes `n` off its list and leaves it pointing to itself; harmless when it
 * is on none. */
static inline void list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = n;
}

/* First node taken off, or NULL. */
static inline struct list *list_pop_head(struct list *head)
{
	struct list *n = head->next;

	if (n == head)
		return 0;
	list_remove(n);
	return n;
}

#define LIST_FOREACH(it, head) \
	for (struct list *it = (head)->next; it != (head); it = it->next)

/* The body may remove `it`. */
#define LIST_FOREACH_SAFE(it, head) \
	for (struct list *it = (head)->next, *it##_next = it->next; \
	     it != (head); it = it##_next, it##_next = it->next)

#endif
