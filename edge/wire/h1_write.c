/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h1_write.h"

void h1_write_field(struct buf *b, struct slice name, struct slice value)
{
	buf_add(b, name);
	buf_add(b, SL(": "));
	buf_add(b, value);
	buf_add(b, SL("\r\n"));
}

/* The last line of a head says how the body is framed (RFC 9112 6). */
static void write_framing(struct buf *b, const struct request *request)
{
	if (request->framing == FRAMING_CHUNKED) {
		buf_add(b, SL("Transfer-Encoding: chunked\r\n"));
	} else if (request->framing == FRAMING_LENGTH) {
		buf_add(b, SL("Content-Length: "));
		buf_add_u64(b, request->content_length);
		buf_add(b, SL("\r\n"));
	}
}

void h1_write_request(
    struct buf *b, const struct request *request, const struct fields *fields, struct slice host)
{
	buf_add(b, request->method_name);
	buf_add_char(b, ' ');
	buf_add(b, request->path);
	if (request->has_query) {
		buf_add_char(b, '?');
		buf_add(b, request->query);
	}
	buf_add(b, SL(" HTTP/1.1\r\n"));
	h1_write_field(b, SL("Host"), host);
	for (uint32_t i = 0; i < fields->count; i++)
		h1_write_field(b, fields->at[i].name, fields->at[i].value);
	write_framing(b, request);
	buf_add(b, SL("\r\n"));
}

void h1_write_status_line(struct buf *b, uint16_t status)
{
	if (status == 200) {
		buf_add(b, SL("HTTP/1.1 200 OK\r\n"));
		return;
	}
	buf_add(b, SL("HTTP/1.1 "));
	buf_add_u64(b, status);
	buf_add_char(b, ' ');
	buf_add(b, status_reason(status));
	buf_add(b, SL("\r\n"));
}

void h1_write_chunk_size(struct buf *b, uint64_t bytes)
{
	static const char digits[] = "0123456789abcdef";
	char text[16];
	size_t at = sizeof(text);
	do {
		text[--at] = digits[bytes & 15];
		bytes >>= 4;
	} while (bytes);
	buf_add(b, slice_of(text + at, sizeof(text) - at));
	buf_add(b, SL("\r\n"));
}

void h1_write_last_chunk(struct buf *b, struct slice trailers)
{
	buf_add(b, SL("0\r\n"));
	buf_add(b, trailers);
	buf_add(b, SL("\r\n"));
}
