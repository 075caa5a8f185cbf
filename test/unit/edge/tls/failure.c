/* SPDX-License-Identifier: Apache-2.0 */
/* How handshakes end: what fails and is counted, what is known of who came through. */
#include "edge/tls/failure.c"

#include "test/unit/edge/tls/ends.h"

/* ---- handshakes that fail ---- */

/* What a client hears that does all wrong. */
static void served_badly(struct slice bytes, bool hangs_up, struct buf *ret_heard) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, 0);
	struct end e;
	struct peer p;
	end_serve(&e, w.ours, server);
	peer_open(&p, w.theirs, NULL);
	say(p.fd, bytes);
	if (hangs_up)
		shutdown(p.fd, SHUT_WR);
	rounds(3);
	CU_ASSERT_EQUAL(e.shake, SHAKE_FAILED);
	CU_ASSERT_EQUAL(tls_line_shake(&e.conn), SHAKE_FAILED);
	end_close(&e);
	peer_hear(&p);
	CU_ASSERT_TRUE(p.saw_eof);
	if (ret_heard)
		buf_add(ret_heard, buf_slice(&p.raw));
	peer_close(&p);
}

static void test_served_badly(void)
{
	role_loop();
	setup();
	struct buf heard;
	buf_init(&heard, 0);
	served_badly(SL("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"), false, &heard);
	CU_ASSERT_EQUAL(meter_read(&local.meters.failed_plain), 1);
	CU_ASSERT_TRUE(slice_starts(buf_slice(&heard), SL("HTTP/1.1 400 Bad Request\r\n")));
	struct slice text = buf_slice(&heard);
	size_t head = slice_find_slice(text, SL("\r\n\r\n")) + 4;
	CU_ASSERT_TRUE(slice_find_slice(text, SL("Content-Length: 23\r\n")) < head);
	CU_ASSERT_EQUAL(text.len - head, 23);
	served_badly(SL(""), true, NULL);
	CU_ASSERT_EQUAL(meter_read(&local.meters.failed_gone), 1);
	buf_clear(&heard);
	served_badly(SL("\x16\x03\x01\x00\x05\xff\x00\x00\x01x"), false, &heard);
	CU_ASSERT_EQUAL(meter_read(&local.meters.failed_protocol), 1);
	CU_ASSERT_TRUE(heard.len == 7 && heard.at[0] == 21); /* an alert */
	CU_ASSERT_EQUAL(failures(), 3);
	buf_fini(&heard);
	teardown();
}

/* A client of OpenSSL's that the server, as it is set now, refuses. */
static void served_in_vain(SSL_CTX *context, const char *name, meter *counts) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, 0);
	struct end e;
	struct peer p;
	end_serve(&e, w.ours, server);
	peer_open(&p, w.theirs, context);
	if (name)
		peer_name(&p, name);
	uint64_t before = meter_read(counts);
	peer_shake(&p);
	CU_ASSERT_EQUAL(e.shake, SHAKE_FAILED);
	CU_ASSERT_EQUAL(meter_read(counts), before + 1);
	peer_close(&p);
	end_close(&e);
}

