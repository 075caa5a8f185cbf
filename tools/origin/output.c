/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/origin/output.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "tools/origin/content.h"

enum { TRICKLE_BYTES = 512 };

bool flush(struct conn *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.at + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->sent += (size_t)n;
		count.bytes += (uint64_t)n;
	}
	c->sent = c->out.len = 0;
	return true;
}

static void put(struct text *t, const char *name, const char *value)
{
	if (value && *value)
		text_print(t, "%s: %s\r\n", name, value);
}

/* Tells how the body ends, and decides whether the connection outlives it. */
static void put_framing(struct text *t, struct answer *a, struct request *r)
{
	bool chunked = r->ask.chunked > 0 || r->ask.trailer > 0;
	if (a->status == 204 || a->status == 304) {
		a->end = a->pos;
	} else if (chunked && !r->http10) {
		a->chunked = true;
		put(t, "Transfer-Encoding", "chunked");
		put(t, "Trailer", r->ask.trailer > 0 ? "X-Body-Bytes" : "");
	} else if (chunked || r->ask.nocl > 0) {
		r->keep = false;
	} else {
		text_print(t, "Content-Length: %" PRIu64 "\r\n", a->end - a->pos);
	}
	r->keep &= r->ask.close <= 0;
	put(t, "Connection", !r->keep ? "close" : r->http10 ? "keep-alive" : "");
}

static const char *cache_control(const struct conn *c)
{
	bool lasting = c->a.status < 400 && (is(&c->r, "GET") || is(&c->r, "HEAD"));
	if (!strncmp(c->r.path, "/-/", 3))
		return "no-store";
	if (c->r.ask.cc)
		return c->r.ask.cc;
	if (lasting && c->a.lasts)
		return c->a.lasts;
	return lasting ? "max-age=10, stale-while-revalidate=30, stale-if-error=600" : "";
}

void put_head(struct conn *c)
{
	struct text *t = &c->out;
	const struct answer *a = &c->a;
	const struct ask *ask = &c->r.ask;
	char date[32];
	date_print(date, time(NULL));
	text_print(t, "HTTP/1.1 %d %s\r\n", a->status, reason(a->status));
	put(t, "Date", ask->date ? date : "");
	put(t, "Content-Type", a->status == 304 ? "" : ask->type ? ask->type : a->type);
	put(t, "ETag", a->etag);
	put(t, "Last-Modified", a->modified);
	put(t, "Cache-Control", cache_control(c));
	put(t, "Vary", ask->vary);
	put(t, "X-Variant", a->variant.at);
	put(t, "Accept-Ranges", ask->range && a->changed && a->status < 300 ? "bytes" : "");
	put(t, "Content-Range", a->range);
	for (const char *const *extra = ask->extra; *extra; extra++)
		text_print(t, "%s\r\n", *extra);
	if (a->made_ms)
		text_print(t, "Server-Timing: made;desc=%" PRId64 "\r\n", a->made_ms);
	if (c->path)
		text_print(t, "X-Origin-Count: %" PRIu64 "\r\n", c->path->requests);
	put_framing(t, &c->a, &c->r);
	text_add(t, "\r\n", 2);
}

void put_piece(struct conn *c)
{
	struct answer *a = &c->a;
	const struct ask *ask = &c->r.ask;
	int64_t usual = ask->trickle_ms > 0 ? TRICKLE_BYTES : PIECE_BYTES;
	int64_t asked = ask->piece > 0 && ask->piece <= TEXT_BYTES ? ask->piece : usual;
	uint64_t left = a->end - a->pos;
	size_t n = (size_t)(left < (uint64_t)asked ? left : (uint64_t)asked);
	if (n && a->chunked)
		text_print(&c->out, "%zx\r\n", n);
	char *to = text_room(&c->out, n + 2);
	if (a->pattern)
		pattern_fill(to, n, a->seed, a->pos);
	else if (n)
		memcpy(to, a->text.at + a->pos, n);
	c->out.len += n;
	a->pos += n;
	if (n && a->chunked)
		text_add(&c->out, "\r\n", 2);
	if (a->pos < a->end || !a->chunked || a->severed)
		return;
	text_print(&c->out, "0\r\n");
	if (ask->trailer > 0)
		text_print(&c->out, "X-Body-Bytes: %" PRIu64 "\r\n", a->end);
	text_add(&c->out, "\r\n", 2);
}
