/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak_client: clients that come in numbers and leave in every way there is.
 *
 *	soak_client PORT KIND COUNT
 *
 *	full      a handshake, a hit, the end: told, not told, or a TCP reset
 *	resumed   the same by the ticket of the last time
 *	aborted   a handshake that breaks off: at each of its stages, by garbage, by plain HTTP
 *	reset     an HTTP/2 stream, reset: at once, in mid-answer, in mid-upload, when it is over
 *	cut       a connection that ends within an answer, an upload, a record, by either protocol
 *	tunnel    a WebSocket, ended by either side, by either protocol
 *
 * Threads take numbers until COUNT is reached; the number says which variant is played, so that
 * each comes equally often. A visit that went otherwise than it should is counted and the first few
 * are told: what soak measures is worth nothing when the server just refused.
 *
 * It shares no line with Larder. For the paths and what answers them, see soak.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HOST "shop.example"
#define HIT "/hit?cc=max-age=86400"
#define SLOW "/slow?cc=no-store&delay_ms=20"
#define KEPT "/kept?cc=max-age=86400&size=1m"
#define MINE "/mine?cc=no-store&size=1m"
#define TAKES "/takes?cc=no-store&echo=body"
#define WS "/ws/echo"
#define WS_ASKS                                                                                    \
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"               \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

enum {
	THREADS = 8,
	PATIENCE_S = 20,
	STREAMS = 100, /* of one connection */
	SOME_BYTES = 20000,
	FAULTS_TOLD = 10,
};
enum { DATA, HEADERS, RST_STREAM = 3, SETTINGS, PING = 6, GOAWAY, WINDOW_UPDATE };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

/* A connection. `ssl` is NULL before and without TLS; the rest is HTTP/2's. */
struct line {
	int fd;
	SSL *ssl;
	uint32_t next, last; /* stream identifiers */
	size_t data;         /* bytes of DATA on the last stream */
	bool is_answered, is_over, is_gone;
	bool ponged;
};

struct visitor {
	pthread_t thread;
	SSL_SESSION *sessions[2]; /* of the last visits */
	struct line h2;           /* kept between streams */
	unsigned streams;         /* of h2 */
};
typedef bool visit_f(struct visitor *, unsigned number);

static struct sockaddr_in server = { .sin_family = AF_INET };
static unsigned long wanted;
static atomic_ulong taken, failed;
static visit_f *visit;
static SSL_CTX *contexts[2]; /* of TLS 1.3 and 1.2 */
static bool resumes;

static bool fault(const char *format, ...)
{
	va_list args;
	if (atomic_load(&failed) < FAULTS_TOLD) {
		va_start(args, format);
		vfprintf(stderr, format, args);
		va_end(args);
		fputc('\n', stderr);
	}
	return false;
}

/* ---- lines ---- */

static bool line_open(struct line *l)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	*l = (struct line){ .fd = socket(AF_INET, SOCK_STREAM, 0), .next = 1 };
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(l->fd, (struct sockaddr *)&server, sizeof(server)) != 0)
		return fault("connect: %m");
	return true;
}

static void line_close(struct line *l)
{
	/* Else OpenSSL forgets the session of a connection that was not ended politely. */
	if (l->ssl)
		SSL_set_shutdown(l->ssl, SSL_SENT_SHUTDOWN);
	SSL_free(l->ssl);
	if (l->fd > 0)
		close(l->fd);
	*l = (struct line){ 0 };
}

/* The peer gets a reset. */
static void line_reset(struct line *l)
{
	struct linger now = { .l_onoff = 1 };
	setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	line_close(l);
}

/* Ends in one of the ways that a client has. */
static void line_leave(struct line *l, unsigned how)
{
	if (how % 3 == 0 && l->ssl)
		SSL_shutdown(l->ssl);
	if (how % 3 == 2)
		line_reset(l);
	else
		line_close(l);
}

