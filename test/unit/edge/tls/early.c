/* SPDX-License-Identifier: Apache-2.0 */
/* Early data (RFC 8446 2.3, 8470): taken once, known for what it is until the handshake's end. */
#include "edge/tls/line.c"
#include "test/unit/edge/tls/ends.h"

static const struct tls_options with_early = { .early_data = true };

/* A session, as a visit leaves it. */
static SSL_SESSION *visit_once(void) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, 0);
	struct end e;
	struct peer p;
	end_serve(&e, w.ours, server);
	peer_open(&p, w.theirs, visitor);
	peer_name(&p, "shop.example");
	CU_ASSERT_TRUE_FATAL(peer_shake(&p));
	peer_read(&p, NULL);
	SSL_SESSION *session = SSL_get1_session(p.ssl);
	CU_ASSERT_TRUE_FATAL(SSL_SESSION_is_resumable(session));
	CU_ASSERT_EQUAL(SSL_SESSION_get_max_early_data(session), server->early_data ? 16384 : 0);
	SSL_set_shutdown(p.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	end_close(&e);
	peer_close(&p);
	ERR_clear_error();
	return session;
}

/* Opens both sides; the peer has its hello and early data ready to be taken. */
static void come_back(struct end *e, struct peer *p, SSL_SESSION *session, size_t bytes) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, 0);
	size_t wrote;
	end_serve(e, w.ours, server);
	peer_open(p, w.theirs, visitor);
	peer_name(p, "shop.example");
	SSL_set_session(p->ssl, session);
	CU_ASSERT_EQUAL(SSL_write_early_data(p->ssl, body.at, bytes, &wrote), 1);
	CU_ASSERT_EQUAL(wrote, bytes);
}

/* The whole way: read early, answered early, finished, and on as any other. */
static void taken(size_t bytes, size_t room) ON_LOOP
{
	struct end e;
	struct peer p;
	struct buf got;
	buf_init(&got, 0);
	SSL_SESSION *session = visit_once();
	come_back(&e, &p, session, bytes);
	e.room = room;
	peer_say(&p);
	rounds((int)(bytes / room) + 5);
	CU_ASSERT_EQUAL(e.shake, SHAKE_DONE);
	CU_ASSERT_TRUE(slice_eq(buf_slice(&e.got), slice_first(buf_slice(&body), bytes)));
	const struct secure *secure = tls_line_secure(&e.conn);
	CU_ASSERT_TRUE(secure->is_early);
	CU_ASSERT_TRUE(slice_eq(secure->version, SL("TLSv1.3")));
	CU_ASSERT_TRUE(slice_eq(secure->server_name, SL("shop.example")));
	CU_ASSERT_EQUAL(meter_read(&local.meters.handshakes_13), 1);
	CU_ASSERT_EQUAL(write_parts(&e.conn, 2, (size_t[]){ 300, 40000 }), 40300);
	peer_hear(&p);
	CU_ASSERT_TRUE(peer_shake(&p));
	rounds(2);
	CU_ASSERT_FALSE(secure->is_early);
	CU_ASSERT_EQUAL(SSL_get_early_data_status(p.ssl), SSL_EARLY_DATA_ACCEPTED);
	CU_ASSERT_EQUAL(meter_read(&local.meters.handshakes_13), 2);
	CU_ASSERT_EQUAL(meter_read(&local.meters.resumed), 1);
	CU_ASSERT_EQUAL(meter_read(&local.meters.early), 1);
	peer_read(&p, &got);
	CU_ASSERT_TRUE(slice_eq(buf_slice(&got), slice_first(buf_slice(&body), 40300)));
	SSL_write(p.ssl, "more", 4);
	peer_say(&p);
	rounds(8);
	CU_ASSERT_TRUE(slice_ends(buf_slice(&e.got), SL("more")));
	CU_ASSERT_EQUAL(e.got.len, bytes + 4);
	CU_ASSERT_EQUAL(write_parts(&e.conn, 1, (size_t[]){ 10 }), 10);
	CU_ASSERT_EQUAL(peer_read(&p, NULL), 10);
	end_close(&e);
	CU_ASSERT_EQUAL(failures(), 0);
	peer_close(&p);
	SSL_SESSION_free(session);
	buf_fini(&got);
	ERR_clear_error();
}

static void test_taken(void)
{
	static const size_t sizes[][2] = { { 1, 100 }, { 500, 16384 }, { 500, 7 },
		{ 16000, 1000 } };
	role_loop();
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		setup_with(with_early);
		taken(sizes[i][0], sizes[i][1]);
		teardown();
	}
}

/* All in one piece: what was early is over when it is read, and all is read. */
static void test_all_at_once(void)
{
	role_loop();
	setup_with(with_early);
	SSL_SESSION *session = visit_once();
	struct end e;
	struct peer p;
	come_back(&e, &p, session, 20);
	peer_say(&p);
	e.stays_idle = true; /* the session is busy and does not read */
	rounds(3);
	CU_ASSERT_TRUE(tls_line_secure(&e.conn)->is_early);
	peer_hear(&p);
	CU_ASSERT_EQUAL(SSL_do_handshake(p.ssl), 1);
	SSL_write(p.ssl, "more", 4);
	peer_say(&p);
	for (int i = 0; i < 4; i++)
		end_read(&e);
	CU_ASSERT_EQUAL(e.got.len, 24);
	CU_ASSERT_FALSE(tls_line_secure(&e.conn)->is_early);
	CU_ASSERT_EQUAL(meter_read(&local.meters.handshakes_13), 2);
	end_close(&e);
	peer_close(&p);
	SSL_SESSION_free(session);
	ERR_clear_error();
	teardown();
}

