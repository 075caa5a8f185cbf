/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, shown in steps of a size that the first byte gives: the reader takes each byte once,
 * stays within what it was shown, and says the same in one step as in many.
 */
#include "edge/wire/h1_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct h1_limits limits = {
	.line_bytes = 512, .head_bytes = 4096, .fields = 32, .body_bytes = 4096
};

static enum h1_event read_message(
    enum h1_kind kind, struct slice bytes, size_t step, struct arena *arena, uint64_t *ret_body)
{
	struct h1_reader reader;
	struct request request = { .scheme = SL("http") };
	struct response response = { 0 };
	struct flow *flow = flow_new(FLOW_LENGTH_UNKNOWN, FLOW_KEEP_ALL, 0);
	enum h1_event event = H1_MORE;
	size_t begin = 0, shown = 0, used = 0;
	bool has_head = false;
	h1_reader_begin(&reader, kind, &limits, arena);
	while (shown < bytes.len && event == H1_MORE) {
		shown = min_size(shown + step, bytes.len);
		struct slice view = slice_of(bytes.at + begin, shown - begin);
		if (!has_head)
			event = h1_read_head(&reader, view, &used, &request, &response);
		else
			event = h1_read_body(&reader, view, &used, flow);
		must(used <= view.len);
		begin += used;
		if (event == H1_HEAD) {
			has_head = true;
			view = slice_of(bytes.at + begin, shown - begin);
			event = h1_read_body(&reader, view, &used, flow);
			must(used <= view.len);
			begin += used;
		}
	}
	if (event == H1_MORE)
		event = h1_read_eof(&reader);
	*ret_body = event == H1_END ? flow_filled(flow) : 0;
	flow_unref(&flow);
	return event;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	enum h1_kind kind = data[0] & 1 ? H1_REQUEST : H1_ANSWER;
	size_t step = 1 + (data[0] >> 1);
	struct slice bytes = slice_of((const char *)data + 1, size - 1);
	uint64_t body_whole, body_steps;
	struct arena arena;
	arena_init(&arena, 256 * KIB);
	enum h1_event whole = read_message(kind, bytes, bytes.len, &arena, &body_whole);
	arena_reset(&arena);
	enum h1_event steps = read_message(kind, bytes, step, &arena, &body_steps);
	must(whole == steps && body_whole == body_steps);
	arena_fini(&arena);
	return 0;
}
