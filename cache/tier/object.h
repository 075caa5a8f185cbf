/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object is what the cache holds at one hash: a stored answer (head and body), a marker that the
 * key varies, or a marker that the key was uncacheable. Everything but the tiers' own marks is
 * fixed once the object is published; a change (a 304, one more variant) makes a new object, which
 * shares the old one's body.
 *
 *	OBJECT_ANSWER  at the primary key's hash when it does not vary, else at the variant key's
 *	OBJECT_VARY    at the primary key's hash: `spec` names the fields, `variants` their hashes
 *	OBJECT_PASS    where an answer would be: until life.fresh_until nobody waits for this key
 *
 * Life: object_new, fill in, publish (hot_put, claim_end); counted; freed with the last ref.
 */
#pragma once

#include "cache/rule/fresh.h"
#include "cache/rule/key.h"
#include "cache/rule/scope.h"
#include "edge/base/list.h"
#include "edge/http/cond.h"
#include "edge/loop/flow.h"

enum object_kind { OBJECT_ANSWER = 1, OBJECT_VARY = 2, OBJECT_PASS = 3 };

/* The tags of an answer. */
struct object_tags {
	struct slice text; /* one a line, as the origin wrote them */
	uint32_t count;
	uint64_t ids[]; /* scope_tag_id's, ascending, each once */
};

/* An object's texts: copied. */
struct object_texts {
	struct slice head, spec, values;
	struct slice tags; /* one a line */
};

struct object {
	/* A lookup reads these 64 bytes and no others. */
	_Atomic uint32_t refs;
	uint16_t status;   /* fixed */
	uint8_t hot_queue; /* hot tier, under its shard's lock: this one to hot_link */
	uint8_t hot_hits;  /* 0..3 */
	struct object *hot_chain;
	struct list hot_link;
	struct hash128 hash; /* fixed, as all down to variant_count */
	struct slice key;    /* the key's text; compared on every hit */

	enum object_kind kind;
	enum reason reason; /* why it is stored, or why it passes */
	/* End-to-end field lines, "Name: value\r\n" each: no Date but the origin's, no Age, no
	 * Content-Length, nothing hop-by-hop. */
	struct slice head;
	struct slice spec;   /* OBJECT_VARY: the normal Vary spec; OBJECT_ANSWER: of its own Vary */
	struct slice values; /* OBJECT_ANSWER with a spec: the variant's values */
	struct life life;
	struct validators validators; /* slices into head */
	uint64_t seq;                 /* the fence's number when the origin request started */
	_Atomic uint64_t checked;     /* the fence's number up to which it was looked at */
	_Atomic int64_t soft_at;      /* when it was purged softly, if `fallen` says so */
	struct object_tags *tags;     /* OBJECT_ANSWER: NULL = none */
	struct flow *body;            /* counted; OBJECT_ANSWER only. NULL: none, or on disk only */
	struct hash128 *variants;     /* OBJECT_VARY: oldest first */
	uint32_t variant_count;

	/* under the hot shard's lock */
	uint32_t hot_units;    /* as counted there, in 64 bytes */
	uint32_t hot_stamp;    /* its place in the order of all queues of the shard */
	_Atomic uint32_t hits; /* found in the hot tier */

	_Atomic uint8_t fallen; /* purge_mode + 1 of what was found then; 0 = it stood */
	uint8_t tenant;         /* fixed: whose share of the tiers it takes; 0 = everybody's */
	/* atomic: set by the store's writer and its readers, looked at by all */
	_Atomic bool cold_has_head;  /* this very head is on disk, too */
	_Atomic uint64_t cold_first; /* first chunk id of a body that is in RAM, too; 0 = none */
	struct spool
	    *_Atomic spool; /* counted; set once: the body is on disk only, or on its way */
};

/*
 * Makes an object with its texts, and room for `variants` hashes, in one allocation; the caller
 * fills in the rest before it publishes. own: object_unref. fail: NULL without memory.
 */
struct object *object_new(enum object_kind, struct key, struct object_texts, uint32_t variants);
struct object *object_ref(struct object *);
void object_unref(struct object **);
/* Gives `to`, not yet published, the body of `from` and what is known of it on disk. */
void object_share_body(struct object *to, const struct object *from);

/* Tags by themselves: the bytes that they take, and writing them there. The text stays where it
 * is. */
size_t object_tags_bytes(struct slice text);
void object_tags_write(struct object_tags *, struct slice text);
/* The same answer with these tags, not yet published. own: object_unref. fail: NULL without
 * memory. */
struct object *object_with_tags(const struct object *, struct slice tags);
/* Its tags, one a line; empty = none. */
static inline struct slice object_tags(const struct object *o)
{
	return o->tags ? o->tags->text : SLICE_NONE;
}
/* Whether there is a body, be it empty: of an answer. */
bool object_has_body(const struct object *);
/* What followed the last byte of a body that is complete: field lines, or empty. */
struct slice object_trailers(const struct object *);
/* The body's length when it is known (announced, or complete). */
bool object_length(const struct object *, uint64_t *ret_bytes);
/* Whether all of the body came and was kept. */
bool object_is_complete(const struct object *);
/* Whether the body broke on its way, or went from the disk: not to be served. */
bool object_is_broken(const struct object *);
/*
 * Attaches a reader to the body from `first` to `end` (bytes; UINT64_MAX = to its end), in RAM or
 * from the disk; offsets are the body's. From RAM it may show more than that, and while it fills
 * only from 0. False: that reader has come too late, or the disk cannot serve it.
 */
bool object_attach(
    const struct object *, uint64_t first, uint64_t end, struct flow_reader *, struct loop *home);
/* The same, but from the disk only. */
bool object_attach_disk(
    const struct object *, uint64_t first, uint64_t end, struct flow_reader *, struct loop *home);
/* Parses head into fields; slices point into the object. false when the arena is full. */
bool object_fields(const struct object *, struct fields *ret_fields, struct arena *);
/* Bytes in memory, overhead and body included (an unfinished body at its announced length). */
uint64_t object_bytes(const struct object *);
