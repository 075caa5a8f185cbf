/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/line.c"

#include "test/unit/edge/tls/ends.h"

/* ---- both ways ---- */

static void echo(int version, int socket_bytes) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, socket_bytes);
	struct end a, b;
	SSL_CTX_set_max_proto_version(server->context, version);
	end_serve(&a, w.ours, server);
	end_connect(&b, w.theirs, client, "shop.example", NULL);
	a.to_send = b.to_send = buf_slice(&body);
	for (int i = 0; i < 200000 && (a.got.len < body.len || b.got.len < body.len); i++) {
		a.room = 1 + (size_t)rand() % 40000;
		b.room = 1 + (size_t)rand() % 70000;
		rounds(1);
	}
	CU_ASSERT_EQUAL(a.shake, SHAKE_DONE);
	CU_ASSERT_EQUAL(b.shake, SHAKE_DONE);
	CU_ASSERT_TRUE(slice_eq(buf_slice(&a.got), buf_slice(&body)));
	CU_ASSERT_TRUE(slice_eq(buf_slice(&b.got), buf_slice(&body)));
	const struct secure *secure = tls_line_secure(&a.conn);
	CU_ASSERT_TRUE(slice_eq(secure->server_name, SL("shop.example")));
	CU_ASSERT_TRUE(
	    slice_eq(secure->version, version == TLS1_2_VERSION ? SL("TLSv1.2") : SL("TLSv1.3")));
	CU_ASSERT_FALSE(secure->is_early);
	end_close(&a);
	end_close(&b);
}

static void test_echo(void)
{
	role_loop();
	setup();
	echo(TLS1_3_VERSION, 0);
	echo(TLS1_3_VERSION, 4096);
	echo(TLS1_2_VERSION, 4096);
	CU_ASSERT_EQUAL(meter_read(&local.meters.handshakes_13), 2);
	CU_ASSERT_EQUAL(meter_read(&local.meters.handshakes_12), 1);
	CU_ASSERT_EQUAL(meter_read(&local.meters.origin_handshakes), 3);
	CU_ASSERT_EQUAL(failures(), 0);
	teardown();
}

/* ---- writing ---- */

/* How many writes and records it takes to send these parts. */
static void expect_parts(size_t parts, const size_t *lens, int writes, int records) ON_LOOP
{
	struct wires w = wires_make(SOCK_SEQPACKET, 0);
	struct end e;
	struct peer p;
	struct buf got;
	size_t total = 0;
	buf_init(&got, 0);
	end_serve(&e, w.ours, server);
	peer_open(&p, w.theirs, visitor);
	CU_ASSERT_TRUE_FATAL(peer_shake(&p));
	peer_read(&p, NULL); /* the ticket */
	peer_count(&p);
	p.reads = 0;
	for (size_t i = 0; i < parts; i++)
		total += lens[i];
	CU_ASSERT_EQUAL(write_parts(&e.conn, parts, lens), total);
	CU_ASSERT_TRUE(conn_is_flushed(&e.conn));
	CU_ASSERT_EQUAL(peer_read(&p, &got), total);
	CU_ASSERT_TRUE(slice_eq(buf_slice(&got), slice_first(buf_slice(&body), total)));
	CU_ASSERT_EQUAL(p.reads, writes);
	CU_ASSERT_EQUAL(peer_count(&p), records);
	buf_fini(&got);
	peer_close(&p);
	end_close(&e);
}

/* The head and the body of a hit are one record; a large body is full records, four a write. */
static void test_coalescing(void)
{
	role_loop();
	setup();
	expect_parts(2, (size_t[]){ 300, 1024 }, 1, 1);
	expect_parts(1, (size_t[]){ 1 }, 1, 1);
	expect_parts(4, (size_t[]){ 300, 0, 16384, 0 }, 1, 2);
	expect_parts(3, (size_t[]){ 1, 65535, 1 }, 2, 5);
	expect_parts(8, (size_t[]){ 5, 5, 5, 5, 5, 5, 5, 5 }, 1, 1);
	expect_parts(2, (size_t[]){ 300, 65536 }, 2, 5);
	teardown();
}

