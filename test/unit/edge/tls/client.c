/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/client.c"

#include "talk.h"

static struct made root, other_root;
static char why[256];

static void make_certs(void)
{
	root = made_of((struct recipe){ .cn = "root", .is_authority = true });
	other_root = made_of((struct recipe){ .cn = "other", .is_authority = true });
	made_pair("origin", (struct recipe){ .names = "DNS:origin.example", .issuer = &root });
	made_pair("us", (struct recipe){ .cn = "us", .issuer = &other_root });
	made_write_cert("ca.pem", &root, "w");
	made_write_cert("other-ca.pem", &other_root, "w");
	made_write_cert("bundle.pem", &root, "w");
	must(setenv("SSL_CERT_FILE", made_path("bundle.pem"), 1) == 0);
}

static void free_certs(void)
{
	made_free(&root);
	made_free(&other_root);
}

static enum err make(const struct tls_client_options *o, struct tls_client **ret)
{
	*ret = NULL;
	enum err e = tls_client_new(o, ret, why, sizeof(why));
	CU_ASSERT_EQUAL(ERR_peek_error(), 0);
	return e;
}

/* As a line to an origin does it. */
static bool connect_to(
    struct talk *t, const struct tls_server *s, const struct tls_client *c, SSL_SESSION *session)
{
	*t = (struct talk){ .client = SSL_new(c->context), .server = SSL_new(s->context) };
	must(t->client && t->server && SSL_set1_host(t->client, "origin.example") &&
	    SSL_set_tlsext_host_name(t->client, talk_text("origin.example")));
	if (session)
		must(SSL_set_session(t->client, session));
	talk_join(t);
	return talk_shake(t);
}

static bool trusts(const struct tls_client_options *o, const struct tls_server *s)
{
	struct tls_client *c;
	struct talk t;
	CU_ASSERT_EQUAL_FATAL(make(o, &c), ERR_NONE);
	bool does = connect_to(&t, s, c, NULL);
	if (does)
		CU_ASSERT_EQUAL(SSL_get_verify_result(t.client) == X509_V_OK, o->verify);
	talk_close(&t);
	tls_client_unref(&c);
	return does;
}

