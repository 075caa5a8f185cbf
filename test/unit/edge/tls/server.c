/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/server.c"

#include "talk.h"

static void make_certs(void)
{
	made_pair("shop",
	    (struct recipe){ .names = "DNS:shop.example,DNS:*.shop.example,DNS:cdn.example" });
	made_pair("shop-rsa", (struct recipe){ .names = "DNS:shop.example", .kind = "RSA" });
	made_pair("img", (struct recipe){ .names = "DNS:img.example" });
	made_pair("deep", (struct recipe){ .names = "DNS:*.b.shop.example,DNS:x.shop.example" });
	made_pair("ed", (struct recipe){ .names = "DNS:ed.example", .kind = "ED25519" });
	made_pair("weak", (struct recipe){ .names = "DNS:weak.example", .kind = "weak" });
	made_pair("nameless", (struct recipe){ .cn = NULL });
}

/* ---- which certificate ---- */

static bool did_show(const struct talk *t, const struct tls_server *s, size_t index)
{
	X509 *seen = SSL_get1_peer_certificate(t->client);
	bool does = seen && X509_cmp(seen, s->certs[index]->leaf) == 0 &&
	    tls_server_shown(t->server) == s->certs[index];
	X509_free(seen);
	return does;
}

/* RFC 6066 3: the name chooses. */
static void test_names(void)
{
	static const struct {
		const char *name;
		size_t index;
		const char *asked;
	} rows[] = {
		{ "shop.example", 0, "shop.example" },
		{ "SHOP.Example", 0, "shop.example" },
		{ "shop.example.", 0, "shop.example" },
		{ "a.shop.example", 0, "a.shop.example" },
		{ "x.shop.example", 2, "x.shop.example" }, /* the name before its wildcard */
		{ "a.b.shop.example", 2, "a.b.shop.example" },
		{ "img.example", 1, "img.example" },
		{ "a.img.example", 0, "a.img.example" },
		{ "else.example", 0, "else.example" },
		{ "ed.example", 3, "ed.example" },
		{ "xn--bcher-kva.shop.example", 0, "xn--bcher-kva.shop.example" },
		{ "*.b.shop.example", 0, "" },
		{ "sh op.example", 0, "" },
		{ NULL, 0, "" },
	};
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct terms terms;
	TERMS(&terms, "shop", "img", "deep", "ed");
	struct tls_server *s = terms_serve(&terms);
	for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
		struct talk t;
		char room[NAME_ROOM];
		bool well = talk(
		    &t, s, (struct offer){ .name = rows[i / 2].name, .version = versions[i % 2] });
		CU_ASSERT(well);
		if (well && !did_show(&t, s, rows[i / 2].index))
			printf("\n  %s: another certificate\n", rows[i / 2].name);
		CU_ASSERT(well && did_show(&t, s, rows[i / 2].index));
		CU_ASSERT(slice_eq(tls_server_asked(t.server, room), slice_str(rows[i / 2].asked)));
		talk_close(&t);
	}
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* The client's offer decides between kinds; of two of one kind the first counts. */
static void test_kinds(void)
{
	static const struct {
		const char *name, *sigalgs;
		size_t index;
	} rows[] = {
		{ "shop.example", NULL, 0 }, { "shop.example", "ECDSA+SHA256:RSA-PSS+SHA256", 0 },
		{ "shop.example", "RSA-PSS+SHA256:RSA+SHA256", 1 }, { "img.example", NULL, 2 },
		{ NULL, "RSA-PSS+SHA256:RSA+SHA256", 1 }, /* the default has both, too */
	};
	struct terms terms;
	TERMS(&terms, "shop", "shop-rsa", "img", "shop", "shop-rsa");
	struct tls_server *s = terms_serve(&terms);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct talk t;
		struct offer o = { .name = rows[i].name, .sigalgs = rows[i].sigalgs };
		CU_ASSERT(talk(&t, s, o));
		CU_ASSERT(did_show(&t, s, rows[i].index));
		talk_close(&t);
	}
	/* None that this client can verify: the default's RSA one does not stand in for img's. */
	struct talk t;
	CU_ASSERT_FALSE(talk(&t, s,
	    (struct offer){ .name = "img.example", .sigalgs = "RSA-PSS+SHA256:RSA+SHA256" }));
	CU_ASSERT_EQUAL(t.alert, SSL_AD_HANDSHAKE_FAILURE);
	talk_close(&t);
	tls_server_unref(&s);
	terms_fini(&terms);
}

