/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/sending.h"

#include "edge/wire/h1_write.h"

void sending_init(struct sending *s)
{
	*s = (struct sending){ 0 };
	buf_init(&s->out, 0);
}

void sending_reset(struct sending *s)
{
	buf_clear(&s->out);
	s->out_sent = 0;
	s->source = NULL;
	s->delimiter = BY_NOTHING;
	s->left = 0;
	s->is_begun = s->source_ended = false;
}

void sending_fini(struct sending *s)
{
	buf_fini(&s->out);
}

/* ---- heads ---- */

static void write_lines(struct sending *s, const struct answer *a)
{
	h1_write_status_line(&s->out, a->status);
	for (size_t i = 0; i < COUNT_OF(a->lines); i++)
		buf_add(&s->out, a->lines[i]);
}

void sending_interim(struct sending *s, const struct answer *a)
{
	write_lines(s, a);
	buf_add(&s->out, SL("\r\n"));
}

/* How the body ends (RFC 9112 6.3). */
static void write_framing(struct sending *s, const struct answer *a)
{
	s->delimiter = BY_NOTHING;
	if (a->status == 101) {
		s->delimiter = BY_TUNNEL;
	} else if (a->has_length) {
		buf_add(&s->out, SL("Content-Length: "));
		buf_add_u64(&s->out, a->length);
		buf_add(&s->out, SL("\r\n"));
		s->delimiter = BY_LENGTH;
		s->left = a->length;
	} else if (a->has_body && s->version >= 11) {
		buf_add(&s->out, SL("Transfer-Encoding: chunked\r\n"));
		s->delimiter = BY_CHUNKS;
	} else if (a->has_body) {
		s->delimiter = BY_CLOSE;
	}
}

void sending_begin(
    struct sending *s, const struct answer *a, struct source *source, uint8_t version)
{
	s->version = version;
	write_lines(s, a);
	write_framing(s, a);
	s->source = a->has_body ? source : NULL;
	s->is_begun = true;
}

void sending_end_head(struct sending *s, bool closes)
{
	/* RFC 9110 7.8: what is switched to, the only protocol that we know. */
	if (s->delimiter == BY_TUNNEL)
		buf_add(&s->out, SL("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	else if (closes)
		buf_add(&s->out, SL("Connection: close\r\n"));
	else if (s->version == 10)
		buf_add(&s->out, SL("Connection: keep-alive\r\n"));
	buf_add(&s->out, SL("\r\n"));
}

/* ---- bodies ---- */

/* Whether all that the source has may go out as it is. */
static bool is_unbounded(const struct sending *s)
{
	return s->delimiter == BY_CLOSE || s->delimiter == BY_TUNNEL;
}

/* Readies the line that comes before the next bytes of a chunked body. */
static void frame_chunk(struct sending *s, uint64_t bytes)
{
	h1_write_chunk_size(&s->out, bytes);
	s->left = bytes;
}

static void end_source(struct sending *s)
{
	s->source_ended = true;
	if (s->delimiter != BY_CHUNKS)
		return;
	struct slice trailers = SLICE_NONE;
	if (s->source->trailers && s->version >= 11)
		trailers = s->source->trailers(s->source);
	h1_write_last_chunk(&s->out, trailers);
}

static uint64_t iov_total(const struct iovec *iov, int count)
{
	uint64_t total = 0;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	return total;
}

/* Cuts the iovecs to at most `limit` bytes. */
static int iov_cut(struct iovec *iov, int count, uint64_t limit)
{
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len >= limit) {
			iov[i].iov_len = (size_t)limit;
			return limit ? i + 1 : i;
		}
		limit -= iov[i].iov_len;
	}
	return count;
}

/* Shows the source's bytes that may follow what is in `out`, and writes there what frames them.
 * Returns the count of iovecs; -1 when the source has failed. */
static int gather_body(struct sending *s, struct iovec *iov, int room)
{
	int count = 0;
	if (!s->source || s->source_ended)
		return 0;
	if (s->delimiter == BY_LENGTH && s->left == 0) {
		s->source_ended = true;
		return 0;
	}
	enum source_state state = s->source->peek(s->source, iov, room, &count);
	if (state == SOURCE_FAIL || (state == SOURCE_END && s->delimiter == BY_LENGTH))
		return -1;
	if (state == SOURCE_END)
		end_source(s);
	if (state != SOURCE_MORE)
		return 0;
	if (s->delimiter == BY_CHUNKS && s->left == 0)
		frame_chunk(s, iov_total(iov, count));
	return is_unbounded(s) ? count : iov_cut(iov, count, s->left);
}

enum err sending_gather(struct sending *s, struct gathered *ret)
{
	int body = gather_body(s, ret->space + 1, SENDING_IOVECS - 1);
	if (s->out.overflow)
		return ERR_NO_MEMORY;
	if (body < 0)
		return ERR_ORIGIN_TRUNCATED;
	size_t head = s->out.len - s->out_sent;
	ret->space[0] = (struct iovec){ s->out.at + s->out_sent, head };
	ret->at = head ? ret->space : ret->space + 1;
	ret->count = body + (head ? 1 : 0);
	ret->bytes = iov_total(ret->at, ret->count);
	return ERR_NONE;
}

void sending_took(struct sending *s, uint64_t bytes)
{
	size_t head = min_size(bytes, s->out.len - s->out_sent);
	s->out_sent += head;
	if (s->out_sent == s->out.len) {
		buf_clear(&s->out);
		s->out_sent = 0;
	}
	uint64_t body = bytes - head;
	if (body == 0)
		return;
	s->source->advance(s->source, body);
	if (is_unbounded(s))
		return;
	s->left -= body;
	if (s->delimiter == BY_LENGTH && s->left == 0)
		s->source_ended = true;
	if (s->delimiter == BY_CHUNKS && s->left == 0)
		buf_add(&s->out, SL("\r\n"));
}

bool sending_is_done(const struct sending *s)
{
	return s->is_begun && s->out.len == 0 && (!s->source || s->source_ended);
}
