/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, or any frames, from a client behind HTTP/2's preface, with a journey that answers in
 * every way there is: each stream that the journey was told of ends once, and when the connection
 * is gone nothing is left of it.
 *
 * The first byte says how the rest is read: as bytes, in steps of a size that it gives, or as a
 * script of frames whose heads and lengths are well formed.
 */
#include "edge/wire/h2.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SCRIPT = 128, OUT_BYTES = 256 * 1024, STREAMS_MAX = 4096, ROUNDS = 4 };

/* ---- a journey ---- */

/* An answer under way; `waits`: its source says so once. */
struct trip {
	struct stream *stream;
	struct source source;
	size_t left;
	bool waits, fails;
	bool is_over;
};

static struct trip trips[STREAMS_MAX];
static size_t trip_count;
static char bytes[64 * 1024];

static enum source_state peek(struct source *source, struct iovec *iov, int max, int *ret_count)
{
	struct trip *t = CONTAINER_OF(source, struct trip, source);
	must(!t->is_over && max > 0);
	*ret_count = 0;
	if (t->waits)
		return SOURCE_WAIT;
	if (t->left == 0)
		return t->fails ? SOURCE_FAIL : SOURCE_END;
	iov[0] = (struct iovec){ bytes, min_size(t->left, sizeof(bytes)) };
	*ret_count = 1;
	return SOURCE_MORE;
}

static void advance(struct source *source, uint64_t taken)
{
	struct trip *t = CONTAINER_OF(source, struct trip, source);
	must(!t->is_over && taken <= t->left);
	t->left -= taken;
}

static struct slice trailers(UNUSED struct source *source)
{
	return SL("X-Sum: 1\r\nBad\r\nConnection: close\r\n");
}

static void answer(struct trip *t, char how)
{
	struct stream *stream = t->stream;
	struct answer a = { .status = 200, .lines = { SL("Date: now\r\nX-Y:  z \r\n") } };
	t->source = (struct source){ .peek = peek, .advance = advance, .trailers = trailers };
	t->left = how >= 'a' && how <= 'f' ? (size_t)(how - 'a') * 7000 : 10;
	t->fails = how == 'g' || how == 'k';
	t->waits = how == 'h' || how == 'i';
	a.has_length = how < 'i';
	a.length = t->left + (how == 'g' ? 1 : 0);
	a.has_body = how != 'j';
	if (how == 'l')
		a.status = 101;
	stream_answer(stream, &a, a.has_body ? &t->source : NULL);
}

static void on_request(struct stream *stream)
{
	struct slice path = stream->request.path;
	char how = path.len > 1 ? path.at[1] : 'a';
	must(trip_count < STREAMS_MAX && stream->request.version == 20);
	must(path.len > 0 && stream->request.authority.len > 0);
	struct trip *t = &trips[trip_count++];
	*t = (struct trip){ .stream = stream };
	stream->journey = t;
	if (how == 'm' || how == 'n')
		stream_interim(
		    stream, &(struct answer){ .status = 103, .lines = { SL("A: b\r\n") } });
	if (stream->body && how != 'o')
		stream_want_body(stream);
	if (how == 'p')
		stream_cut(stream, ERR_ORIGIN_CLOSED);
	else if (how != 'n' && how != 'q')
		answer(t, how);
}

static void on_refused(struct stream *stream, enum err why)
{
	must(why != ERR_NONE && trip_count < STREAMS_MAX);
	struct trip *t = &trips[trip_count++];
	*t = (struct trip){ .stream = stream };
	stream->journey = t;
	answer(t, 'a');
}

static void on_done(struct stream *stream, UNUSED enum err why)
{
	struct trip *t = stream->journey;
	must(t->stream == stream && !t->is_over);
	t->is_over = true;
}

/* What waited goes on. */
static void wake_all(void)
{
	for (size_t i = 0; i < trip_count; i++) {
		struct trip *t = &trips[i];
		if (!t->is_over && t->waits) {
			t->waits = false;
			stream_resume(t->stream);
		} else if (!t->is_over && !t->source.peek) {
			answer(t, 'c');
		}
	}
}

static const struct stream_events events = {
	.on_request = on_request,
	.on_refused = on_refused,
	.on_done = on_done,
};

/* ---- a client's frames ---- */

static void add_frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t id, struct slice payload)
{
	char head[9] = { (char)(payload.len >> 16), (char)(payload.len >> 8), (char)payload.len,
		(char)type, (char)flags, (char)(id >> 24), (char)(id >> 16), (char)(id >> 8),
		(char)id };
	buf_add(b, slice_of(head, sizeof(head)));
	buf_add(b, payload);
}

static void add_literal(struct buf *b, struct slice name, struct slice value)
{
	buf_add_char(b, 0);
	buf_add_char(b, (char)(name.len & 127));
	buf_add(b, slice_first(name, name.len & 127));
	buf_add_char(b, (char)(value.len & 63));
	buf_add(b, slice_first(value, value.len & 63));
}

