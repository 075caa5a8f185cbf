/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ends of a TLS connection in one thread: a line of ours on a real loop, and either another
 * line or a peer, which is OpenSSL with its records in our hands: they can be counted, cut, kept
 * back and sent twice.
 */
#pragma once

#include <openssl/err.h>
#include <signal.h>

#include "edge/base/buf.h"
#include "edge/tls/line.h"
#include "made.h"

static struct loop loop;
static struct tls_local local;

/* ---- of peers ---- */

static inline SSL_CTX *context_make(const struct made *show, const struct made *trust)
{
	SSL_CTX *context = SSL_CTX_new(TLS_method());
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_num_tickets(context, 1);
	if (show) {
		SSL_CTX_use_certificate(context, show->cert);
		SSL_CTX_use_PrivateKey(context, show->key);
	}
	if (trust)
		X509_STORE_add_cert(SSL_CTX_get_cert_store(context), trust->cert);
	SSL_CTX_set_session_id_context(context, (const unsigned char *)"test", 4);
	return context;
}

/* ---- sockets ---- */

struct wires {
	int ours, theirs;
};

/* kind: SOCK_STREAM, or SOCK_SEQPACKET, where one read is one write of the other side. */
static inline struct wires wires_make(int kind, int bytes)
{
	int fd[2];
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, kind | SOCK_NONBLOCK, 0, fd), 0);
	for (int i = 0; bytes && i < 2; i++) {
		setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
		setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	}
	return (struct wires){ fd[0], fd[1] };
}

/* ---- a line of ours ---- */

struct end {
	struct conn conn;
	enum shake shake;
	enum io io;      /* of the last read */
	int calls;       /* of ready */
	size_t room;     /* of one read */
	bool stays_idle; /* does not read when it is told */
	struct buf got;
	struct slice to_send;
	size_t sent;
};

static inline void end_send(struct end *e) ON_LOOP
{
	size_t n = 0;
	while (e->sent < e->to_send.len) {
		struct iovec iov[3];
		size_t left = e->to_send.len - e->sent, at = e->sent, i = 0;
		for (; i < 3 && left > 0; i++) {
			size_t take = min_size(left, 1 + (size_t)rand() % 40000);
			iov[i] = (struct iovec){ (void *)(uintptr_t)(e->to_send.at + at), take };
			at += take;
			left -= take;
		}
		if (conn_writev(&e->conn, iov, (int)i, &n) != IO_OK)
			break;
		e->sent += n;
	}
	conn_watch(&e->conn, EV_READ | (e->sent < e->to_send.len ? EV_WRITE : 0));
}

static inline void end_read(struct end *e) ON_LOOP
{
	size_t n;
	char *to = buf_room(&e->got, e->room);
	e->io = conn_read(&e->conn, to, e->room, &n);
	e->got.len += n;
	if (e->io == IO_EOF || e->io == IO_BROKEN)
		conn_watch(&e->conn, 0);
}

static inline void on_end(struct conn *c, int events)
{
	role_loop();
	struct end *e = CONTAINER_OF(c, struct end, conn);
	e->calls++;
	if (e->shake == SHAKE_AGAIN) {
		e->shake = tls_line_shake(c);
		if (e->shake != SHAKE_DONE)
			return;
	} else if ((events & EV_READ) && !e->stays_idle) {
		end_read(e);
	}
	if ((events & EV_WRITE) || (e->sent < e->to_send.len && e->sent == 0))
		end_send(e);
}

static inline void end_open(struct end *e, int fd) ON_LOOP
{
	*e = (struct end){ .room = 16384 };
	buf_init(&e->got, 0);
	conn_open(&e->conn, &loop, fd, on_end);
}

static inline void end_serve(struct end *e, int fd, struct tls_server *server) ON_LOOP
{
	end_open(e, fd);
	CU_ASSERT_EQUAL_FATAL(tls_line_serve(&e->conn, &local, server), ERR_NONE);
	conn_watch(&e->conn, EV_READ);
}

