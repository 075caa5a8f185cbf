/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a stored object, as JSON for people and programs: where it is, what it is, how
 * long it counts, what tells it from other variants.
 *
 *	{"url":"http://shop.example/x","tiers":["hot","cold"],"kind":"answer","status":200,
 *	 "reason":"max-age","state":"fresh","age_seconds":12,"body_bytes":5120,"is_complete":true,
 *	 "born":"2026-11-21T06:00:00.000Z","fresh_until":...,"stale_while_revalidate_until":...,
 *	 "stale_if_error_until":...,"keep_until":...,
 *	 "etag":"\"x\"","last_modified":null,"tags_count":2,"tags":["a","b"],"vary":"accept-language",
 *	 "values":{"accept-language":"de"},"seq":1099511627779,"is_overtaken":false,
 *	 "hits":7,"memory_bytes":5712,"disk_place":"0000000100000004"}
 *
 * A marker that the key varies ("kind":"vary") has its fields and "variants"; a key that was
 * uncacheable a moment ago ("uncacheable") has its reason and "until". hits and memory_bytes are
 * there with the hot tier alone, disk_place with the cold; tags, the first 100 of them, not in
 * lists.
 */
#pragma once

#include "cache/tier/catalog.h"

/* One object, as both tiers see it: one of the two may be missing. */
struct sight {
	struct object *hot;
	const struct catalog_item *cold;
	bool is_cold; /* on disk, though `cold` was not looked up */
	bool is_overtaken;
	bool shows_tags;
};

/* The object that speaks for both: what is in RAM is the newer one. */
const struct object *sight_object(const struct sight *);

/* Appends an object. */
void describe(struct buf *, const struct sight *, struct wall now);
/* What may be done with an answer now: a word for people. Static. */
const char *describe_state(const struct life *, struct wall now);