/* The same bytes again, on another connection: a full handshake, and no early data. */
static void test_replayed(void)
{
	role_loop();
	setup_with(with_early);
	SSL_SESSION *session = visit_once();
	struct buf flight;
	buf_init(&flight, 0);
	for (int i = 0; i < 3; i++) {
		struct wires w = wires_make(SOCK_STREAM, 0);
		struct end e;
		struct peer p;
		if (i == 0) {
			come_back(&e, &p, session, 100);
			peer_take(&p, &flight);
			close(w.ours);
			close(w.theirs);
		} else {
			end_serve(&e, w.ours, server);
			peer_open(&p, w.theirs, NULL);
		}
		say(p.fd, buf_slice(&flight));
		rounds(5);
		CU_ASSERT_EQUAL(e.shake, i == 0 ? SHAKE_DONE : SHAKE_AGAIN);
		CU_ASSERT_EQUAL(e.got.len, i == 0 ? 100 : 0);
		CU_ASSERT_EQUAL(meter_read(&local.meters.early), 1);
		end_close(&e);
		peer_close(&p);
	}
	SSL_SESSION_free(session);
	buf_fini(&flight);
	ERR_clear_error();
	teardown();
}

/* A client that goes no further than its early data: no spinning, and it is counted once. */
static void test_never_finished(void)
{
	role_loop();
	setup_with(with_early);
	for (int i = 0; i < 3; i++) {
		SSL_SESSION *session = visit_once();
		struct end e;
		struct peer p;
		come_back(&e, &p, session, 100);
		peer_say(&p);
		rounds(3);
		CU_ASSERT_EQUAL(e.got.len, 100);
		e.calls = 0;
		rounds(100);
		CU_ASSERT_EQUAL(e.calls, 0);
		CU_ASSERT_TRUE(tls_line_secure(&e.conn)->is_early);
		if (i == 0)
			tls_line_give_up(&e.conn, true);
		if (i == 1) { /* it has only finished writing: it gets its answer */
			shutdown(p.fd, SHUT_WR);
			rounds(2);
			CU_ASSERT_EQUAL(e.io, IO_EOF);
			CU_ASSERT_EQUAL(write_parts(&e.conn, 1, (size_t[]){ 50 }), 50);
		}
		end_close(&e);
		peer_close(&p);
		SSL_SESSION_free(session);
		ERR_clear_error();
	}
	CU_ASSERT_EQUAL(meter_read(&local.meters.failed_timeout), 1);
	CU_ASSERT_EQUAL(failures(), 3);
	CU_ASSERT_EQUAL(meter_read(&local.meters.early), 3);
	teardown();
}

/* close_notify has its place behind the handshake: an early end waits for it. */
static void test_shut_early(void)
{
	role_loop();
	setup_with(with_early);
	SSL_SESSION *session = visit_once();
	struct end e;
	struct peer p;
	come_back(&e, &p, session, 100);
	peer_say(&p);
	rounds(3);
	write_parts(&e.conn, 1, (size_t[]){ 50 });
	conn_shut(&e.conn);
	peer_hear(&p);
	CU_ASSERT_FALSE(p.saw_eof);
	CU_ASSERT_TRUE(peer_shake(&p));
	rounds(2);
	CU_ASSERT_EQUAL(peer_read(&p, NULL), 50);
	CU_ASSERT_TRUE(p.saw_eof);
	CU_ASSERT_TRUE(SSL_get_shutdown(p.ssl) & SSL_RECEIVED_SHUTDOWN);
	end_close(&e);
	peer_close(&p);
	SSL_SESSION_free(session);
	ERR_clear_error();
	teardown();
}

/* Damaged early data ends it; so does a second hello in its place. */
static void test_damaged(void)
{
	role_loop();
	setup_with(with_early);
	struct buf flight;
	buf_init(&flight, 0);
	SSL_SESSION *session = visit_once();
	struct end e;
	struct peer p;
	come_back(&e, &p, session, 100);
	peer_take(&p, &flight);
	flight.at[flight.len - 1] ^= 1;
	say(p.fd, buf_slice(&flight));
	rounds(5);
	CU_ASSERT_EQUAL(e.shake, SHAKE_FAILED);
	CU_ASSERT_EQUAL(e.got.len, 0);
	CU_ASSERT_EQUAL(meter_read(&local.meters.failed_protocol), 1);
	end_close(&e);
	CU_ASSERT_EQUAL(failures(), 1);
	peer_close(&p);
	SSL_SESSION_free(session);
	buf_fini(&flight);
	ERR_clear_error();
	teardown();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "taken", test_taken },
		{ "all at once", test_all_at_once },
		{ "replayed", test_replayed },
		{ "never finished", test_never_finished },
		{ "shut early", test_shut_early },
		{ "damaged", test_damaged },
		CU_TEST_INFO_NULL,
	};
	return run_with_ends("early", 3 * 65536, tests);
}