/* A head: a method, a path and one field that the script chooses. */
static void add_head(struct buf *b, uint8_t choice, struct slice field)
{
	static const struct slice methods[] = { { "GET", 3 }, { "POST", 4 }, { "CONNECT", 7 },
		{ "HEAD", 4 } };
	static const struct slice names[] = { { "cookie", 6 }, { "host", 4 }, { "te", 2 },
		{ "content-length", 14 }, { "expect", 6 }, { ":protocol", 9 }, { "priority", 8 },
		{ "x", 1 } };
	char path[2] = { '/', (char)('a' + (choice & 31)) };
	add_literal(b, SL(":method"), methods[choice >> 6]);
	add_literal(b, SL(":scheme"), SL("http"));
	add_literal(b, SL(":path"), slice_of(path, 2));
	add_literal(b, SL(":authority"), SL("a"));
	if (field.len > 0)
		add_literal(b, names[field.at[0] & 7], slice_from(field, 1));
}

/* Each frame: type, flags, stream, length, then as many bytes as that says. */
static void write_script(struct buf *out, struct slice script)
{
	struct buf head;
	buf_init(&head, 0);
	add_frame(out, 4, 0, 0, SLICE_NONE);
	while (script.len >= 4) {
		const uint8_t *at = (const uint8_t *)script.at;
		uint8_t type = at[0] % 17, flags = at[1];
		struct slice payload = slice_first(slice_from(script, 4), at[3]);
		buf_clear(&head);
		if (type == 1 && payload.len > 0) {
			add_head(&head, (uint8_t)payload.at[0], slice_from(payload, 1));
			add_frame(out, 1, flags & 5, at[2], buf_slice(&head));
		} else {
			add_frame(out, type, flags, at[2], payload);
		}
		script = slice_from(script, 4 + payload.len);
	}
	buf_fini(&head);
}

/* ---- the stage ---- */

static struct loop loop;
static struct front front;
static _Atomic uint64_t connections;
static struct limits limits = {
	.line_bytes = 512,
	.head_bytes = 2048,
	.head_fields = 16,
	.body_bytes = 4096,
	.head_ms = 10000,
	.body_ms = 10000,
	.idle_ms = 10000,
	.send_ms = 10000,
	.connections = 100,
	.requests = 50,
	.h2 = true,
	.h2_streams = 8,
	.h2_resets = 20,
};

static void prepare(void)
{
	static bool is_ready;
	if (is_ready)
		return;
	is_ready = true;
	role_loop();
	must(loop_init(&loop, "fuzz", 0, NULL) == ERR_NONE);
	must(front_init(&front, &loop, &events, NULL, &connections) == ERR_NONE);
	front_set_limits(&front, &limits);
}

static void run_loop(int fd)
{
	static char out[OUT_BYTES];
	for (int i = 0; i < ROUNDS; i++) {
		ev_run(loop.ev, EVRUN_NOWAIT);
		while (read(fd, out, sizeof(out)) > 0)
			;
	}
}

static void talk(int fd, struct slice said, size_t step)
{
	struct iovec preface = { (char *)(uintptr_t)NGHTTP2_CLIENT_MAGIC,
		NGHTTP2_CLIENT_MAGIC_LEN };
	must(writev(fd, &preface, 1) == NGHTTP2_CLIENT_MAGIC_LEN);
	while (said.len > 0) {
		struct slice some = slice_first(said, step);
		if (write(fd, some.at, some.len) != (ssize_t)some.len)
			break;
		said = slice_from(said, some.len);
		run_loop(fd);
		wake_all();
	}
	run_loop(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fds[2];
	struct conn conn;
	struct address peer = { .v4.sin_family = AF_INET };
	struct buf script;
	if (size < 2)
		return 0;
	prepare();
	role_loop();
	trip_count = 0;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	must(front_admit(&front));
	/* A socket that is soon full: what it does not take has to be kept. */
	int room = data[0] & 1 ? 4096 : OUT_BYTES;
	must(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) == 0);
	conn_open(&conn, &loop, fds[0], NULL);
	must(h2_take(&front, &(struct visit){ .conn = &conn, .peer = &peer }));
	buf_init(&script, 0);
	struct slice said = slice_of((const char *)data + 1, size - 1);
	if (data[0] >= SCRIPT)
		write_script(&script, said);
	else
		buf_add(&script, said);
	talk(fds[1], buf_slice(&script), (size_t)(data[0] & 127) * 16 + 1);
	buf_fini(&script);
	close(fds[1]);
	for (int i = 0; i < ROUNDS; i++)
		ev_run(loop.ev, EVRUN_NOWAIT);
	must(list_empty(&front.guests) && connections == 0);
	for (size_t i = 0; i < trip_count; i++)
		must(trips[i].is_over);
	return 0;
}
