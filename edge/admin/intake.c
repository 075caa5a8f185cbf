/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/intake.h"

enum { IOVECS = 16, BODY_BYTES = 2 * 1024 * 1024 };

static void end(struct intake *in, enum err err) ON_LOOP
{
	if (in->is_open)
		flow_detach(&in->reader);
	in->is_open = false;
	in->done(in, err);
}

static void pump(struct intake *in) ON_LOOP
{
	enum flow_state state = FLOW_FILLING;
	do {
		struct iovec iov[IOVECS];
		int count = flow_peek(&in->reader, iov, IOVECS, UINT64_MAX, &state);
		for (int i = 0; i < count; i++) {
			buf_add(&in->text, slice_of(iov[i].iov_base, iov[i].iov_len));
			flow_advance(&in->reader, iov[i].iov_len);
		}
		if (count == 0 && state == FLOW_COMPLETE) {
			end(in, in->text.overflow ? ERR_NO_MEMORY : ERR_NONE);
			return;
		}
		if (count == 0 && state == FLOW_FAILED) {
			end(in, in->reader.flow->failure);
			return;
		}
	} while (!flow_wait(&in->reader, &in->more));
}

static void on_more(struct mail *m)
{
	role_loop();
	struct intake *in = CONTAINER_OF(m, struct intake, more);
	if (in->is_open)
		pump(in);
	else
		in->done(in, ERR_CANCELLED);
}

void intake_start(struct intake *in, struct stream *stream, void (*done)(struct intake *, enum err))
{
	in->done = done;
	buf_init(&in->text, BODY_BYTES);
	mail_init(&in->more, on_more);
	in->is_open = stream->body && flow_attach(&in->reader, stream->body, 0, stream->home);
	if (!in->is_open) {
		in->done(in, stream->body ? ERR_NO_MEMORY : ERR_NONE);
		return;
	}
	stream_want_body(stream);
	pump(in);
}

bool intake_stop(struct intake *in)
{
	if (in->is_open)
		flow_detach(&in->reader);
	in->is_open = false;
	buf_fini(&in->text);
	return !mail_is_posted(&in->more);
}