static void test_served_in_vain(void)
{
	role_loop();
	setup();
	struct made strange = made_of(
	    (struct recipe){ .names = "DNS:someone", .issuer = &other_ca });
	SSL_CTX *stranger = context_make(&strange, &ca);
	SSL_CTX_set_verify(
	    server->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	served_in_vain(visitor, NULL, &local.meters.failed_certificate);
	served_in_vain(stranger, NULL, &local.meters.failed_certificate);
	SSL_CTX_set_min_proto_version(server->context, TLS1_3_VERSION);
	SSL_CTX_set_max_proto_version(stranger, TLS1_2_VERSION);
	served_in_vain(stranger, NULL, &local.meters.failed_protocol);
	CU_ASSERT_EQUAL(failures(), 3);
	CU_ASSERT_EQUAL(meter_read(&local.meters.handshakes_13), 0);
	teardown();
	setup_with((struct tls_options){ .unknown_name = TLS_UNKNOWN_REFUSE });
	served_in_vain(visitor, "other.example", &local.meters.failed_name);
	CU_ASSERT_EQUAL(failures(), 1);
	SSL_CTX_free(stranger);
	made_free(&strange);
	teardown();
}

/* A deadline's verdict is counted once, and not when the handshake was over. */
static void test_give_up(void)
{
	role_loop();
	setup();
	struct wires w = wires_make(SOCK_STREAM, 0);
	struct end e;
	end_serve(&e, w.ours, server);
	rounds(1);
	tls_line_give_up(&e.conn, true);
	tls_line_give_up(&e.conn, true);
	CU_ASSERT_EQUAL(meter_read(&local.meters.failed_timeout), 1);
	CU_ASSERT_EQUAL(tls_line_shake(&e.conn), SHAKE_FAILED);
	end_close(&e);
	CU_ASSERT_EQUAL(failures(), 1);
	close(w.theirs);
	teardown();
}

/* ---- clients' certificates, and ours ---- */

static void visit(SSL_CTX *context, const char *name, struct end *e, struct peer *p) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, 0);
	end_serve(e, w.ours, server);
	peer_open(p, w.theirs, context);
	peer_name(p, name);
	CU_ASSERT_TRUE_FATAL(peer_shake(p));
	CU_ASSERT_EQUAL_FATAL(e->shake, SHAKE_DONE);
}

static int let_pass(UNUSED int is_good, UNUSED X509_STORE_CTX *store)
{
	return 1;
}

static void test_secure(void)
{
	role_loop();
	setup();
	struct made known = made_of((struct recipe){ .names = "DNS:someone", .issuer = &ca });
	struct made strange = made_of(
	    (struct recipe){ .names = "DNS:someone", .issuer = &other_ca });
	X509_STORE_add_cert(SSL_CTX_get_cert_store(server->context), ca.cert);
	SSL_CTX_set_verify(server->context, SSL_VERIFY_PEER, let_pass);
	struct made *who[] = { NULL, &known, &strange };
	for (size_t i = 0; i < COUNT_OF(who); i++) {
		struct end e;
		struct peer p;
		SSL_CTX *context = context_make(who[i], &ca);
		visit(context, "A.Shop.example", &e, &p);
		const struct secure *secure = tls_line_secure(&e.conn);
		CU_ASSERT_TRUE(slice_eq(secure->server_name, SL("a.shop.example")));
		CU_ASSERT_TRUE(secure->speaks_for(secure, SL("a.shop.example")));
		CU_ASSERT_TRUE(secure->speaks_for(secure, SL("shop.example")));
		CU_ASSERT_FALSE(secure->speaks_for(secure, SL("other.example")));
		/* Only one that was verified is told of. */
		unsigned char *der = NULL;
		int len = i2d_X509(known.cert, &der);
		struct slice expected = slice_of((char *)der, (size_t)len);
		CU_ASSERT_TRUE(
		    slice_eq(secure->certificate, who[i] == &known ? expected : SLICE_NONE));
		CU_ASSERT_FALSE(tls_line_is_h2(&e.conn));
		OPENSSL_free(der);
		end_close(&e);
		peer_close(&p);
		SSL_CTX_free(context);
	}
	made_free(&known);
	made_free(&strange);
	teardown();
}

/* ---- origins ---- */

/* Connects to an origin that shows a certificate; NULL = it refuses. Returns how it failed. Whose
 * name is right: RFC 9110 4.3.4. */