static void test_refused(void)
{
	static const char *const strangers[] = { "else.example", "a.img.example", NULL };
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct terms terms;
	struct talk t;
	TERMS(&terms, "shop", "img");
	terms.options.unknown_name = TLS_UNKNOWN_REFUSE;
	struct tls_server *s = terms_serve(&terms);
	for (size_t i = 0; i < 2 * COUNT_OF(strangers); i++) {
		CU_ASSERT_FALSE(talk(
		    &t, s, (struct offer){ .name = strangers[i / 2], .version = versions[i % 2] }));
		CU_ASSERT_EQUAL(t.alert, SSL_AD_UNRECOGNIZED_NAME);
		CU_ASSERT(tls_server_has_refused(t.server));
		CU_ASSERT_PTR_NULL(tls_server_shown(t.server));
		CU_ASSERT_FALSE(tls_server_speaks_for(t.server, SL("shop.example")));
		talk_close(&t);
	}
	CU_ASSERT(talk(&t, s, (struct offer){ .name = "a.shop.example" }));
	CU_ASSERT_FALSE(tls_server_has_refused(t.server));
	talk_close(&t);
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* RFC 9110 7.4 */
static void test_speaks_for(void)
{
	struct terms terms;
	struct talk t;
	TERMS(&terms, "shop", "shop-rsa", "nameless");
	struct tls_server *s = terms_serve(&terms);
	talk_open(&t, s->context, (struct offer){ .name = "shop.example" });
	CU_ASSERT_FALSE(tls_server_speaks_for(t.server, SL("shop.example"))); /* nothing yet */
	CU_ASSERT_PTR_NULL(tls_server_shown(t.server));
	CU_ASSERT(talk_shake(&t));
	CU_ASSERT(tls_server_speaks_for(t.server, SL("shop.example")));
	CU_ASSERT(tls_server_speaks_for(t.server, SL("cdn.example")));
	CU_ASSERT_FALSE(tls_server_speaks_for(t.server, SL("img.example")));
	SSL_SESSION *session = talk_take_session(&t);
	talk_close(&t);
	CU_ASSERT(
	    talk(&t, s, (struct offer){ .name = "shop.example", .sigalgs = "RSA-PSS+SHA256" }));
	CU_ASSERT_FALSE(tls_server_speaks_for(t.server, SL("cdn.example")));
	talk_close(&t);
	/* Which of the two it began with is not known: only what both speak for counts. */
	CU_ASSERT(talk(&t, s, (struct offer){ .name = "shop.example", .session = session }));
	CU_ASSERT(SSL_session_reused(t.server));
	CU_ASSERT(tls_server_speaks_for(t.server, SL("shop.example")));
	CU_ASSERT_FALSE(tls_server_speaks_for(t.server, SL("cdn.example")));
	CU_ASSERT_PTR_EQUAL(tls_server_shown(t.server), s->certs[0]);
	talk_close(&t);
	SSL_SESSION_free(session);
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* ---- what is spoken ---- */

/* RFC 7301 3.2 */
static void test_alpn(void)
{
	static const struct {
		const char *offer, *chosen;
	} rows[] = {
		{ "\x02h2\x08http/1.1", "h2" },
		{ "\x08http/1.1\x02h2", "h2" },
		{ "\x08http/1.1", "http/1.1" },
		{ "\x02h3\x08http/1.1", "http/1.1" },
		{ "\x02h3", NULL },
		{ NULL, "" },
	};
	struct terms terms;
	TERMS(&terms, "shop", "img");
	struct tls_server *s = terms_serve(&terms);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct talk t;
		const unsigned char *at;
		unsigned len;
		struct offer o = { .name = "img.example", .alpn = rows[i].offer };
		CU_ASSERT_EQUAL(talk(&t, s, o), rows[i].chosen != NULL);
		SSL_get0_alpn_selected(t.client, &at, &len);
		CU_ASSERT_EQUAL(t.alert, rows[i].chosen ? 0 : SSL_AD_NO_APPLICATION_PROTOCOL);
		CU_ASSERT(slice_eq(slice_of((const char *)at, len), slice_str(rows[i].chosen)));
		talk_close(&t);
	}
	tls_server_unref(&s);
	terms.protocols[0] = SL("http/1.1");
	terms.protocols[1] = SL("h2");
	s = terms_serve(&terms);
	struct talk t;
	const unsigned char *at;
	unsigned len;
	CU_ASSERT(talk(&t, s, (struct offer){ .alpn = "\x02h2\x08http/1.1" }));
	SSL_get0_alpn_selected(t.client, &at, &len);
	CU_ASSERT_EQUAL(len, 8);
	talk_close(&t);
	tls_server_unref(&s);
	terms_fini(&terms);
}

static void test_versions(void)
{
	static const struct {
		int least, version;
		bool well;
	} rows[] = {
		{ TLS_VERSION_12, TLS1_2_VERSION, true },
		{ TLS_VERSION_12, TLS1_3_VERSION, true },
		{ TLS_VERSION_13, TLS1_2_VERSION, false },
		{ TLS_VERSION_13, TLS1_3_VERSION, true },
		{ TLS_VERSION_12, TLS1_1_VERSION, false },
	};
	struct terms terms;
	TERMS(&terms, "shop");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct talk t;
		terms.options.min_version = rows[i].least;
		struct tls_server *s = terms_serve(&terms);
		CU_ASSERT_EQUAL(SSL_CTX_get_min_proto_version(s->context) == TLS1_3_VERSION,
		    rows[i].least == TLS_VERSION_13);
		bool well = talk(&t, s, (struct offer){ .version = rows[i].version });
		CU_ASSERT_EQUAL(well, rows[i].well);
		if (well)
			CU_ASSERT_EQUAL(SSL_version(t.server), rows[i].version);
		talk_close(&t);
		tls_server_unref(&s);
	}
	terms_fini(&terms);
}

