/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/deliver.h"

static struct delivery *delivery_of(struct source *source)
{
	return CONTAINER_OF(source, struct delivery, source);
}

/* Passes over bytes that no part asks for, as far as they are there. */
static void skip_bytes(struct delivery *d)
{
	struct iovec iov[8];
	enum flow_state state;
	while (d->skip > 0) {
		int n = flow_peek(&d->reader, iov, 8, d->skip, &state);
		if (n == 0)
			return;
		uint64_t bytes = 0;
		for (int i = 0; i < n; i++)
			bytes += iov[i].iov_len;
		flow_advance(&d->reader, bytes);
		d->skip -= bytes;
	}
}

/* A reader in RAM goes on to the next range; from the disk only what is asked for is brought. */
static bool enter(struct delivery *d, const struct range *range)
{
	if (d->reader.flow && d->reader.flow == d->object->body)
		return true;
	flow_detach(&d->reader);
	return object_attach(d->object, range->first, range->last + 1, &d->reader, d->home);
}

/* Enters the next part; what separates parts goes out before it. False after the last. */
static bool next_part(struct delivery *d)
{
	if (d->next_part == d->ranges.count) {
		d->is_over = true;
		if (d->part_heads)
			d->text = d->part_heads[d->next_part];
		return false;
	}
	const struct range *range = &d->ranges.at[d->next_part];
	if (d->part_heads)
		d->text = d->part_heads[d->next_part];
	if (d->next_part > 0 && !enter(d, range)) {
		d->has_failed = true;
		return false;
	}
	/* range_parse gives them in order, so the reader only ever moves on. */
	must(range->first >= d->reader.offset);
	d->skip = range->first - d->reader.offset;
	d->left = range->last - range->first + 1;
	d->next_part++;
	return true;
}

static enum source_state peek_body(struct delivery *d, struct iovec *iov, int max, int *ret_count)
{
	enum flow_state state;
	do {
		skip_bytes(d);
		*ret_count = d->skip ? 0 : flow_peek(&d->reader, iov, max, d->left, &state);
		if (*ret_count > 0)
			return SOURCE_MORE;
		state = flow_state(d->reader.flow);
	} while (flow_filled(d->reader.flow) > d->reader.offset ||
	    (state == FLOW_FILLING && !flow_wait(&d->reader, &d->wake)));
	if (state == FLOW_FILLING)
		return SOURCE_WAIT;
	/* The end: as it should be only for a body that was read to its own end. */
	d->has_failed = state == FLOW_FAILED || d->left != UINT64_MAX;
	d->is_over = true;
	return d->has_failed ? SOURCE_FAIL : SOURCE_END;
}

/* From RAM to the disk, at the same byte. Who has taken all there is holds nobody up any more, and
 * may be at the end; whom the disk does not take would be cut. Both stay, until they are told
 * again. */
static void move(struct delivery *d)
{
	uint64_t at = d->reader.offset;
	uint64_t end = d->left == UINT64_MAX ? UINT64_MAX : at + d->skip + d->left;
	struct flow_reader disk;
	d->is_leaving = false;
	if (at == flow_filled(d->reader.flow) ||
	    !object_attach_disk(d->object, at, end, &disk, d->home)) {
		flow_may_leave(&d->reader, &d->leave);
		return;
	}
	flow_detach(&d->reader);
	flow_hand_over(&d->reader, &disk);
}

void delivery_leave(struct delivery *d)
{
	d->is_leaving = d->reader.flow != NULL && !d->is_over;
	if (!d->is_leaving || d->source.is_lent)
		return;
	move(d);
	/* A session may wait for the body in RAM, which tells nothing any more to who has left
	 * it. */
	mail_post(d->home, &d->wake);
}

static enum source_state peek(struct source *source, struct iovec *iov, int max, int *ret_count)
{
	struct delivery *d = delivery_of(source);
	*ret_count = 0;
	if (d->is_leaving && !source->is_lent)
		move(d);
	if (d->left == 0 && d->text.len == 0 && !d->is_over)
		next_part(d);
	if (d->has_failed)
		return SOURCE_FAIL;
	if (d->text.len > 0) {
		iov[0] = (struct iovec){ (void *)(uintptr_t)d->text.at, d->text.len };
		*ret_count = 1;
		return SOURCE_MORE;
	}
	return d->is_over ? SOURCE_END : peek_body(d, iov, max, ret_count);
}

static void advance(struct source *source, uint64_t bytes)
{
	struct delivery *d = delivery_of(source);
	if (d->text.len > 0) {
		d->text = slice_from(d->text, bytes);
		return;
	}
	flow_advance(&d->reader, bytes);
	if (d->left != UINT64_MAX)
		d->left -= bytes;
}

static struct slice trailers(struct source *source)
{
	const struct delivery *d = delivery_of(source);
	return d->ranges.count ? SLICE_NONE : d->reader.flow->trailers;
}

static bool begin(struct delivery *d, struct object *object, const struct ranges *ranges,
    struct slice *part_heads, struct loop *home)
{
	d->source = (struct source){ .peek = peek, .advance = advance, .trailers = trailers };
	d->skip = 0;
	d->left = UINT64_MAX;
	d->is_over = d->has_failed = d->is_leaving = false;
	d->text = SLICE_NONE;
	d->part_heads = part_heads;
	d->next_part = 0;
	d->ranges.count = 0;
	d->home = home;
	object_unref(&d->object);
	d->object = object_ref(object);
	if (!ranges || ranges->count == 0)
		return object_attach(object, 0, UINT64_MAX, &d->reader, home);
	const struct range *first = &ranges->at[0];
	d->ranges = *ranges;
	d->left = 0;
	/* A body at rest is entered where the first range begins; so is one on its way to the
	 * disk. */
	return object_attach(object, first->first, first->last + 1, &d->reader, home) ||
	    object_attach(object, 0, UINT64_MAX, &d->reader, home);
}

bool delivery_begin(struct delivery *d, struct object *object, const struct ranges *ranges,
    struct slice *part_heads, struct loop *home)
{
	if (!begin(d, object, ranges, part_heads, home))
		return false;
	if (d->leave.deliver)
		flow_may_leave(&d->reader, &d->leave);
	return true;
}

void delivery_end(struct delivery *d)
{
	flow_detach(&d->reader);
	object_unref(&d->object);
}