static enum tls_failure connected(const struct made *show, const char *name, enum shake expected,
    char ret_text[FAILURE_BYTES]) ON_LOOP
{
	struct wires w = wires_make(SOCK_STREAM, 0);
	struct end e;
	struct peer p;
	const char *text;
	SSL_CTX *origin = context_make(show, NULL);
	peer_open(&p, w.theirs, origin);
	SSL_set_accept_state(p.ssl);
	end_connect(&e, w.ours, client, name, NULL);
	peer_hear(&p);
	peer_shake(&p);
	rounds(2);
	CU_ASSERT_EQUAL(e.shake, expected);
	enum tls_failure failure = tls_line_failure(&e.conn, &text);
	snprintf(ret_text, FAILURE_BYTES, "%s", text);
	const char *sni = SSL_get_servername(p.ssl, TLSEXT_NAMETYPE_host_name);
	CU_ASSERT_EQUAL(sni == NULL, is_digit(name[0]));
	end_close(&e);
	peer_close(&p);
	SSL_CTX_free(origin);
	ERR_clear_error();
	return failure;
}

static void test_origin_certificates(void)
{
	role_loop();
	setup();
	char text[FAILURE_BYTES];
	struct made late = made_of((struct recipe){
	    .names = "DNS:shop.example", .issuer = &ca, .from_day = -9, .to_day = -1 });
	struct made strange = made_of(
	    (struct recipe){ .names = "DNS:shop.example", .issuer = &other_ca });
	struct made alone = made_of((struct recipe){ .names = "DNS:shop.example" });
	connected(&pair, "shop.example", SHAKE_DONE, text);
	connected(&pair, "a.shop.example", SHAKE_DONE, text);
	connected(&pair, "shop.example.", SHAKE_DONE, text);
	connected(&pair, "127.0.0.1", SHAKE_DONE, text);
	CU_ASSERT_EQUAL(connected(&pair, "127.0.0.2", SHAKE_FAILED, text), TLS_FAILED_CERTIFICATE);
	CU_ASSERT_EQUAL(
	    connected(&pair, "other.example", SHAKE_FAILED, text), TLS_FAILED_CERTIFICATE);
	CU_ASSERT_STRING_EQUAL(text,
	    "the certificate is not for other.example, it is for: shop.example *.shop.example");
	CU_ASSERT_EQUAL(
	    connected(&late, "shop.example", SHAKE_FAILED, text), TLS_FAILED_CERTIFICATE);
	CU_ASSERT_STRING_EQUAL(text, "certificate has expired");
	CU_ASSERT_EQUAL(
	    connected(&strange, "shop.example", SHAKE_FAILED, text), TLS_FAILED_CERTIFICATE);
	CU_ASSERT_STRING_EQUAL(text, "unable to get local issuer certificate");
	CU_ASSERT_EQUAL(
	    connected(&alone, "shop.example", SHAKE_FAILED, text), TLS_FAILED_CERTIFICATE);
	CU_ASSERT_STRING_EQUAL(text, "self-signed certificate");
	CU_ASSERT_EQUAL(connected(NULL, "shop.example", SHAKE_FAILED, text), TLS_FAILED_ALERT);
	CU_ASSERT_STRING_EQUAL(text, "refused with the alert \"handshake failure\"");
	client->verify = false;
	connected(&late, "other.example", SHAKE_DONE, text);
	CU_ASSERT_EQUAL(meter_read(&local.meters.origin_handshakes), 5);
	CU_ASSERT_EQUAL(failures(), 0);
	made_free(&late);
	made_free(&strange);
	made_free(&alone);
	teardown();
}

/* An origin that does not speak TLS, or does not speak. */
static void test_origin_is_none(void)
{
	static const enum tls_failure kinds[] = { TLS_FAILED_PROTOCOL, TLS_FAILED_CLOSED,
		TLS_FAILED_CLOSED };
	static const char *const texts[] = { "wrong version number", "closed during the handshake",
		"took too long to shake hands" };
	role_loop();
	setup();
	for (int i = 0; i < 3; i++) {
		struct wires w = wires_make(SOCK_STREAM, 0);
		struct end e;
		const char *text;
		end_connect(&e, w.ours, client, "shop.example", NULL);
		if (i == 0)
			say(w.theirs, SL("HTTP/1.1 400 Bad Request\r\n\r\n"));
		if (i == 1)
			shutdown(w.theirs, SHUT_WR);
		rounds(2);
		CU_ASSERT_EQUAL(e.shake, i == 2 ? SHAKE_AGAIN : SHAKE_FAILED);
		if (i == 2)
			tls_line_give_up(&e.conn, true);
		CU_ASSERT_EQUAL(tls_line_failure(&e.conn, &text), kinds[i]);
		CU_ASSERT_STRING_EQUAL(text, texts[i]);
		end_close(&e);
		close(w.theirs);
	}
	CU_ASSERT_EQUAL(failures(), 0);
	teardown();
}