/* A client with little room for records gets all in small ones (RFC 6066 4). */
static void test_small_records(void)
{
	role_loop();
	setup();
	struct wires w = wires_make(SOCK_STREAM, 0);
	struct end e;
	struct peer p;
	struct buf got;
	buf_init(&got, 0);
	end_serve(&e, w.ours, server);
	peer_open(&p, w.theirs, visitor);
	SSL_set_tlsext_max_fragment_length(p.ssl, TLSEXT_max_fragment_length_512);
	CU_ASSERT_TRUE_FATAL(peer_shake(&p));
	peer_read(&p, NULL);
	peer_count(&p);
	CU_ASSERT_EQUAL(write_parts(&e.conn, 2, (size_t[]){ 300, 100000 }), 100300);
	peer_read(&p, &got);
	CU_ASSERT_TRUE(slice_eq(buf_slice(&got), slice_first(buf_slice(&body), 100300)));
	CU_ASSERT_EQUAL(peer_count(&p), 6 * 32 + 4);
	buf_fini(&got);
	peer_close(&p);
	end_close(&e);
	teardown();
}

/* What the socket has not taken goes out by itself, also when the conn has moved. */
static void held(bool moves) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, 4096);
	struct end e, moved;
	struct peer p;
	struct buf got;
	buf_init(&got, 0);
	end_serve(&e, w.ours, server);
	end_open(&moved, -1);
	peer_open(&p, w.theirs, visitor);
	CU_ASSERT_TRUE_FATAL(peer_shake(&p));
	conn_watch(&e.conn, 0);
	struct conn *c = &e.conn;
	size_t sent = write_parts(c, 2, (size_t[]){ 300, 200000 }), more;
	CU_ASSERT_TRUE(sent >= 16384 && sent < 200300);
	CU_ASSERT_FALSE(conn_is_flushed(c));
	CU_ASSERT_TRUE(conn_unsent(c) > 0);
	struct iovec iov = { body.at, 10 };
	CU_ASSERT_EQUAL(conn_writev(c, &iov, 1, &more), IO_AGAIN);
	CU_ASSERT_EQUAL(more, 0);
	if (moves) {
		conn_move(&moved.conn, c, on_end);
		c = &moved.conn;
		CU_ASSERT_FALSE(conn_is_open(&e.conn));
	}
	for (int i = 0; i < 1000 && got.len < sent; i++) {
		peer_read(&p, &got);
		rounds(1);
	}
	CU_ASSERT_TRUE(slice_eq(buf_slice(&got), slice_first(buf_slice(&body), sent)));
	CU_ASSERT_TRUE(conn_is_flushed(c));
	CU_ASSERT_PTR_NULL(line_of(c)->duct.held.at);
	CU_ASSERT_EQUAL(moved.calls, 0); /* nobody is told who did not ask */
	CU_ASSERT_FALSE(ev_is_active(&c->io));
	buf_fini(&got);
	peer_close(&p);
	end_close(&e);
	end_close(&moved);
}

static void test_held(void)
{
	role_loop();
	setup();
	held(false);
	held(true);
	teardown();
}

/* A peer that resets while something is held: the user learns it once and nothing spins. */
static void test_held_and_broken(void)
{
	role_loop();
	setup();
	struct wires w = wires_make(SOCK_STREAM, 4096);
	struct end e;
	struct peer p;
	end_serve(&e, w.ours, server);
	peer_open(&p, w.theirs, visitor);
	CU_ASSERT_TRUE_FATAL(peer_shake(&p));
	conn_watch(&e.conn, 0);
	write_parts(&e.conn, 1, (size_t[]){ 200000 });
	peer_close(&p);
	e.stays_idle = true;
	e.calls = 0;
	rounds(20);
	CU_ASSERT_EQUAL(e.calls, 1);
	CU_ASSERT_TRUE(conn_is_flushed(&e.conn));
	end_close(&e);
	teardown();
}

/* ---- how it ends ---- */

enum ending { NOTIFY, BARE, DATA_AND_NOTIFY, GARBAGE, CUT_RECORD };

