/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that go on: who may, where, and until when (RFC 5077, RFC 8446 2.2 and 2.3). */
#include "edge/tls/server.c"
#include "talk.h"

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void make_certs(void)
{
	made_pair("shop", (struct recipe){ .names = "DNS:shop.example,DNS:www.shop.example" });
	made_pair("img", (struct recipe){ .names = "DNS:img.example" });
}

/* A session from a full handshake. own: SSL_SESSION_free. */
static SSL_SESSION *begin(const struct tls_server *s, struct offer o)
{
	struct talk t;
	o.session = NULL;
	CU_ASSERT_FATAL(talk(&t, s, o));
	CU_ASSERT_FALSE(SSL_session_reused(t.client));
	SSL_SESSION *session = SSL_get1_session(t.client);
	talk_close(&t);
	return session;
}

/* Whether a session goes on here. ret_next: what the client would offer next time; may be NULL. */
static bool goes_on(const struct tls_server *s, struct offer o, SSL_SESSION **ret_next)
{
	struct talk t;
	CU_ASSERT(talk(&t, s, o));
	bool is_reused = SSL_session_reused(t.server);
	CU_ASSERT_EQUAL(SSL_session_reused(t.client), is_reused);
	if (ret_next)
		*ret_next = SSL_get1_session(t.client);
	talk_close(&t);
	return is_reused;
}

/* A ticket begins with the name of the key that sealed it. */
static bool has_same_key(const SSL_SESSION *a, const SSL_SESSION *b)
{
	const unsigned char *x, *y;
	size_t x_len, y_len;
	SSL_SESSION_get0_ticket(a, &x, &x_len);
	SSL_SESSION_get0_ticket(b, &y, &y_len);
	return x_len > 16 && y_len > 16 && memcmp(x, y, 16) == 0;
}

static void test_servers(void)
{
	struct terms terms, others;
	TERMS(&terms, "shop", "img");
	TERMS(&others, "shop", "img");
	struct tls_server *one = terms_serve(&terms), *two = terms_serve(&terms);
	struct tls_server *stranger = terms_serve(&others);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct offer o = { .name = "shop.example", .version = versions[i] };
		o.session = begin(one, o);
		CU_ASSERT(goes_on(one, o, NULL));
		CU_ASSERT(goes_on(two, o, NULL));
		CU_ASSERT_FALSE(goes_on(stranger, o, NULL));
		CU_ASSERT(SSL_SESSION_get_timeout(o.session) <= 24 * 3600);
		SSL_SESSION_free(o.session);
	}
	tls_server_unref(&one);
	tls_server_unref(&two);
	tls_server_unref(&stranger);
	terms_fini(&terms);
	terms_fini(&others);
}