/* Only with forward secrecy and an AEAD, unless the operator says otherwise. */
static void test_ciphers(void)
{
	static const char *const old[] = { "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA",
		"ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256" };
	struct terms terms;
	struct tls_server *s;
	TERMS(&terms, "shop", "shop-rsa");
	s = terms_serve(&terms);
	for (size_t i = 0; i <= COUNT_OF(old); i++) {
		struct talk t;
		talk_open(&t, s->context,
		    (struct offer){ .name = "shop.example", .version = TLS1_2_VERSION });
		if (i < COUNT_OF(old))
			must(SSL_set_cipher_list(t.client, old[i]));
		CU_ASSERT_EQUAL(talk_shake(&t), i == COUNT_OF(old));
		talk_close(&t);
	}
	tls_server_unref(&s);
	terms.options.ciphers = SL("ECDHE-RSA-AES128-SHA");
	s = terms_serve(&terms);
	struct talk t;
	CU_ASSERT(talk(&t, s, (struct offer){ .version = TLS1_2_VERSION }));
	CU_ASSERT_STRING_EQUAL(SSL_get_cipher(t.client), "ECDHE-RSA-AES128-SHA");
	talk_close(&t);
	tls_server_unref(&s);
	terms.options.ciphers = SL("NONE-SUCH");
	CU_ASSERT_EQUAL(terms_try(&terms, &s), ERR_CONF);
	CU_ASSERT(says(terms.why, "NONE-SUCH"));
	terms_fini(&terms);
}

/* ---- making one ---- */

static void test_bad(void)
{
	struct terms terms;
	struct tls_server *s;
	TERMS(&terms, "shop", "none");
	CU_ASSERT_EQUAL(terms_try(&terms, &s), ERR_CONF);
	CU_ASSERT(says(terms.why, "none.pem: cannot be read"));
	terms.options.certificates.count = 0;
	CU_ASSERT_EQUAL(terms_try(&terms, &s), ERR_CONF);
	CU_ASSERT(says(terms.why, "no certificate"));
	terms_fini(&terms);
	TERMS(&terms, "shop", "weak");
	CU_ASSERT_EQUAL(terms_try(&terms, &s), ERR_CONF);
	CU_ASSERT(says(terms.why, "weak.pem: cannot be shown: ee key too small"));
	terms.options.certificates.count = 1;
	terms.options.client_certificate = TLS_CLIENT_OPTIONAL;
	CU_ASSERT_EQUAL(terms_try(&terms, &s), ERR_CONF);
	CU_ASSERT(says(terms.why, "needs client-ca"));
	terms.options.client_ca = slice_str(made_path("no-ca.pem"));
	CU_ASSERT_EQUAL(terms_try(&terms, &s), ERR_CONF);
	CU_ASSERT(says(terms.why, "no-ca.pem: cannot be read"));
	terms.options.early_data = true;
	CU_ASSERT_EQUAL(terms_try(&terms, &s), ERR_CONF);
	CU_ASSERT(says(terms.why, "do not go together"));
	terms.options.client_certificate = TLS_CLIENT_OFF;
	terms.options.tickets = false;
	CU_ASSERT_EQUAL(terms_try(&terms, &s), ERR_CONF);
	CU_ASSERT(says(terms.why, "early-data needs tickets"));
	CU_ASSERT_PTR_NULL(s);
	terms_fini(&terms);
}

