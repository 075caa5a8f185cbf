/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An order is what somebody wants to have purged, and how. It is read from JSON, whole or not at
 * all: every defect is named with the field that it is in, and nothing is done. What it means is
 * the same on every node and in every life, so the log keeps it as text (order_write) and reads it
 * back.
 *
 *	{"files":["https://shop.example/p/1"], "tags":["product-1"], "prefixes":["shop.example/img"],
 *	 "hosts":["shop.example"], "everything":true, "expression":"sale AND NOT draft",
 *	 "regex":"^https?://shop\\.example/p/[0-9]+$",
 *	 "mode":"soft", "reason":"price change", "deploy_id":"1234",
 *	 "dry_run":true, "wait":true, "fail_if_empty":true, "max_objects":1000, "confirm":true,
 *	 "refresh":{"origin_rps":20},
 *	 "wait_origin":{"url":"https://shop.example/version","header":"X-Version","equals":"42",
 *	                "timeout":"60s"}}
 *
 * A file is a URL with all its variants; what a URL's key is, the caller knows (order_key_f). A
 * prefix is "host/path", with http:// or https:// before it or without, or "/path" on all hosts.
 * The mode is soft unless only files are named: those are gone by default, as with every other
 * cache's PURGE.
 *
 * Life: order_read, order_prepare; counted: the log, the fence's patterns and who counts all hold
 * it.
 */
#pragma once

#include "cache/rule/scope.h"
#include "cache/tier/object.h"
#include "edge/base/arena.h"
#include "edge/base/buf.h"
#include "edge/base/err.h"

struct expr;
struct regex;

enum {
	ORDER_ITEMS = 10000,            /* all lists together */
	ORDER_JSON_BYTES = 1024 * 1024, /* of text */
	ORDER_REASON_BYTES = 1024,      /* reason, deploy_id */
	ORDER_TIMEOUT_MS = 600 * 1000,  /* wait_origin, at most */
	ORDER_SCOPES = 2 * ORDER_ITEMS + 1,
};

struct order_list {
	struct slice *at;
	size_t count;
};

/* wait_origin: until every address of the origin shows that, nothing is purged. */
struct order_gate {
	struct slice url;    /* empty = none */
	struct slice header; /* the field's name; or */
	struct slice json;   /* the path of a value in the body */
	struct slice equals;
	int64_t timeout_ms;
};

struct order {
	_Atomic unsigned refs;
	struct arena arena;
	/* fixed after order_read */
	struct order_list files, tags, prefixes, hosts;
	bool everything;
	struct slice expression, regex; /* empty = none */
	enum purge_mode mode;           /* PURGE_SOFT or PURGE_HARD */
	struct slice reason, deploy_id;
	struct order_gate gate;
	uint64_t max_objects; /* UINT64_MAX = any number */
	uint64_t origin_rps;  /* of the refresh; 0 = none */
	bool dry_run, wait, fail_if_empty, confirm;
	/* fixed after order_prepare */
	struct scope *scopes; /* ascending by kind and id */
	size_t scope_count;
	struct expr *expr;
	struct regex *pattern;
};

/* What is wrong with an order: the field ("tags[3]"), and a line for people. */
struct order_problem {
	char field[64];
	char why[192];
};

/* Makes an order with nothing in it. own: order_unref. fail: NULL without memory. */
struct order *order_new(void);
struct order *order_ref(struct order *);
void order_unref(struct order **);

/* Reads an order's JSON. own: order_unref. fail: ERR_BAD_ORDER with the problem, ERR_NO_MEMORY. */
enum err order_read(struct slice json, struct order **ret_order, struct order_problem *);

/* Writes the text of a URL's key, in the arena; empty: it is no URL. */
typedef struct slice order_key_f(void *arg, struct slice url, struct arena *);
/* Of a URL that is a key's text already. */
order_key_f order_same_key;
/* Makes of an order what objects are asked by. fail: as order_read. */
enum err order_prepare(struct order *, order_key_f *, void *arg, struct order_problem *);

/* Whether an object is one of those that are meant, whenever it was fetched. thread: any. */
bool order_matches(const struct order *, const struct object *);
/* Whether scopes alone say what is meant; else a pattern has to. */
bool order_has_pattern(const struct order *);
/* A key's URL with the other scheme, which is purged, too: who purges a page does not mean the page
 * of one scheme. Empty when the arena is full. */
struct slice order_other_scheme(struct slice url, struct arena *);
/* Whether it is for certain URLs and nothing else. */
bool order_is_of_files(const struct order *);
/* Whether it takes more than a selection: everything, be it as a prefix or as what has no tag, or a
 * regular expression over all. */
bool order_is_wide(const struct order *);
/* The members that say what is meant, and why, as JSON without braces. */
void order_write(const struct order *, struct buf *);