/* A session that an origin gave is offered to it again, however the line ended. */
static void resume(int version, bool is_polite) ON_LOOP
{
	SSL_SESSION *session = NULL;
	SSL_CTX_set_max_proto_version(server->context, version);
	uint64_t before = meter_read(&local.meters.origin_resumed);
	for (int i = 0; i < 2; i++) {
		struct wires w = wires_make(SOCK_STREAM, 0);
		struct end a, b;
		end_serve(&a, w.ours, server);
		end_connect(&b, w.theirs, client, "shop.example", session);
		SSL_SESSION_free(session);
		a.to_send = SL("x");
		rounds(10);
		CU_ASSERT_EQUAL(a.shake, SHAKE_DONE);
		CU_ASSERT_EQUAL(b.shake, SHAKE_DONE);
		session = tls_line_take_session(&b.conn);
		/* TLS 1.2 gives no new ticket for a good one. */
		CU_ASSERT_EQUAL(session == NULL, version == TLS1_2_VERSION && i == 1);
		CU_ASSERT_PTR_NULL(tls_line_take_session(&b.conn));
		if (is_polite)
			conn_shut(&a.conn);
		else
			conn_reset(&a.conn);
		rounds(3);
		end_close(&b);
		end_close(&a);
	}
	SSL_SESSION_free(session);
	CU_ASSERT_EQUAL(meter_read(&local.meters.origin_resumed), before + 1);
	CU_ASSERT_EQUAL(meter_read(&local.meters.resumed), before + 1);
}

static void test_resumption(void)
{
	role_loop();
	setup();
	resume(TLS1_3_VERSION, true);
	resume(TLS1_3_VERSION, false);
	resume(TLS1_2_VERSION, false);
	teardown();
}

/* ---- a peer that is up to something ---- */

static void test_key_updates(void)
{
	role_loop();
	setup();
	struct end e;
	struct peer p;
	struct buf got;
	buf_init(&got, 0);
	visit(visitor, "shop.example", &e, &p);
	for (int i = 0; i < 20; i++) {
		SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED);
		SSL_write(p.ssl, "x", 1);
		peer_say(&p);
		rounds(2);
		CU_ASSERT_EQUAL(e.got.len, (size_t)i + 1);
		write_parts(&e.conn, 1, (size_t[]){ 100 });
		peer_read(&p, &got);
	}
	CU_ASSERT_EQUAL(got.len, 2000);
	buf_fini(&got);
	end_close(&e);
	peer_close(&p);
	teardown();
}

/* One that only asks for a new handshake and does not hear our no: bounded, and given up. */
static void test_renegotiation(void)
{
	role_loop();
	setup();
	struct end e;
	struct peer p;
	SSL_CTX_set_max_proto_version(visitor, TLS1_2_VERSION);
	SSL_CTX_clear_options(visitor, SSL_OP_NO_RENEGOTIATION);
	visit(visitor, "shop.example", &e, &p);
	SSL_renegotiate(p.ssl);
	SSL_do_handshake(p.ssl);
	peer_say(&p);
	rounds(3);
	peer_hear(&p);
	/* Refused; what comes of it is the client's choice. */
	CU_ASSERT_NOT_EQUAL(SSL_do_handshake(p.ssl), 1);
	CU_ASSERT_EQUAL(meter_read(&local.meters.handshakes_12), 1);
	CU_ASSERT_TRUE(conn_is_flushed(&e.conn));
	ERR_clear_error();
	end_close(&e);
	peer_close(&p);
	teardown();
}