/* A renewal that is half done does not take a name away; what never was there is no renewal. */
static void test_before(void)
{
	struct terms terms;
	struct talk t;
	made_pair("new", (struct recipe){ .names = "DNS:new.example" });
	made_pair("too", (struct recipe){ .names = "DNS:too.example" });
	TERMS(&terms, "shop", "new", "too");
	struct tls_server *before = terms_serve(&terms), *s;
	CU_ASSERT_STRING_EQUAL(terms.why, "");
	struct made other = made_of((struct recipe){ .names = "DNS:new.example" });
	made_write_key("new.key", &other, NULL);
	CU_ASSERT_EQUAL(terms_try(&terms, &s), ERR_CONF);
	terms.before = before;
	s = terms_serve(&terms);
	CU_ASSERT_PTR_EQUAL(s->certs[1], before->certs[1]);
	CU_ASSERT(s->certs[0] != before->certs[0]);
	CU_ASSERT(says(terms.why, "new.pem: ") && says(terms.why, "does not belong") &&
	    says(terms.why, "from before is kept"));
	tls_server_unref(&s);
	must(unlink(made_path("too.pem")) == 0);
	s = terms_serve(&terms);
	CU_ASSERT(says(terms.why, "new.pem: ") && says(terms.why, "and for 1 more"));
	tls_server_unref(&before);
	terms.before = NULL;
	CU_ASSERT(talk(&t, s, (struct offer){ .name = "too.example" }));
	CU_ASSERT(did_show(&t, s, 2));
	talk_close(&t);
	terms.before = s;
	terms.pairs[2].cert = slice_str(made_path("else.pem"));
	CU_ASSERT_EQUAL(terms_try(&terms, &before), ERR_CONF);
	CU_ASSERT(says(terms.why, "else.pem: cannot be read"));
	tls_server_unref(&s);
	made_free(&other);
	terms_fini(&terms);
}

/* What keeps an idle connection small, and what is never spoken. */
static void test_modes(void)
{
	static const long modes = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN;
	struct terms terms;
	TERMS(&terms, "shop");
	struct tls_server *s = terms_serve(&terms);
	uint64_t options = SSL_CTX_get_options(s->context);
	CU_ASSERT_EQUAL(SSL_CTX_get_mode(s->context) & modes, modes);
	CU_ASSERT(SSL_CTX_get_read_ahead(s->context) == 1);
	CU_ASSERT(options & SSL_OP_NO_COMPRESSION && options & SSL_OP_NO_RENEGOTIATION);
	CU_ASSERT_FALSE(options & SSL_OP_CIPHER_SERVER_PREFERENCE);
	CU_ASSERT_EQUAL(SSL_CTX_get_session_cache_mode(s->context), SSL_SESS_CACHE_OFF);
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* The context goes on as long as somebody talks, whatever replaced it. */
static void test_counted(void)
{
	struct terms terms;
	struct talk t;
	TERMS(&terms, "nameless");
	struct tls_server *s = terms_serve(&terms), *line = tls_server_ref(s);
	talk_open(&t, s->context, (struct offer){ .name = "shop.example" });
	tls_server_unref(&s);
	CU_ASSERT_PTR_NULL(s);
	CU_ASSERT(talk_shake(&t));
	CU_ASSERT(did_show(&t, line, 0));
	talk_close(&t);
	tls_server_unref(&line);
	tls_server_unref(&line);
	terms_fini(&terms);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "make", make_certs },
		{ "names", test_names },
		{ "kinds of certificate", test_kinds },
		{ "refused names", test_refused },
		{ "speaks for", test_speaks_for },
		{ "ALPN", test_alpn },
		{ "versions", test_versions },
		{ "ciphers", test_ciphers },
		{ "bad options", test_bad },
		{ "the one before", test_before },
		{ "modes", test_modes },
		{ "counted", test_counted },
		CU_TEST_INFO_NULL,
	};
	return run_tests("server", tests);
}
