/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/origin/conn.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/origin/output.h"

enum { TEXT_KEPT = 16 << 10 }; /* of an output buffer, between two answers */

static const char *const garbage[] = {
	"HTP/1.1 two hundred OK\r\nContent-Length: 2\r\n\r\nhi",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\nhi",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhi\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon here\r\n\r\nhi",
};

/* ---- steps ---- */

static enum step refuse(struct conn *c, int status)
{
	c->refused = status;
	c->r.keep = false;
	return ANSWER;
}

/* The input ends before the thing that a step looks for. */
static enum step starved(struct conn *c)
{
	return c->eof ? CLOSE : c->upto - c->from == INPUT_BYTES ? refuse(c, 431) : WAIT;
}

static char *line_take(struct conn *c)
{
	char *line = c->in + c->from, *end = memmem(line, c->upto - c->from, "\r\n", 2);
	if (!end)
		return NULL;
	*end = 0;
	c->from = (size_t)(end + 2 - c->in);
	return line;
}

/* True once `ms` have gone by since it was first called; until then the timer calls the step. */
static bool slept(struct conn *c, int64_t ms)
{
	bool done = ms <= 0 || c->slept;
	c->slept = false;
	if (!done && !ev_is_active(&c->timer)) {
		ev_now_update(loop);
		ev_timer_set(&c->timer, (double)ms / 1000, 0);
		ev_timer_start(loop, &c->timer);
	}
	return done;
}