/* A handshake that is cut off after each of its bytes, by the end or by a reset. */
static void test_aborted(void)
{
	role_loop();
	setup();
	struct buf first, second;
	buf_init(&first, 0);
	buf_init(&second, 0);
	for (size_t cut = 0; cut < 1000; cut++) {
		struct wires w = wires_make(SOCK_STREAM, 0);
		struct end e;
		struct peer p;
		end_serve(&e, w.ours, server);
		peer_open(&p, w.theirs, visitor);
		SSL_do_handshake(p.ssl);
		buf_clear(&first);
		peer_take(&p, &first);
		say(p.fd, slice_first(buf_slice(&first), cut));
		rounds(1);
		peer_hear(&p);
		SSL_do_handshake(p.ssl);
		buf_clear(&second);
		peer_take(&p, &second);
		size_t left = cut > first.len ? cut - first.len : 0;
		say(p.fd, slice_first(buf_slice(&second), left));
		if (cut % 3 == 0)
			peer_close(&p);
		else
			shutdown(p.fd, SHUT_WR);
		rounds(2);
		CU_ASSERT_NOT_EQUAL(e.shake, SHAKE_AGAIN);
		if (e.shake == SHAKE_DONE)
			CU_ASSERT_TRUE(left >= second.len);
		cut % 2 ? end_close(&e) : (conn_reset(&e.conn), end_close(&e));
		peer_close(&p);
		ERR_clear_error();
	}
	const struct tls_meters *m = &local.meters;
	CU_ASSERT_EQUAL(failures() + meter_read(&m->handshakes_13), 1000);
	CU_ASSERT_TRUE(meter_read(&m->handshakes_13) > 100);
	CU_ASSERT_TRUE(meter_read(&m->failed_gone) > 100);
	buf_fini(&first);
	buf_fini(&second);
	teardown();
}

/* The same of an origin's part. */
static void test_origin_aborts(void)
{
	role_loop();
	setup();
	SSL_CTX *origin = context_make(&pair, NULL);
	struct buf flight;
	buf_init(&flight, 0);
	size_t done = 0;
	for (size_t cut = 0; cut < 1500; cut++) {
		struct wires w = wires_make(SOCK_STREAM, 0);
		struct end e;
		struct peer p;
		peer_open(&p, w.theirs, origin);
		SSL_set_accept_state(p.ssl);
		end_connect(&e, w.ours, client, "shop.example", NULL);
		peer_hear(&p);
		SSL_do_handshake(p.ssl);
		buf_clear(&flight);
		peer_take(&p, &flight);
		say(p.fd, slice_first(buf_slice(&flight), cut));
		rounds((int)(cut % 2));
		peer_close(&p);
		rounds(2);
		CU_ASSERT_EQUAL(e.shake, cut < flight.len ? SHAKE_FAILED : SHAKE_DONE);
		done += e.shake == SHAKE_DONE;
		end_close(&e);
		ERR_clear_error();
	}
	CU_ASSERT_EQUAL(meter_read(&local.meters.origin_handshakes), done);
	CU_ASSERT_TRUE(done > 100 && done < 1400);
	buf_fini(&flight);
	SSL_CTX_free(origin);
	teardown();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "served badly", test_served_badly },
		{ "served in vain", test_served_in_vain },
		{ "give up", test_give_up },
		{ "secure", test_secure },
		{ "origin certificates", test_origin_certificates },
		{ "origin is none", test_origin_is_none },
		{ "resumption", test_resumption },
		{ "key updates", test_key_updates },
		{ "renegotiation", test_renegotiation },
		{ "aborted", test_aborted },
		{ "origin aborts", test_origin_aborts },
		CU_TEST_INFO_NULL,
	};
	return run_with_ends("handshakes", 4096, tests);
}