static inline void end_connect(
    struct end *e, int fd, struct tls_client *client, const char *name, SSL_SESSION *resume) ON_LOOP
{
	end_open(e, fd);
	CU_ASSERT_EQUAL_FATAL(
	    tls_line_connect(&e->conn, &local, client, slice_str(name), resume), ERR_NONE);
	conn_watch(&e->conn, EV_READ);
	e->shake = tls_line_shake(&e->conn);
}

static inline void end_close(struct end *e) ON_LOOP
{
	conn_close(&e->conn);
	buf_fini(&e->got);
}

static inline void rounds(int count)
{
	while (count--)
		ev_run(loop.ev, EVRUN_NOWAIT);
}

/* ---- a peer with its records in our hands ---- */

struct peer {
	int fd;
	SSL *ssl;
	BIO *in, *out;
	int reads;   /* from the socket that gave something */
	int records; /* in what was read, whole ones */
	struct buf raw;
	bool saw_eof;
	bool saw_reset;
};

static inline void peer_open(struct peer *p, int fd, SSL_CTX *context)
{
	*p = (struct peer){ .fd = fd, .ssl = context ? SSL_new(context) : NULL };
	buf_init(&p->raw, 0);
	if (!p->ssl)
		return;
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(p->in, -1);
	SSL_set_bio(p->ssl, p->in, p->out);
	SSL_set_connect_state(p->ssl);
}

/* OpenSSL's macro casts the const away. */
static inline void peer_name(struct peer *p, const char *name)
{
	must(SSL_ctrl(p->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
		 (void *)(uintptr_t)name) == 1);
}

static inline void peer_close(struct peer *p)
{
	SSL_free(p->ssl);
	p->ssl = NULL;
	buf_fini(&p->raw);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* Takes from the socket what there is. */
static inline void peer_hear(struct peer *p)
{
	for (;;) {
		char *to = buf_room(&p->raw, 131072);
		ssize_t n = recv(p->fd, to, 131072, 0);
		p->saw_eof |= n == 0;
		p->saw_reset |= n < 0 && errno == ECONNRESET;
		if (n <= 0)
			return;
		p->reads++;
		p->raw.len += (size_t)n;
		if (p->in)
			BIO_write(p->in, to, (int)n);
	}
}

/* Counts the records that came, and forgets them. */
static inline int peer_count(struct peer *p)
{
	int count = 0;
	size_t at = 0;
	while (at + 5 <= p->raw.len) {
		const unsigned char *head = (const unsigned char *)p->raw.at + at;
		at += 5 + (size_t)(head[3] << 8 | head[4]);
		count++;
	}
	CU_ASSERT_EQUAL(at, p->raw.len);
	buf_clear(&p->raw);
	return count;
}

/* Takes what it has sealed and not sent. own: the caller's buf. */
static inline void peer_take(struct peer *p, struct buf *to)
{
	char bytes[4096];
	int n;
	while ((n = BIO_read(p->out, bytes, sizeof(bytes))) > 0)
		buf_add(to, slice_of(bytes, (size_t)n));
}

static inline void say(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = send(fd, bytes.at, bytes.len, 0);
		if (n > 0)
			bytes = slice_from(bytes, (size_t)n);
		else if (errno != EAGAIN)
			return;
		if (bytes.len > 0)
			rounds(1);
	}
}

static inline void peer_say(struct peer *p)
{
	struct buf b;
	buf_init(&b, 0);
	peer_take(p, &b);
	say(p->fd, buf_slice(&b));
	buf_fini(&b);
}

/* Shakes hands with a line on the loop. False when it comes to nothing. */
static inline bool peer_shake(struct peer *p)
{
	int done = 0;
	for (int i = 0; i < 20; i++) {
		done = SSL_do_handshake(p->ssl);
		bool goes_on = done == 1 || SSL_get_error(p->ssl, done) == SSL_ERROR_WANT_READ;
		peer_say(p);
		rounds(3);
		if (done == 1 || !goes_on)
			break;
		peer_hear(p);
	}
	ERR_clear_error();
	return done == 1;
}