/* Waits for a whole head. */
static enum step step_head(struct conn *c)
{
	while (c->upto - c->from >= 2 && !memcmp(c->in + c->from, "\r\n", 2))
		c->from += 2;
	char *head = c->in + c->from, *end = memmem(head, c->upto - c->from, "\r\n\r\n", 4);
	if (!end)
		return starved(c);
	size_t len = (size_t)(end + 4 - head);
	c->from += len;
	int status = request_read(&c->r, head, len);
	if (status)
		return refuse(c, status);
	if (c->r.ask.echo && !strcmp(c->r.ask.echo, "head"))
		text_add(&c->echo, head, len);
	const char *expect = field(&c->r, "Expect");
	if (expect && !strcasecmp(expect, "100-continue") && c->from == c->upto)
		text_print(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
	return c->r.chunked ? CHUNK : BODY;
}

/* Waits for the rest of the body, or of the chunk. */
static enum step step_body(struct conn *c)
{
	uint64_t have = c->upto - c->from;
	size_t n = (size_t)(c->r.left < have ? c->r.left : have);
	const char *echo = c->r.ask.echo;
	if (echo && strcmp(echo, "head") != 0 && c->echo.len + n <= TEXT_BYTES)
		text_add(&c->echo, c->in + c->from, n);
	c->from += n;
	c->r.left -= n;
	if (c->r.left)
		return c->eof ? CLOSE : WAIT;
	return c->r.chunked ? CHUNK : DECIDE;
}

/* Waits for the line that ends one chunk, then for the one that begins the next. */
static enum step step_chunk(struct conn *c)
{
	char *line = line_take(c), *end;
	if (!line)
		return starved(c);
	if (c->r.in_chunk) {
		c->r.in_chunk = false;
		return *line ? refuse(c, 400) : CHUNK;
	}
	c->r.left = strtoull(line, &end, 16);
	if (!isxdigit((unsigned char)*line) || (*end && *end != ';'))
		return refuse(c, 400);
	c->r.in_chunk = c->r.left;
	return c->r.left ? BODY : TRAILER;
}

/* Waits for the empty line after the last chunk; fields before it are dropped. */
static enum step step_trailer(struct conn *c)
{
	const char *line = line_take(c);
	return !line ? starved(c) : *line ? TRAILER : DECIDE;
}

/* The request is all there: count it, and see whether it gets an answer at all. */
static enum step step_decide(struct conn *c)
{
	struct ask *ask = &c->r.ask;
	if (!strncmp(c->r.path, "/-/", 3))
		return ANSWER;
	c->path = path_find(c->r.path, true);
	c->path->requests++;
	count.requests++;
	if (failing.mode == CLOSES || failing.mode == HANGS)
		return failing.mode == CLOSES ? CLOSE : HANG;
	if (failing.mode == ANSWERS)
		ask->status = failing.status;
	if (ask->reset > 0) {
		struct linger now = { .l_onoff = 1 };
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		return CLOSE;
	}
	if (ask->interim > 0 && !c->r.http10)
		text_print(&c->out,
		    "HTTP/1.1 %" PRId64 " Early\r\nLink: </style.css>; rel=preload\r\n\r\n",
		    ask->interim);
	return DELAY;
}

/* Waits for the time that the request asked for. */
static enum step step_delay(struct conn *c)
{
	return slept(c, c->r.ask.delay_ms) ? ANSWER : WAIT;
}

static void answer_read(struct conn *c)
{
	struct answer *a = &c->a;
	if (c->refused) {
		struct text why = {};
		text_print(&why, "origin: %d, %s%s\n", c->refused,
		    c->r.ask.wrong ? "no number: " : "cannot read this",
		    c->r.ask.wrong ? c->r.ask.wrong : "");
		answer_text(a, c->refused, "text/plain", &why);
	} else if (!c->path) {
		answer_control(a, &c->r);
	} else if (c->r.ask.echo) {
		const char *type = field(&c->r, "Content-Type");
		int status = c->r.ask.status > 0 ? (int)c->r.ask.status : 200;
		answer_text(a, status, type ? type : "text/plain", &c->echo);
	} else {
		answer_resource(a, &c->r, c->path);
	}
	uint64_t cut = (uint64_t)c->r.ask.cut; /* UNSET becomes more than any body */
	a->severed = cut < a->end - a->pos;
}

/* Composes the head and the first piece. */
static enum step step_answer(struct conn *c)
{
	struct answer *a = &c->a;
	int64_t mess = c->r.ask.garbage;
	if (mess > 0) {
		const char *said = garbage[(mess - 1) % 4];
		text_add(&c->out, said, strlen(said));
		c->r.keep = false;
		return SEND;
	}
	answer_read(c);
	put_head(c);
	if (a->severed)
		a->end = a->pos + (uint64_t)c->r.ask.cut;
	if (is(&c->r, "HEAD"))
		a->end = a->pos;
	else
		put_piece(c);
	if (!quiet)
		printf("%s %s %d\n", c->r.method, c->r.path, a->status);
	return SEND;
}

static void forget(struct conn *c)
{
	request_clear(&c->r);
	text_drop(&c->a.text);
	text_drop(&c->a.variant);
	text_drop(&c->echo);
	if (c->out.cap > TEXT_KEPT)
		text_drop(&c->out);
	c->a = (struct answer){};
	c->path = NULL;
}

/* The answer is out. The next request may be waiting in the input already. */
static enum step finish(struct conn *c)
{
	bool over = !c->r.keep || c->a.severed;
	forget(c);
	if (!c->refused)
		return over ? CLOSE : HEAD;
	shutdown(c->fd, SHUT_WR);
	return DRAIN;
}

/* Waits for the socket to take a piece, or for the time between two; one a turn is fair. */
static enum step step_send(struct conn *c)
{
	if (!flush(c))
		return CLOSE;
	if (c->out.len)
		return WAIT;
	if (c->a.pos == c->a.end)
		return finish(c);
	if (slept(c, c->r.ask.trickle_ms))
		put_piece(c);
	return WAIT;
}

/* Waits for the client to lose patience. */
static enum step step_hang(struct conn *c)
{
	return c->eof ? CLOSE : WAIT;
}

/* Waits for a refused client to stop sending: closing on it now would take the answer with it. */
static enum step step_drain(struct conn *c)
{
	c->from = c->upto;
	return c->eof || slept(c, 1000) ? CLOSE : WAIT;
}

static enum step (*const steps[])(struct conn *) = {
	[HEAD] = step_head,
	[BODY] = step_body,
	[CHUNK] = step_chunk,
	[TRAILER] = step_trailer,
	[DECIDE] = step_decide,
	[DELAY] = step_delay,
	[ANSWER] = step_answer,
	[SEND] = step_send,
	[HANG] = step_hang,
	[DRAIN] = step_drain,
};

/* ---- life ---- */

static void conn_free(struct conn *c)
{
	forget(c);
	text_drop(&c->out);
	ev_io_stop(loop, &c->readable);
	ev_io_stop(loop, &c->writable);
	ev_timer_stop(loop, &c->timer);
	close(c->fd);
	free(c);
	count.open--;
	ev_io_start(loop, &door); /* it may have been shut for want of descriptors */
}

static void watch(ev_io *w, bool wanted)
{
	if (wanted && !ev_is_active(w))
		ev_io_start(loop, w);
	else if (!wanted)
		ev_io_stop(loop, w);
}

static void conn_run(struct conn *c)
{
	enum step next = c->step;
	while (next < WAIT) {
		c->step = next;
		next = steps[next](c);
	}
	if (next == CLOSE || (c->step != SEND && !flush(c))) {
		conn_free(c);
		return;
	}
	watch(&c->readable, !c->eof && c->upto - c->from < INPUT_BYTES);
	watch(&c->writable, c->out.len);
}

static void on_readable(struct ev_loop *, ev_io *w, int)
{
	struct conn *c = w->data;
	memmove(c->in, c->in + c->from, c->upto - c->from);
	c->upto -= c->from;
	c->from = 0;
	ssize_t n = recv(c->fd, c->in + c->upto, INPUT_BYTES - c->upto, 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_free(c);
		return;
	}
	c->eof = n == 0;
	c->upto += n > 0 ? (size_t)n : 0;
	conn_run(c);
}

static void on_writable(struct ev_loop *, ev_io *w, int)
{
	conn_run(w->data);
}

static void on_timer(struct ev_loop *, ev_timer *w, int)
{
	struct conn *c = w->data;
	c->slept = true;
	conn_run(c);
}

void conn_new(int fd)
{
	struct conn *c = malloc(sizeof *c);
	if (!c)
		abort();
	memset(c, 0, offsetof(struct conn, in));
	c->fd = fd;
	request_clear(&c->r);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	ev_io_init(&c->readable, on_readable, fd, EV_READ);
	ev_io_init(&c->writable, on_writable, fd, EV_WRITE);
	ev_init(&c->timer, on_timer);
	c->readable.data = c->writable.data = c->timer.data = c;
	count.accepted++;
	count.open++;
	ev_io_start(loop, &c->readable);
}