static bool line_send(struct line *l, const void *bytes, size_t len)
{
	if (l->ssl)
		return SSL_write(l->ssl, bytes, (int)len) == (int)len;
	return send(l->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool line_say(struct line *l, const char *text)
{
	return line_send(l, text, strlen(text));
}

/* Up to `room` bytes; 0 at the end of the connection. */
static size_t line_read(struct line *l, void *to, size_t room)
{
	ssize_t got = l->ssl ? SSL_read(l->ssl, to, (int)room) : recv(l->fd, to, room, 0);
	return got > 0 ? (size_t)got : 0;
}

static bool line_read_all(struct line *l, void *to, size_t len)
{
	for (size_t have = 0, got; have < len; have += got) {
		got = line_read(l, (char *)to + have, len - have);
		if (got == 0)
			return false;
	}
	return true;
}

static void prepare(struct line *l, SSL_CTX *context, SSL_SESSION *session, const char *alpn)
{
	l->ssl = SSL_new(context);
	/* The macro of OpenSSL takes const away. */
	SSL_set_tlsext_host_name(l->ssl, (char *)(uintptr_t)HOST);
	SSL_set_alpn_protos(l->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	if (session)
		SSL_set_session(l->ssl, session);
}

static bool line_secure(struct line *l, SSL_CTX *context, SSL_SESSION *session, const char *alpn)
{
	if (!line_open(l))
		return false;
	prepare(l, context, session, alpn);
	SSL_set_fd(l->ssl, l->fd);
	if (SSL_connect(l->ssl) != 1)
		return fault("handshake: %s", ERR_reason_error_string(ERR_peek_error()));
	return true;
}

/* ---- full, resumed ---- */

static bool ask(struct line *l, const char *method, const char *path, const char *fields)
{
	char head[512];
	snprintf(
	    head, sizeof(head), "%s %s HTTP/1.1\r\nHost: " HOST "\r\n%s\r\n", method, path, fields);
	return line_say(l, head);
}

/* Reads an answer's head, byte for byte so that nothing behind it is taken. */
static int read_status(struct line *l, size_t *ret_length)
{
	char head[4096];
	size_t have = 0;
	while (have < sizeof(head) - 1 && line_read_all(l, head + have, 1)) {
		head[++have] = 0;
		if (have < 4 || memcmp(head + have - 4, "\r\n\r\n", 4) != 0)
			continue;
		const char *length = strcasestr(head, "\r\nContent-Length:");
		*ret_length = length ? strtoul(length + 17, NULL, 10) : 0;
		return have > 12 ? atoi(head + 9) : 0;
	}
	return 0;
}

static bool get_hit(struct line *l)
{
	char body[16384];
	size_t length = 0;
	if (!ask(l, "GET", HIT, ""))
		return fault("a request could not be sent");
	int status = read_status(l, &length);
	if (status != 200 || length == 0 || length > sizeof(body))
		return fault("a hit was answered %d, %zu bytes", status, length);
	return line_read_all(l, body, length) || fault("a hit was cut short");
}

static bool visit_hit(struct visitor *v, unsigned number)
{
	struct line l;
	SSL_SESSION **session = &v->sessions[number % 2];
	bool knows = resumes && *session;
	bool ok = line_secure(&l, contexts[number % 2], knows ? *session : NULL, "\x08http/1.1") &&
	    get_hit(&l);
	if (ok && (bool)SSL_session_reused(l.ssl) != knows)
		ok = fault("resumed: %d", !knows);
	if (ok && resumes) {
		SSL_SESSION_free(*session);
		*session = SSL_get1_session(l.ssl);
	}
	line_leave(&l, number / 2);
	return ok;
}

/* ---- aborted ---- */

/* A ClientHello, made by a client that never hears an answer. */
static size_t make_hello(unsigned number, char *to, size_t room)
{
	struct line l = { 0 };
	prepare(&l, contexts[number % 2], NULL, "\x02h2\x08http/1.1");
	SSL_set_bio(l.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_connect(l.ssl);
	int len = BIO_read(SSL_get_wbio(l.ssl), to, (int)room);
	SSL_free(l.ssl);
	return len > 0 ? (size_t)len : 0;
}

static bool visit_aborted(struct visitor *, unsigned number)
{
	enum { BEFORE, HALF, WHOLE, HEARD, GARBAGE, PLAIN, BROKEN, GARBAGE_LATER, STAGES };
	char hello[4096], answer[16384];
	struct line l;
	unsigned stage = number % STAGES, how = number / STAGES;
	if (stage == GARBAGE_LATER) {
		bool ok = line_secure(&l, contexts[how % 2], NULL, "\x02h2");
		if (ok)
			ok = send(l.fd, "\x17\x03\x03\x00\x20", 5, MSG_NOSIGNAL) == 5 &&
			    send(l.fd, hello, 32, MSG_NOSIGNAL) == 32;
		line_leave(&l, 1 + how % 2);
		return ok;
	}
	size_t len = make_hello(how, hello, sizeof(hello));
	if (len < 100)
		return fault("no ClientHello");
	if (!line_open(&l))
		return false;
	bool ok = true;
	if (stage == GARBAGE)
		memset(hello + how % len, 0xa5, len - how % len);
	if (stage == HALF)
		ok = line_send(&l, hello, len / 2);
	else if (stage == PLAIN)
		ok = ask(&l, "GET", HIT, "");
	else if (stage != BEFORE)
		ok = line_send(&l, hello, len);
	if (stage == BROKEN) /* instead of the rest of the handshake */
		ok = ok && line_say(&l, "\x16\x03\x03\x00\x10rubbish, rubbish");
	if (stage == HEARD || stage == BROKEN || stage == PLAIN)
		ok = ok && line_read(&l, answer, sizeof(answer)) > 0;
	line_leave(&l, how);
	return ok || fault("stage %u of a handshake: the server is gone", stage);
}

/* ---- HTTP/2 ---- */

struct frames {
	size_t len;
	unsigned char at[40000];
};

static void put(struct frames *f, unsigned kind, unsigned flags, uint32_t stream,
    const void *payload, size_t len)
{
	unsigned char head[9] = { (unsigned char)(len >> 16), (unsigned char)(len >> 8),
		(unsigned char)len, (unsigned char)kind, (unsigned char)flags };
	stream = htonl(stream);
	memcpy(head + 5, &stream, 4);
	memcpy(f->at + f->len, head, 9);
	if (len)
		memcpy(f->at + f->len + 9, payload, len);
	f->len += 9 + len;
}

static void put_number(struct frames *f, unsigned kind, uint32_t stream, uint32_t number)
{
	number = htonl(number);
	put(f, kind, 0, stream, &number, 4);
}

/* Adds a field section on the next stream. `first`: its method, as HPACK. */
static void put_head(
    struct line *l, struct frames *f, const char *first, const char *path, bool ends)
{
	char block[256];
	size_t len = strlen(first);
	memcpy(block, first, len);
	len += (size_t)snprintf(block + len, sizeof(block) - len, "\x87\x04%c%s\x01%c" HOST,
	    (int)strlen(path), path, (int)strlen(HOST));
	if (strchr(first, 'C')) /* CONNECT: a literal without index, as RFC 8441 5 wants it */
		len += (size_t)snprintf(block + len, sizeof(block) - len,
		    "\x10%csec-websocket-version\x02"
		    "13",
		    21);
	l->last = l->next;
	l->next += 2;
	l->data = 0;
	l->is_answered = l->is_over = false;
	put(f, HEADERS, END_HEADERS | (ends ? END_STREAM : 0), l->last, block, len);
}

static bool flush(struct line *l, struct frames *f)
{
	bool ok = line_send(l, f->at, f->len);
	f->len = 0;
	return ok;
}

static bool h2_open(struct line *l)
{
	struct frames f = { 0 };
	if (!line_secure(l, contexts[0], NULL, "\x02h2"))
		return false;
	if (!line_say(l, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
		return fault("no preface");
	put(&f, SETTINGS, 0, 0, NULL, 0);
	put_number(&f, WINDOW_UPDATE, 0, 1 << 30);
	return flush(l, &f);
}

/* Reads a frame and notes what it says of the last stream. */
static bool h2_hear(struct line *l)
{
	unsigned char head[9], payload[16384];
	uint32_t stream;
	if (!line_read_all(l, head, 9))
		return fault("HTTP/2: closed");
	size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
	memcpy(&stream, head + 5, 4);
	if (len > sizeof(payload) || !line_read_all(l, payload, len))
		return fault("HTTP/2: a frame of %zu bytes", len);
	if (head[3] == GOAWAY)
		return fault("HTTP/2: GOAWAY %u", len > 7 ? payload[7] : 0);
	l->ponged |= head[3] == PING;
	if (head[3] == SETTINGS && !(head[4] & ACK)) {
		struct frames f = { 0 };
		put(&f, SETTINGS, ACK, 0, NULL, 0);
		return flush(l, &f);
	}
	if (ntohl(stream) != l->last)
		return true;
	l->is_answered |= head[3] == HEADERS;
	l->data += head[3] == DATA ? len : 0;
	l->is_over |= head[3] == RST_STREAM || (head[3] < 2 && head[4] & END_STREAM);
	return true;
}

/* Hears until so many bytes of the last stream came, or it is over. */
static bool h2_hear_data(struct line *l, size_t bytes)
{
	while (!l->is_over && l->data < bytes)
		if (!h2_hear(l))
			return false;
	return true;
}

static bool h2_hear_of(struct line *l, const bool *truth)
{
	while (!*truth)
		if (!h2_hear(l))
			return false;
	return true;
}

/* One stream and its end. */
static bool h2_reset(struct line *l, unsigned number)
{
	static const char *const paths[] = { HIT, SLOW, KEPT, MINE, TAKES, TAKES, HIT, HIT };
	enum { AT_ONCE, WAITS, IN_KEPT, IN_MINE, UPLOADS, UPLOADS_ALL, ANSWERED, LATE, ENDS };
	static const unsigned char bytes[16384];
	struct frames f = { 0 };
	unsigned how = number % ENDS;
	bool uploads = how == UPLOADS || how == UPLOADS_ALL;
	put_head(l, &f, uploads ? "\x83" : "\x82", paths[how], !uploads);
	if (uploads)
		put(&f, DATA, how == UPLOADS_ALL ? END_STREAM : 0, l->last, bytes, sizeof(bytes));
	if (how == IN_KEPT || how == IN_MINE) {
		if (!flush(l, &f) || !h2_hear_data(l, SOME_BYTES))
			return false;
		if (l->is_over)
			return fault("HTTP/2: a long answer was short");
	}
	if (how == LATE) {
		l->ponged = false;
		put(&f, PING, 0, 0, bytes, 8);
		if (!flush(l, &f) || !h2_hear_of(l, &l->is_over) || !h2_hear_of(l, &l->ponged))
			return false;
	}
	if (how == ANSWERED && (!flush(l, &f) || !h2_hear_of(l, &l->is_answered)))
		return false;
	put_number(&f, RST_STREAM, l->last, 8);
	return flush(l, &f) || fault("HTTP/2: nothing can be sent");
}

static bool visit_reset(struct visitor *v, unsigned number)
{
	if (v->h2.fd == 0) {
		v->streams = 0;
		if (!h2_open(&v->h2))
			return line_close(&v->h2), false;
	}
	bool ok = h2_reset(&v->h2, number);
	if (!ok || ++v->streams == STREAMS)
		line_leave(&v->h2, number / STREAMS);
	return ok;
}

/* ---- cut ---- */

/* Many streams, some bytes, and the connection is gone. */
static bool cut_h2(struct line *l)
{
	static const char *const paths[] = { SLOW, KEPT, MINE, HIT, KEPT, MINE, KEPT };
	struct frames f = { 0 };
	if (!h2_open(l))
		return false;
	put_head(l, &f, "\x83", TAKES, false);
	put(&f, DATA, 0, l->last, paths, sizeof(paths));
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		put_head(l, &f, "\x82", paths[i], true);
	return flush(l, &f) && h2_hear_data(l, SOME_BYTES);
}

static bool visit_cut(struct visitor *, unsigned number)
{
	enum { IN_KEPT, IN_MINE, IN_SLOW, IN_UPLOAD, IN_RECORD, IN_H2, PLACES };
	static const char *const paths[] = { KEPT, MINE, SLOW, TAKES };
	char some[SOME_BYTES] = { 0 };
	struct line l;
	unsigned place = number % PLACES, how = number / PLACES;
	bool ok = place == IN_H2 ? cut_h2(&l)
				 : line_secure(&l, contexts[how % 2], NULL, "\x08http/1.1");
	if (ok && place == IN_RECORD)
		ok = send(l.fd, "\x17\x03\x03\x10\x00half", 9, MSG_NOSIGNAL) == 9;
	else if (ok && place == IN_UPLOAD)
		ok = ask(&l, "POST", paths[place], "Content-Length: 1000000\r\n") &&
		    line_send(&l, some, sizeof(some));
	else if (ok && place != IN_H2)
		ok = ask(&l, "GET", paths[place], "");
	if (ok && place <= IN_MINE)
		ok = line_read_all(&l, some, sizeof(some));
	line_leave(&l, how);
	return ok || fault("place %u of a cut: the server is gone", place);
}

/* ---- tunnels ---- */

static bool tunnel_h1(struct line *l, unsigned how)
{
	char back[5];
	size_t length;
	if (!line_secure(l, contexts[how % 2], NULL, "\x08http/1.1") || !ask(l, "GET", WS, WS_ASKS))
		return false;
	int status = read_status(l, &length);
	if (status != 101)
		return fault("a tunnel was answered %d", status);
	return line_say(l, "hello") && line_read_all(l, back, 5) && memcmp(back, "hello", 5) == 0;
}

static bool tunnel_h2(struct line *l)
{
	struct frames f = { 0 };
	if (!h2_open(l))
		return false;
	put_head(l, &f,
	    "\x02\x07"
	    "CONNECT\x10\x09:protocol\x09websocket",
	    WS, false);
	put(&f, DATA, 0, l->last, "hello", 5);
	return flush(l, &f) && h2_hear_data(l, 5) && l->data == 5;
}

/* The server's end of the tunnel goes, and so must ours. */
static bool is_sent_home(struct line *l, bool is_h2)
{
	char rest[64];
	struct frames f = { 0 };
	if (!is_h2)
		return line_say(l, "leave") && line_read(l, rest, sizeof(rest)) == 0;
	put(&f, DATA, 0, l->last, "leave", 5);
	return flush(l, &f) && h2_hear_of(l, &l->is_over);
}

static bool visit_tunnel(struct visitor *, unsigned number)
{
	struct line l;
	struct frames f = { 0 };
	bool is_h2 = number % 2;
	unsigned how = number / 2 % 4;
	bool ok = is_h2 ? tunnel_h2(&l) : tunnel_h1(&l, number / 8);
	if (ok && how == 3)
		ok = is_sent_home(&l, is_h2);
	else if (ok && is_h2 && how == 2) {
		put_number(&f, RST_STREAM, l.last, 8);
		ok = flush(&l, &f);
	}
	line_leave(&l, how);
	return ok || fault("a tunnel (%s, %u) is not there", is_h2 ? "h2" : "h1", how);
}

/* ---- all of them ---- */

static SSL_CTX *make_context(int version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(context, version);
	SSL_CTX_set_min_proto_version(context, version);
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	return context;
}

static void *run(void *data)
{
	struct visitor *v = data;
	unsigned long number;
	while ((number = atomic_fetch_add(&taken, 1)) < wanted) {
		ERR_clear_error();
		if (!visit(v, (unsigned)number))
			atomic_fetch_add(&failed, 1);
	}
	line_close(&v->h2);
	SSL_SESSION_free(v->sessions[0]);
	SSL_SESSION_free(v->sessions[1]);
	return NULL;
}

static visit_f *find(const char *kind)
{
	static const char *const names[] = { "full", "resumed", "aborted", "reset", "cut",
		"tunnel" };
	static visit_f *const visits[] = { visit_hit, visit_hit, visit_aborted, visit_reset,
		visit_cut, visit_tunnel };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], kind) == 0)
			return visits[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct visitor visitors[THREADS] = { 0 };
	visit = argc == 4 ? find(argv[2]) : NULL;
	if (!visit)
		return fprintf(stderr, "usage: soak_client PORT KIND COUNT\n"), 2;
	resumes = strcmp(argv[2], "resumed") == 0;
	signal(SIGPIPE, SIG_IGN);
	server.sin_port = htons((uint16_t)atoi(argv[1]));
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	wanted = strtoul(argv[3], NULL, 10);
	contexts[0] = make_context(TLS1_3_VERSION);
	contexts[1] = make_context(TLS1_2_VERSION);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&visitors[i].thread, NULL, run, &visitors[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(visitors[i].thread, NULL);
	SSL_CTX_free(contexts[0]);
	SSL_CTX_free(contexts[1]);
	printf("%lu failed\n", atomic_load(&failed));
	return failed > 0;
}
