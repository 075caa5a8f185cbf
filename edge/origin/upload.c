/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/upload.h"

#include "edge/origin/exchange.h"
#include "edge/wire/h1_write.h"

enum { IOVECS = 10 };

void upload_init(struct upload *u, meter *count)
{
	*u = (struct upload){ .count = count };
	buf_init(&u->framing, 0);
}

void upload_fini(struct upload *u)
{
	buf_fini(&u->framing);
}

enum err upload_begin(
    struct upload *u, const struct exchange_spec *spec, struct loop *home, struct mail *wake)
{
	const struct request *request = spec->request;
	u->wake = wake;
	u->is_chunked = request->framing == FRAMING_CHUNKED;
	u->due = request->framing == FRAMING_LENGTH ? request->content_length : 0;
	must(spec->body || (request->framing != FRAMING_CHUNKED && u->due == 0));
	u->is_last = u->is_raw = false;
	u->failure = ERR_NONE;
	u->bytes = 0;
	buf_clear(&u->framing);
	h1_write_request(&u->framing, request, spec->fields, spec->host);
	upload_restart(u);
	if (u->framing.overflow)
		return ERR_NO_MEMORY;
	if (spec->body && !flow_attach(&u->body, spec->body, 0, home))
		return ERR_BAD_FRAMING;
	return ERR_NONE;
}

void upload_switch(struct upload *u)
{
	must(u->body.flow != NULL);
	u->is_raw = true;
	u->due = UINT64_MAX;
	u->state = PUSH_MORE;
}

void upload_end(struct upload *u)
{
	flow_detach(&u->body);
}

bool upload_can_restart(const struct upload *u)
{
	return u->body.offset == 0;
}

/* As long as the body was not begun, `framing` still begins with the head. */
void upload_restart(struct upload *u)
{
	u->framing_sent = 0;
	u->state = PUSH_MORE;
}

/* Opens a chunk with all that the flow holds now, or the last chunk when there will be no more. */
static void open_chunk(struct upload *u, enum flow_state *ret_state)
{
	struct iovec iov[IOVECS];
	int count = flow_peek(&u->body, iov, IOVECS, UINT64_MAX, ret_state);
	if (count == 0 && *ret_state != FLOW_COMPLETE)
		return;
	for (int i = 0; i < count; i++)
		u->due += iov[i].iov_len;
	u->is_last = count == 0;
	if (u->is_last)
		h1_write_last_chunk(&u->framing, u->body.flow->trailers);
	else
		h1_write_chunk_size(&u->framing, u->due);
}

/* Shows what goes next. Returns the number of iovecs. */
static int gather(struct upload *u, struct iovec *iov, enum flow_state *ret_state)
{
	struct slice framing = slice_from(buf_slice(&u->framing), u->framing_sent);
	int count = 0;
	if (framing.len > 0)
		iov[count++] = (struct iovec){ (void *)(uintptr_t)framing.at, framing.len };
	if (u->due > 0)
		count += flow_peek(&u->body, iov + count, IOVECS - count, u->due, ret_state);
	return count;
}

/* Notes what was written. */
static void advance(struct upload *u, size_t wrote)
{
	u->bytes += wrote;
	meter_add(u->count, wrote);
	size_t framing = min_size(wrote, u->framing.len - u->framing_sent);
	u->framing_sent += framing;
	if (wrote == framing)
		return;
	flow_advance(&u->body, wrote - framing);
	u->due -= wrote - framing;
	if (u->is_chunked && u->due == 0) {
		/* Goes out now, not with the next chunk: the origin may wait for it. */
		buf_clear(&u->framing);
		u->framing_sent = 0;
		buf_add(&u->framing, SL("\r\n"));
	}
}

/* There is nothing to write now: why. seen: the flow's state before it was looked at. */
static enum push explain(struct upload *u, enum flow_state seen)
{
	bool is_whole = u->is_chunked ? u->is_last : u->due == 0;
	is_whole |= u->is_raw && seen == FLOW_COMPLETE;
	if (is_whole)
		return PUSH_DONE;
	if (seen == FLOW_FILLING)
		return flow_wait(&u->body, u->wake) ? PUSH_STARVED : PUSH_MORE;
	u->failure = seen == FLOW_FAILED ? u->body.flow->failure : ERR_BAD_FRAMING;
	return PUSH_FAILED;
}

static enum push push_once(struct upload *u, struct conn *c) ON_LOOP
{
	struct iovec iov[IOVECS];
	enum flow_state seen = FLOW_FILLING;
	if (u->is_chunked && u->due == 0 && !u->is_last)
		open_chunk(u, &seen);
	int count = gather(u, iov, &seen);
	if (count == 0)
		return explain(u, seen);
	size_t wrote, shown = 0;
	for (int i = 0; i < count; i++)
		shown += iov[i].iov_len;
	enum io io = conn_writev(c, iov, count, &wrote);
	advance(u, wrote);
	if (io != IO_OK && io != IO_AGAIN)
		return PUSH_BROKEN;
	return wrote < shown ? PUSH_BLOCKED : PUSH_MORE;
}

enum push upload_push(struct upload *u, struct conn *c)
{
	if (u->state == PUSH_DONE || u->state == PUSH_BROKEN)
		return u->state;
	do {
		u->state = push_once(u, c);
	} while (u->state == PUSH_MORE);
	if (u->is_raw && u->state == PUSH_DONE)
		conn_shut(c);
	return u->state;
}