static void test_verify(void)
{
	struct terms terms;
	TERMS(&terms, "origin");
	struct tls_server *s = terms_serve(&terms);
	struct tls_client_options o = { .verify = true, .ca = slice_str(made_path("ca.pem")) };
	CU_ASSERT(trusts(&o, s));
	o.ca = slice_str(made_path("other-ca.pem"));
	CU_ASSERT_FALSE(trusts(&o, s));
	o.ca = slice_str(made_path("origin.pem")); /* that one and no other */
	CU_ASSERT(trusts(&o, s));
	o.ca = SLICE_NONE;
	CU_ASSERT(trusts(&o, s));
	o = (struct tls_client_options){ .verify = false };
	CU_ASSERT(trusts(&o, s));
	o.min_version = TLS_VERSION_13;
	CU_ASSERT(trusts(&o, s));
	SSL_CTX_set_max_proto_version(s->context, TLS1_2_VERSION);
	CU_ASSERT_FALSE(trusts(&o, s));
	o.min_version = TLS_VERSION_12;
	CU_ASSERT(trusts(&o, s));
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* Read once for all, and again when it has changed. */
static void test_system(void)
{
	struct tls_client *one, *two;
	struct tls_client_options o = { .verify = true };
	CU_ASSERT_EQUAL_FATAL(make(&o, &one), ERR_NONE);
	CU_ASSERT_EQUAL_FATAL(make(&o, &two), ERR_NONE);
	CU_ASSERT_PTR_EQUAL(
	    SSL_CTX_get_cert_store(one->context), SSL_CTX_get_cert_store(two->context));
	tls_client_unref(&two);
	made_write_cert("bundle.pem", &other_root, "a");
	CU_ASSERT_EQUAL_FATAL(make(&o, &two), ERR_NONE);
	CU_ASSERT(SSL_CTX_get_cert_store(one->context) != SSL_CTX_get_cert_store(two->context));
	tls_client_unref(&one);
	tls_client_unref(&two);
	made_write_text("bundle.pem", "nothing\n");
	CU_ASSERT_EQUAL(make(&o, &one), ERR_CONF);
	CU_ASSERT(says(why, "bundle.pem: no certificate in it"));
	made_write_cert("bundle.pem", &root, "w");
}

static void test_own(void)
{
	struct terms terms;
	struct talk t;
	struct tls_client *c;
	TERMS(&terms, "origin");
	terms.options.client_certificate = TLS_CLIENT_REQUIRED;
	terms.options.client_ca = slice_str(made_path("other-ca.pem"));
	struct tls_server *s = terms_serve(&terms);
	struct tls_client_options o = {
		.verify = true,
		.cert = slice_str(made_path("us.pem")),
		.key = slice_str(made_path("us.key")),
	};
	CU_ASSERT_EQUAL_FATAL(make(&o, &c), ERR_NONE);
	CU_ASSERT(connect_to(&t, s, c, NULL));
	X509 *seen = SSL_get1_peer_certificate(t.server);
	CU_ASSERT_PTR_NOT_NULL(seen);
	X509_free(seen);
	talk_close(&t);
	tls_client_unref(&c);
	o.key = slice_str(made_path("origin.key"));
	CU_ASSERT_EQUAL(make(&o, &c), ERR_CONF);
	CU_ASSERT(says(why, "origin.key does not belong"));
	o.key = SLICE_NONE;
	CU_ASSERT_EQUAL(make(&o, &c), ERR_CONF);
	CU_ASSERT(says(why, "us.pem: a certificate and its key go together"));
	CU_ASSERT_PTR_NULL(c);
	tls_server_unref(&s);
	terms_fini(&terms);
}

static void test_sessions(void)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct terms terms;
	struct talk t;
	struct tls_client *c;
	struct tls_client_options o = { .verify = true };
	TERMS(&terms, "origin");
	struct tls_server *s = terms_serve(&terms);
	SSL_CTX_set_num_tickets(s->context, 3); /* the newest is kept */
	CU_ASSERT_EQUAL_FATAL(make(&o, &c), ERR_NONE);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		SSL_CTX_set_max_proto_version(s->context, versions[i]);
		CU_ASSERT(connect_to(&t, s, c, NULL));
		SSL_SESSION *session = tls_client_take_session(t.client);
		CU_ASSERT_PTR_NOT_NULL_FATAL(session);
		CU_ASSERT_PTR_NULL(tls_client_take_session(t.client));
		talk_close(&t);
		CU_ASSERT(connect_to(&t, s, c, session));
		CU_ASSERT(SSL_session_reused(t.client));
		talk_close(&t); /* what was not taken goes with it */
		SSL_SESSION_free(session);
	}
	CU_ASSERT_EQUAL(SSL_CTX_sess_number(c->context), 0);
	const unsigned char *alpn;
	unsigned len;
	CU_ASSERT(connect_to(&t, s, c, NULL));
	SSL_get0_alpn_selected(t.client, &alpn, &len);
	CU_ASSERT(slice_eq(slice_of((const char *)alpn, len), SL("http/1.1")));
	talk_close(&t);
	struct tls_client *again = tls_client_ref(c);
	tls_client_unref(&c);
	tls_client_unref(&again);
	tls_client_unref(&again);
	tls_server_unref(&s);
	terms_fini(&terms);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "make", make_certs },
		{ "verify", test_verify },
		{ "the system's authorities", test_system },
		{ "our own certificate", test_own },
		{ "sessions", test_sessions },
		{ "free", free_certs },
		CU_TEST_INFO_NULL,
	};
	return run_tests("client", tests);
}