/* The ways in which a peer ends (RFC 8446 6.1). */
static void apply(struct peer *p, enum ending how)
{
	struct buf b;
	buf_init(&b, 0);
	if (how == DATA_AND_NOTIFY || how == CUT_RECORD)
		SSL_write(p->ssl, "bye", 3);
	if (how == NOTIFY || how == DATA_AND_NOTIFY)
		SSL_shutdown(p->ssl);
	peer_take(p, &b);
	if (how == CUT_RECORD)
		b.len -= 4;
	say(p->fd, how == GARBAGE ? SL("\x17\x03\x03\x00\x04oops") : buf_slice(&b));
	if (how == BARE || how == CUT_RECORD)
		shutdown(p->fd, SHUT_WR);
	buf_fini(&b);
}

static void ends(bool is_origin, enum ending how, enum io expected) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, 0);
	struct end e;
	struct peer p;
	peer_open(&p, w.theirs, is_origin ? server->context : visitor);
	if (is_origin) {
		SSL_set_accept_state(p.ssl);
		end_connect(&e, w.ours, client, "shop.example", NULL);
		peer_hear(&p);
	} else {
		end_serve(&e, w.ours, server);
	}
	CU_ASSERT_TRUE_FATAL(peer_shake(&p));
	CU_ASSERT_EQUAL_FATAL(e.shake, SHAKE_DONE);
	apply(&p, how);
	rounds(5);
	CU_ASSERT_EQUAL(e.io, expected);
	CU_ASSERT_EQUAL(e.got.len, how == DATA_AND_NOTIFY ? 3 : 0);
	/* A client that has only finished writing still gets its answer. */
	if (!is_origin && expected == IO_EOF) {
		CU_ASSERT_EQUAL(write_parts(&e.conn, 1, (size_t[]){ 100 }), 100);
		peer_read(&p, NULL);
		CU_ASSERT_EQUAL(SSL_get_error(p.ssl, -1), SSL_ERROR_WANT_READ);
	}
	/* It stays so, and is told anew to who asks anew. */
	size_t n;
	e.calls = 0;
	CU_ASSERT_EQUAL(conn_read(&e.conn, e.got.at, 1, &n), expected);
	conn_watch(&e.conn, EV_READ);
	rounds(2);
	CU_ASSERT_EQUAL(e.calls, 1);
	end_close(&e);
	ERR_clear_error();
	peer_close(&p);
}

static void test_ends(void)
{
	role_loop();
	setup();
	ends(false, NOTIFY, IO_EOF);
	ends(false, BARE, IO_EOF);
	ends(false, DATA_AND_NOTIFY, IO_EOF);
	ends(false, GARBAGE, IO_BROKEN);
	ends(false, CUT_RECORD, IO_EOF);
	ends(true, NOTIFY, IO_EOF);
	ends(true, BARE, IO_BROKEN);
	ends(true, DATA_AND_NOTIFY, IO_EOF);
	ends(true, GARBAGE, IO_BROKEN);
	ends(true, CUT_RECORD, IO_BROKEN);
	SSL_CTX_set_max_proto_version(server->context, TLS1_2_VERSION);
	ends(false, NOTIFY, IO_EOF);
	ends(true, BARE, IO_BROKEN);
	teardown();
}

enum closing { CLOSE, SHUT, RESET };

/* What the peer sees of how we end. */
static void closing(enum closing how, bool expects_notify) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, 4096);
	struct end e;
	struct peer p;
	end_serve(&e, w.ours, server);
	peer_open(&p, w.theirs, visitor);
	CU_ASSERT_TRUE_FATAL(peer_shake(&p));
	conn_watch(&e.conn, 0);
	if (how == SHUT) { /* behind what is held */
		write_parts(&e.conn, 1, (size_t[]){ 20000 });
		conn_shut(&e.conn);
		CU_ASSERT_FALSE(conn_is_flushed(&e.conn));
	} else if (how == CLOSE) {
		conn_close(&e.conn);
	} else {
		conn_reset(&e.conn);
	}
	size_t got = 0;
	for (int i = 0; i < 100; i++) {
		got += peer_read(&p, NULL);
		rounds(1);
	}
	CU_ASSERT_EQUAL(got, how == SHUT ? 20000 : 0);
	CU_ASSERT_TRUE(p.saw_eof);
	CU_ASSERT_EQUAL((SSL_get_shutdown(p.ssl) & SSL_RECEIVED_SHUTDOWN) != 0, expects_notify);
	peer_close(&p);
	end_close(&e);
	ERR_clear_error();
}