/* RFC 6066 3: not for another name, even of the same certificate. */
static void test_other_name(void)
{
	static const char *const names[] = { "www.shop.example", "img.example", "else.example",
		NULL };
	struct terms terms;
	TERMS(&terms, "shop", "img");
	struct tls_server *s = terms_serve(&terms);
	for (size_t i = 0; i < COUNT_OF(versions) * COUNT_OF(names); i++) {
		struct offer o = { .name = "shop.example", .version = versions[i % 2] };
		o.session = begin(s, o);
		o.name = names[i / 2];
		CU_ASSERT_FALSE(goes_on(s, o, NULL));
		SSL_SESSION_free(o.session);
		o = (struct offer){ .name = names[i / 2], .version = versions[i % 2] };
		o.session = begin(s, o);
		CU_ASSERT(goes_on(s, o, NULL));
		o.name = "shop.example";
		CU_ASSERT_FALSE(goes_on(s, o, NULL));
		SSL_SESSION_free(o.session);
	}
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* The name is known after a resumption, whichever TLS carries it. */
static void test_name_stays(void)
{
	struct terms terms;
	TERMS(&terms, "shop", "img");
	struct tls_server *s = terms_serve(&terms);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct talk t;
		char room[NAME_ROOM];
		struct offer o = { .name = "IMG.example", .version = versions[i] };
		o.session = begin(s, o);
		CU_ASSERT(talk(&t, s, o));
		CU_ASSERT(SSL_session_reused(t.server));
		CU_ASSERT(slice_eq(tls_server_asked(t.server, room), SL("img.example")));
		CU_ASSERT_PTR_EQUAL(tls_server_shown(t.server), s->certs[1]);
		talk_close(&t);
		SSL_SESSION_free(o.session);
	}
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* A key opens for two rotations after its own, and what it opened is renewed. */
static void test_rotation(void)
{
	struct terms terms;
	TERMS(&terms, "shop");
	struct tls_server *s = terms_serve(&terms);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct offer o = { .name = "shop.example", .version = versions[i] };
		SSL_SESSION *old = o.session = begin(s, o), *next;
		CU_ASSERT(goes_on(s, o, &next));
		CU_ASSERT(has_same_key(old, next));
		SSL_SESSION_free(next);
		for (int rotations = 1; rotations <= 2; rotations++) {
			CU_ASSERT_EQUAL(tickets_rotate(terms.tickets), ERR_NONE);
			o.session = NULL;
			SSL_SESSION *fresh = begin(s, o);
			o.session = old;
			CU_ASSERT(goes_on(s, o, &next));
			CU_ASSERT_FALSE(has_same_key(old, next));
			CU_ASSERT(has_same_key(fresh, next));
			SSL_SESSION_free(fresh);
			if (rotations == 1)
				SSL_SESSION_free(next);
		}
		CU_ASSERT_EQUAL(tickets_rotate(terms.tickets), ERR_NONE);
		CU_ASSERT_FALSE(goes_on(s, o, NULL));
		o.session = next;
		CU_ASSERT(goes_on(s, o, NULL));
		SSL_SESSION_free(next);
		SSL_SESSION_free(old);
	}
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* RFC 8446 C.4: of TLS 1.3 each ticket is to be used once, so each handshake gives one, and one
 * only. */
static void test_one_ticket(void)
{
	struct terms terms;
	struct talk t;
	TERMS(&terms, "shop");
	struct tls_server *s = terms_serve(&terms);
	CU_ASSERT_EQUAL(SSL_CTX_get_num_tickets(s->context), 1);
	struct offer o = { .name = "shop.example", .version = TLS1_3_VERSION };
	o.session = begin(s, o);
	CU_ASSERT(talk(&t, s, o));
	CU_ASSERT(SSL_session_reused(t.server) && t.session != NULL);
	talk_close(&t);
	SSL_SESSION_free(o.session);
	tls_server_unref(&s);
	terms_fini(&terms);
}

static void test_off(void)
{
	struct terms terms;
	TERMS(&terms, "shop");
	terms.options.tickets = false;
	struct tls_server *s = terms_serve(&terms);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct offer o = { .name = "shop.example", .version = versions[i] };
		o.session = begin(s, o);
		CU_ASSERT_FALSE(SSL_SESSION_has_ticket(o.session));
		CU_ASSERT_FALSE(goes_on(s, o, NULL));
		SSL_SESSION_free(o.session);
	}
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* ---- early data ---- */

/* Sends a request early with a session. Whether the server took it. */
static bool takes_early(const struct tls_server *s, const char *name, SSL_SESSION *session)
{
	struct talk t;
	char got[8] = "";
	size_t wrote = 0, len = 0;
	talk_open(&t, s->context,
	    (struct offer){ .name = name, .version = TLS1_3_VERSION, .session = session });
	CU_ASSERT(SSL_write_early_data(t.client, "GET", 3, &wrote));
	int answer = SSL_read_early_data(t.server, got, sizeof(got), &len);
	bool is_taken = answer == SSL_READ_EARLY_DATA_SUCCESS;
	CU_ASSERT_EQUAL(SSL_get_early_data_status(t.server) == SSL_EARLY_DATA_ACCEPTED, is_taken);
	if (is_taken)
		CU_ASSERT(len == 3 && memcmp(got, "GET", 3) == 0);
	for (int i = 0; i < 4; i++) {
		talk_step(&t, t.client);
		SSL_read_early_data(t.server, got, sizeof(got), &len);
	}
	CU_ASSERT(talk_shake(&t));
	talk_close(&t);
	return is_taken;
}

/* RFC 8446 8: what was sent early once is not taken a second time. */
static void test_early(void)
{
	struct terms terms;
	TERMS(&terms, "shop", "img");
	terms.options.early_data = true;
	struct tls_server *s = terms_serve(&terms), *other = terms_serve(&terms);
	struct offer o = { .name = "shop.example", .version = TLS1_3_VERSION };
	SSL_SESSION *session = begin(s, o);
	CU_ASSERT_EQUAL(SSL_SESSION_get_max_early_data(session), EARLY_BYTES);
	CU_ASSERT_FALSE(takes_early(other, "shop.example", session)); /* another's session */
	CU_ASSERT(takes_early(s, "shop.example", session));
	CU_ASSERT_FALSE(takes_early(s, "shop.example", session));
	SSL_SESSION_free(session);
	tls_server_unref(&s);
	tls_server_unref(&other);
	terms.options.early_data = false;
	s = terms_serve(&terms);
	session = begin(s, o);
	CU_ASSERT_EQUAL(SSL_SESSION_get_max_early_data(session), 0);
	SSL_SESSION_free(session);
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* The client's library holds a session to its name; one that does not is played by changing it. */
static void test_early_other_name(void)
{
	struct terms terms;
	TERMS(&terms, "shop", "img");
	terms.options.early_data = true;
	struct tls_server *s = terms_serve(&terms);
	SSL_SESSION *session = begin(
	    s, (struct offer){ .name = "shop.example", .version = TLS1_3_VERSION });
	CU_ASSERT(SSL_SESSION_set1_hostname(session, "img.example"));
	CU_ASSERT_FALSE(takes_early(s, "img.example", session));
	SSL_SESSION_free(session);
	tls_server_unref(&s);
	terms_fini(&terms);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "make", make_certs },
		{ "servers", test_servers },
		{ "another name", test_other_name },
		{ "the name stays", test_name_stays },
		{ "rotation", test_rotation },
		{ "one ticket", test_one_ticket },
		{ "off", test_off },
		{ "early data", test_early },
		{ "early data for another name", test_early_other_name },
		CU_TEST_INFO_NULL,
	};
	return run_tests("resume", tests);
}
