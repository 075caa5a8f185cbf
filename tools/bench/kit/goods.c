/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/kit/goods.h"

#include "tools/bench/kit/chance.h"

enum { HEAD_ROOM = 512, LEAST_BYTES = 64 };

struct key goods_key(struct hash_secret secret, uint64_t n, char text[GOODS_KEY_ROOM])
{
	int len = snprintf(text, GOODS_KEY_ROOM,
	    "http://shop.example/catalog/%03" PRIu64 "/item-%07" PRIu64, n % 1000, n);
	struct slice key = slice_of(text, (size_t)len);
	return (struct key){ key, hash_siphash(secret, key) };
}

/* What differs from page to page does here: both dates, the tag, the request's id. */
static struct slice head_of(uint64_t n, char room[HEAD_ROOM])
{
	unsigned time = (unsigned)(chance_of(n) >> 40);
	int len = snprintf(room, HEAD_ROOM,
	    "Date: Fri, 20 Nov 2026 %02u:%02u:%02u GMT\r\n"
	    "Server: shop/2.1\r\n"
	    "Content-Type: text/html; charset=utf-8\r\n"
	    "Cache-Control: max-age=3600\r\n"
	    "ETag: \"%016" PRIx64 "\"\r\n"
	    "Last-Modified: Mon, %02u Nov 2025 %02u:%02u:%02u GMT\r\n"
	    "Accept-Ranges: bytes\r\n"
	    "X-Request-Id: %08" PRIx64 "\r\n"
	    "X-Frame-Options: DENY\r\n"
	    "Content-Language: en\r\n"
	    "Referrer-Policy: same-origin\r\n"
	    "Via: 1.1 shop-17\r\n",
	    time / 3600 % 24, time / 60 % 60, time % 60, chance_of(n), 1 + time % 28,
	    time / 28 % 24, time / 700 % 60, time / 50000 % 60, chance_of(n) >> 32);
	return slice_of(room, (size_t)len);
}

/* The n-th body is a run of these words from a place of its own. */
static uint64_t word_of(uint64_t n, uint64_t index)
{
	return chance_of((n << 28) + index);
}

static void fill(uint64_t n, uint64_t offset, char *to, size_t len)
{
	while (len > 0) {
		uint64_t word = word_of(n, offset / 8);
		size_t skip = offset % 8, take = min_size(8 - skip, len);
		memcpy(to, (char *)&word + skip, take);
		offset += take;
		to += take;
		len -= take;
	}
}

bool goods_match(uint64_t n, uint64_t offset, struct slice got)
{
	char want[4096];
	while (got.len > 0) {
		size_t len = min_size(got.len, sizeof(want));
		fill(n, offset, want, len);
		if (memcmp(want, got.at, len) != 0)
			return false;
		got = slice_from(got, len);
		offset += len;
	}
	return true;
}

bool goods_head_matches(const struct object *o, uint64_t n)
{
	char room[HEAD_ROOM];
	return o->status == 200 && slice_eq(o->head, head_of(n, room));
}

static struct flow *body_of(uint64_t n, uint64_t bytes)
{
	struct flow *f = flow_new(bytes, FLOW_KEEP_ALL, 0);
	must(f != NULL);
	for (uint64_t at = 0; at < bytes;) {
		size_t room;
		char *to = flow_room(f, &room);
		must(to != NULL);
		fill(n, at, to, room);
		flow_wrote(f, room);
		at += room;
	}
	flow_finish(f, SLICE_NONE);
	return f;
}

struct object *goods_object(struct hash_secret secret, uint64_t n, uint64_t body_bytes)
{
	char text[GOODS_KEY_ROOM], room[HEAD_ROOM];
	struct object *o = object_new(OBJECT_ANSWER, goods_key(secret, n, text),
	    (struct object_texts){ .head = head_of(n, room) }, 0);
	must(o != NULL);
	size_t tag = slice_find_slice(o->head, SL("ETag: ")) + 6;
	o->status = 200;
	o->reason = REASON_STORED;
	o->validators.etag = slice_first(slice_from(o->head, tag), 18);
	o->life.fresh_until = o->life.keep_until = WALL_FOREVER;
	o->body = body_of(n, body_bytes);
	return o;
}

uint64_t goods_size(uint64_t n, uint64_t max)
{
	uint64_t bytes = (uint64_t)chance_lognormal(n, 16.0 * 1024, 1.6);
	return min_u64(max_u64(bytes, LEAST_BYTES), max);
}
