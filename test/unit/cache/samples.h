/* SPDX-License-Identifier: Apache-2.0 */
/* Objects for the cache's tests: each is all made from one number, so that it can be checked. */
#pragma once

#include <CUnit/Basic.h>
#include <unistd.h>

#include "cache/tier/object.h"

/* The hash of a number: different for all, and spread as a real one. */
static inline struct hash128 sample_hash(uint64_t n)
{
	uint64_t x = (n + 1) * 0x9e3779b97f4a7c15, y;
	x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9;
	y = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (struct hash128){ x ^ x >> 29, y ^ y >> 31 };
}

/* The key of a number; its text is in `text`. */
static inline struct key sample_key(uint64_t n, char text[48])
{
	int len = snprintf(text, 48, "http://sample.example/%" PRIu64, n);
	return (struct key){ slice_of(text, (size_t)len), sample_hash(n) };
}

static inline char sample_byte(uint64_t n, uint64_t offset)
{
	return (char)(n * 31 + offset * 7 + (offset >> 12) * 3);
}

static inline struct flow *sample_body(uint64_t n, uint64_t bytes)
{
	struct flow *f = flow_new(bytes, FLOW_KEEP_ALL, 0);
	for (uint64_t at = 0; at < bytes;) {
		size_t room;
		char *to = flow_room(f, &room);
		for (size_t i = 0; i < room; i++)
			to[i] = sample_byte(n, at + i);
		flow_wrote(f, room);
		at += room;
	}
	flow_finish(f, SLICE_NONE);
	return f;
}

static inline struct object *sample_head(uint64_t n)
{
	char text[48];
	struct object_texts texts = {
		.head = SL("Content-Type: text/plain\r\nETag: \"sample\"\r\n"),
	};
	struct object *o = object_new(OBJECT_ANSWER, sample_key(n, text), texts, 0);
	o->status = 200;
	o->reason = REASON_STORED;
	o->validators.etag = slice_first(slice_from(o->head, 32), 8);
	o->life.fresh_until = o->life.keep_until = WALL_FOREVER;
	return o;
}

static inline struct object *sample_object(uint64_t n, uint64_t bytes)
{
	struct object *o = sample_head(n);
	o->body = sample_body(n, bytes);
	return o;
}

/* Whether an object's body is all there and is the number's. */
static inline bool is_sample(const struct object *o, uint64_t n, uint64_t bytes)
{
	struct flow_reader r;
	if (!object_is_complete(o) || !flow_attach(&r, o->body, 0, NULL))
		return false;
	bool same = flow_filled(o->body) == bytes;
	struct iovec iov;
	enum flow_state state;
	uint64_t at = 0;
	while (same && flow_peek(&r, &iov, 1, UINT64_MAX, &state)) {
		const char *got = iov.iov_base;
		for (size_t i = 0; i < iov.iov_len; i++)
			same &= got[i] == sample_byte(n, at + i);
		at += iov.iov_len;
		flow_advance(&r, iov.iov_len);
	}
	flow_detach(&r);
	return same && at == bytes;
}

/* Sanitizers make much of one thing slow, and have seen it all after a little. */
static inline bool is_slow(void)
{
	const char *san = getenv("SAN");
	return san && *san;
}

static inline int run_tests(const char *name, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = {
		{ name, NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