/* Reads all that came. Returns how much. */
static inline size_t peer_read(struct peer *p, struct buf *to)
{
	char bytes[16384];
	size_t n, total = 0;
	peer_hear(p);
	while (SSL_read_ex(p->ssl, bytes, sizeof(bytes), &n) == 1) {
		if (to)
			buf_add(to, slice_of(bytes, n));
		total += n;
	}
	return total;
}

/* ---- what all tests begin with ---- */

static struct made ca, pair, other_ca;
static struct tickets *tickets;
static struct tls_server *server;
static struct tls_client *client;
static SSL_CTX *visitor; /* a client as most are */

/* Bytes that no two places of a body have in common by accident. */
static struct buf body;

static inline void make_body(size_t len)
{
	buf_init(&body, 0);
	for (size_t i = 0; i < len; i++)
		buf_add_char(&body, (char)(i * 31 + i / 251));
}

/* o: without a certificate, which is `pair`'s. */
static inline void setup_with(struct tls_options o)
{
	char why[256];
	struct tls_pair_options shown = { slice_str(made_path("shop.pem")),
		slice_str(made_path("shop.key")) };
	const struct tls_client_options c = { .verify = true,
		.ca = slice_str(made_path("ca.pem")) };
	o.certificates = (struct conf_list){ &shown, 1 };
	o.tickets = true;
	o.ticket_rotation_ms = 3600 * 1000;
	must(loop_init(&loop, "test", 0, NULL) == ERR_NONE);
	must(tls_local_init(&local) == ERR_NONE);
	must(tickets_new(&tickets) == ERR_NONE);
	must(tls_server_new(&o, tickets, NULL, &server, why, sizeof(why)) == ERR_NONE);
	must(tls_client_new(&c, &client, why, sizeof(why)) == ERR_NONE);
	visitor = context_make(NULL, &ca);
}

static inline void setup(void)
{
	setup_with((struct tls_options){ 0 });
}

static inline void teardown(void)
{
	CU_ASSERT_EQUAL(local.pad_used, 0);
	CU_ASSERT_EQUAL(ERR_peek_error(), 0);
	CU_ASSERT_EQUAL(server->refs, 1);
	CU_ASSERT_EQUAL(client->refs, 1);
	SSL_CTX_free(visitor);
	tls_server_unref(&server);
	tls_client_unref(&client);
	tickets_free(&tickets);
	tls_local_fini(&local);
	loop_fini(&loop);
}

static inline uint64_t failures(void)
{
	const struct tls_meters *m = &local.meters;
	return meter_read(&m->failed_gone) + meter_read(&m->failed_name) +
	    meter_read(&m->failed_certificate) + meter_read(&m->failed_plain) +
	    meter_read(&m->failed_protocol) + meter_read(&m->failed_timeout);
}

/* Writes the body's first bytes in parts of these lengths. */
static inline size_t write_parts(struct conn *c, size_t parts, const size_t *lens) ON_LOOP
{
	struct iovec iov[8];
	size_t at = 0, sent;
	for (size_t i = 0; i < parts; i++) {
		iov[i] = (struct iovec){ body.at + at, lens[i] };
		at += lens[i];
	}
	CU_ASSERT_EQUAL(conn_writev(c, iov, (int)parts, &sent), IO_OK);
	return sent;
}

/* Runs the tests of one file. */
static inline int run_with_ends(const char *name, size_t body_bytes, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = { { name, NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };
	signal(SIGPIPE, SIG_IGN);
	srand(1);
	made_open();
	make_body(body_bytes);
	ca = made_of((struct recipe){ .cn = "Test CA", .is_authority = true });
	other_ca = made_of((struct recipe){ .cn = "Other CA", .is_authority = true });
	pair = made_of((struct recipe){ .cn = "shop",
	    .names = "DNS:shop.example,DNS:*.shop.example,IP:127.0.0.1",
	    .issuer = &ca });
	made_write("ca", &ca);
	made_write("shop", &pair);
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	made_free(&ca);
	made_free(&other_ca);
	made_free(&pair);
	buf_fini(&body);
	made_close();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
