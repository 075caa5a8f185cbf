/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes make a corrupt record, or one whose object writes the same bytes again. */
#include "cache/tier/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An etag of no bytes may say that it begins anywhere, and is written as beginning at 0. */
enum { AT_CHECK = 24, AFTER_ETAG = 120 };

/* Most inputs fail at the check; with this they get behind it. */
static void mend(char *bytes, size_t size)
{
	if (size < RECORD_FIXED_BYTES)
		return;
	bytes[0] = RECORD_VERSION;
	uint32_t sum = record_check(slice_of(bytes, size));
	for (int i = 0; i < 4; i++)
		bytes[AT_CHECK + i] = (char)(sum >> (8 * i));
}

static void write_again(struct slice bytes, const struct record *r)
{
	struct object *o = record_object(r, (struct hash128){ 1, 2 });
	must(o != NULL);
	/* A body that is announced and never comes: its length and trailers are all that counts. */
	o->body = flow_new(r->body_bytes, FLOW_KEEP_ALL, 0);
	must(o->body != NULL);
	if (r->trailers.len > 0)
		o->body->trailers = slice_of(slice_to_str(r->trailers), r->trailers.len);
	struct buf again;
	buf_init(&again, 0);
	uint32_t count = record_extent_count(r);
	struct extent *runs = must_alloc((count + 1) * sizeof(*runs));
	record_extents(r, runs);
	record_write(&again, o, (struct extents){ runs, count }, r->span.first);
	free(runs);
	must(slice_eq(slice_from(buf_slice(&again), AFTER_ETAG), slice_from(bytes, AFTER_ETAG)));
	must(slice_eq(slice_first(buf_slice(&again), AT_CHECK), slice_first(bytes, AT_CHECK)));
	buf_fini(&again);
	object_unref(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = must_alloc(size + 1);
	memcpy(copy, data, size);
	if (size > 0 && data[size - 1] % 2)
		mend(copy, size);
	struct record r;
	struct slice bytes = slice_of(copy, size);
	if (record_read(bytes, &r) == ERR_NONE)
		write_again(bytes, &r);
	free(copy);
	return 0;
}