static void test_closing(void)
{
	role_loop();
	setup();
	closing(CLOSE, true);
	closing(SHUT, true);
	closing(RESET, false);
	teardown();
}

/* ---- bytes that the socket does not tell of ---- */

static void test_unread(void)
{
	role_loop();
	setup();
	struct wires w = wires_make(SOCK_STREAM, 0);
	struct end e;
	struct peer p;
	struct buf b;
	buf_init(&b, 0);
	end_serve(&e, w.ours, server);
	peer_open(&p, w.theirs, visitor);
	CU_ASSERT_TRUE_FATAL(peer_shake(&p));
	/* Three records in one write, read by bytes. */
	for (int i = 0; i < 3; i++)
		SSL_write(p.ssl, "0123456789", 10);
	peer_say(&p);
	e.room = 1;
	e.calls = 0;
	rounds(100);
	CU_ASSERT_TRUE(slice_eq(buf_slice(&e.got), SL("012345678901234567890123456789")));
	CU_ASSERT_EQUAL(e.calls, 30);
	/* One and a half: the half is no reason to ask. */
	SSL_write(p.ssl, "0123456789", 10);
	SSL_write(p.ssl, "abcdefghij", 10);
	peer_take(&p, &b);
	size_t half = b.len - 5;
	buf_clear(&e.got);
	e.calls = 0;
	e.room = 10;
	say(p.fd, slice_first(buf_slice(&b), half));
	rounds(100);
	CU_ASSERT_EQUAL(e.got.len, 10);
	CU_ASSERT_EQUAL(e.calls, 2); /* one to find out that it is a half */
	say(p.fd, slice_from(buf_slice(&b), half));
	rounds(10);
	CU_ASSERT_EQUAL(e.calls, 3);
	CU_ASSERT_EQUAL(e.got.len, 20);
	/* What was fed is not lost when the mask changes before it is told, or the conn moves. */
	for (int i = 0; i < 2; i++)
		SSL_write(p.ssl, "0123456789", 10);
	peer_say(&p);
	buf_clear(&e.got);
	end_read(&e);
	CU_ASSERT_EQUAL(e.got.len, 10);
	conn_watch(&e.conn, EV_READ | EV_WRITE);
	rounds(2);
	CU_ASSERT_EQUAL(e.got.len, 20);
	buf_fini(&b);
	peer_close(&p);
	end_close(&e);
	teardown();
}

/* A request that comes with the client's Finished is told of, though the socket is empty by
 * then. */
static void unread_after_handshake(bool moves) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, 0);
	struct end e, moved;
	struct peer p;
	end_serve(&e, w.ours, server);
	end_open(&moved, -1);
	peer_open(&p, w.theirs, visitor);
	SSL_do_handshake(p.ssl);
	peer_say(&p);
	rounds(3);
	peer_hear(&p);
	CU_ASSERT_EQUAL_FATAL(SSL_do_handshake(p.ssl), 1);
	SSL_write(p.ssl, "GET", 3);
	peer_say(&p);
	e.shake = tls_line_shake(&e.conn);
	CU_ASSERT_EQUAL(e.shake, SHAKE_DONE);
	if (moves) {
		moved.shake = SHAKE_DONE;
		conn_move(&moved.conn, &e.conn, on_end);
		rounds(2);
		CU_ASSERT_EQUAL(moved.got.len, 0);
		conn_watch(&moved.conn, EV_READ);
	}
	rounds(2);
	CU_ASSERT_EQUAL((moves ? &moved : &e)->got.len, 3);
	ERR_clear_error();
	peer_close(&p);
	end_close(&e);
	end_close(&moved);
}

static void test_unread_after_handshake(void)
{
	role_loop();
	setup();
	unread_after_handshake(false);
	unread_after_handshake(true);
	teardown();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "echo", test_echo },
		{ "coalescing", test_coalescing },
		{ "small records", test_small_records },
		{ "held", test_held },
		{ "held and broken", test_held_and_broken },
		{ "ends", test_ends },
		{ "closing", test_closing },
		{ "unread", test_unread },
		{ "unread after handshake", test_unread_after_handshake },
		CU_TEST_INFO_NULL,
	};
	return run_with_ends("line", 3 * MIB, tests);
}
