/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of clients: asked for, checked, and not got around by a session of elsewhere. */
#include "edge/tls/server.c"
#include "talk.h"

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
static struct made root, between, other_root, good, deep, revoked, stranger, expired;

static void make_certs(void)
{
	made_pair("shop", (struct recipe){ .names = "DNS:shop.example" });
	root = made_of((struct recipe){ .cn = "root", .is_authority = true });
	other_root = made_of((struct recipe){ .cn = "other", .is_authority = true });
	between = made_of(
	    (struct recipe){ .cn = "between", .issuer = &root, .is_authority = true });
	good = made_of((struct recipe){ .cn = "good", .issuer = &root });
	deep = made_of((struct recipe){ .cn = "deep", .issuer = &between });
	revoked = made_of((struct recipe){ .cn = "revoked", .issuer = &root });
	stranger = made_of((struct recipe){ .cn = "stranger", .issuer = &other_root });
	expired = made_of(
	    (struct recipe){ .cn = "x", .issuer = &root, .from_day = -9, .to_day = -1 });
	made_write_cert("ca.pem", &root, "w");
	made_write_cert("other-ca.pem", &other_root, "w");
	made_write_cert("between-ca.pem", &between, "w");
	made_write_list("crl.pem", &root, &revoked, 5);
	made_write_list("old-crl.pem", &root, &revoked, -1);
	made_write_list("empty-crl.pem", &root, NULL, 5);
}

static void free_certs(void)
{
	struct made *all[] = { &root, &between, &other_root, &good, &deep, &revoked, &stranger,
		&expired };
	for (size_t i = 0; i < COUNT_OF(all); i++)
		made_free(all[i]);
}

static struct tls_server *serve(struct terms *terms, int mode, const char *ca, const char *crl)
{
	terms->options.client_certificate = mode;
	terms->options.client_ca = slice_str(made_path(ca));
	terms->options.client_crl = crl ? slice_str(made_path(crl)) : SLICE_NONE;
	return terms_serve(terms);
}

static void test_table(void)
{
	enum {
		OFF = TLS_CLIENT_OFF,
		OPTIONAL = TLS_CLIENT_OPTIONAL,
		REQUIRED = TLS_CLIENT_REQUIRED
	};
	static const struct {
		const struct made *own;
		const char *ca, *crl;
		int mode;
		int alert; /* 0 = done; -1 = any */
		bool is_seen;
	} rows[] = {
		{ &good, "ca.pem", NULL, REQUIRED, 0, true },
		{ &good, "ca.pem", NULL, OPTIONAL, 0, true },
		{ &good, "ca.pem", NULL, OFF, 0, false },
		{ NULL, "ca.pem", NULL, OFF, 0, false },
		{ NULL, "ca.pem", NULL, OPTIONAL, 0, false },
		{ NULL, "ca.pem", NULL, REQUIRED, -1, false },
		{ &stranger, "ca.pem", NULL, REQUIRED, SSL_AD_UNKNOWN_CA, false },
		{ &stranger, "ca.pem", NULL, OPTIONAL, SSL_AD_UNKNOWN_CA, false },
		{ &expired, "ca.pem", NULL, OPTIONAL, SSL_AD_CERTIFICATE_EXPIRED, false },
		{ &deep, "ca.pem", NULL, OPTIONAL, SSL_AD_UNKNOWN_CA, false },
		{ &deep, "between-ca.pem", NULL, REQUIRED, 0, true },
		{ &good, "between-ca.pem", NULL, REQUIRED, SSL_AD_UNKNOWN_CA, false },
		{ &revoked, "ca.pem", NULL, REQUIRED, 0, true },
		{ &revoked, "ca.pem", "crl.pem", REQUIRED, SSL_AD_CERTIFICATE_REVOKED, false },
		{ &revoked, "ca.pem", "crl.pem", OPTIONAL, SSL_AD_CERTIFICATE_REVOKED, false },
		{ &revoked, "ca.pem", "empty-crl.pem", REQUIRED, 0, true },
		{ &good, "ca.pem", "crl.pem", REQUIRED, 0, true },
		{ &good, "ca.pem", "old-crl.pem", OPTIONAL, -1, false },
		{ &stranger, "other-ca.pem", "crl.pem", OPTIONAL, -1, false },
		{ NULL, "ca.pem", "old-crl.pem", OPTIONAL, 0, false },
	};
	struct terms terms;
	TERMS(&terms, "shop");
	for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
		struct talk t;
		size_t row = i / 2;
		struct tls_server *s = serve(&terms, rows[row].mode, rows[row].ca, rows[row].crl);
		struct offer o = { .version = versions[i % 2], .own = rows[row].own };
		bool well = talk(&t, s, o);
		X509 *seen = SSL_get1_peer_certificate(t.server);
		if (well != (rows[row].alert == 0))
			printf("\n  row %zu\n", row);
		CU_ASSERT_EQUAL(well, rows[row].alert == 0);
		bool is_told = rows[row].alert < 0 ? t.alert != 0 : t.alert == rows[row].alert;
		CU_ASSERT(is_told);
		if (well) {
			CU_ASSERT_EQUAL(seen != NULL, rows[row].is_seen);
			CU_ASSERT_EQUAL(SSL_get_verify_result(t.server), X509_V_OK);
		}
		X509_free(seen);
		talk_close(&t);
		tls_server_unref(&s);
	}
	terms_fini(&terms);
}

/* The client is told whom we trust, so that it can choose among its own. */
static void test_names_sent(void)
{
	struct terms terms;
	struct talk t;
	TERMS(&terms, "shop");
	struct tls_server *s = serve(&terms, TLS_CLIENT_OPTIONAL, "ca.pem", NULL);
	CU_ASSERT(talk(&t, s, (struct offer){ .own = &good }));
	const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(t.client);
	CU_ASSERT_EQUAL_FATAL(sk_X509_NAME_num(names), 1);
	CU_ASSERT_EQUAL(
	    X509_NAME_cmp(sk_X509_NAME_value(names, 0), X509_get_subject_name(root.cert)), 0);
	talk_close(&t);
	tls_server_unref(&s);
	terms_fini(&terms);
}

/* ---- sessions ---- */

static SSL_SESSION *begin(const struct tls_server *s, struct offer o)
{
	struct talk t;
	o.session = NULL;
	CU_ASSERT_FATAL(talk(&t, s, o));
	SSL_SESSION *session = SSL_get1_session(t.client);
	talk_close(&t);
	return session;
}

static bool goes_on(const struct tls_server *s, struct offer o)
{
	struct talk t;
	bool well = talk(&t, s, o), is_reused = well && SSL_session_reused(t.server);
	X509 *seen = SSL_get1_peer_certificate(t.server);
	if (is_reused && o.own)
		CU_ASSERT(seen && X509_cmp(seen, o.own->cert) == 0);
	X509_free(seen);
	talk_close(&t);
	return is_reused;
}

/* Ticket keys are shared by all listeners; what a session proves is not. */
static void test_listeners(void)
{
	enum {
		OFF = TLS_CLIENT_OFF,
		OPTIONAL = TLS_CLIENT_OPTIONAL,
		REQUIRED = TLS_CLIENT_REQUIRED
	};
	static const struct {
		const char *ca, *crl;
		int mode;
	} rows[] = {
		{ "ca.pem", NULL, OFF },
		{ "ca.pem", NULL, OPTIONAL },
		{ "ca.pem", NULL, REQUIRED },
		{ "ca.pem", "crl.pem", REQUIRED },
		{ "ca.pem", "empty-crl.pem", REQUIRED },
		{ "other-ca.pem", NULL, OPTIONAL },
	};
	struct terms terms;
	struct tls_server *servers[COUNT_OF(rows)];
	TERMS(&terms, "shop");
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		servers[i] = serve(&terms, rows[i].mode, rows[i].ca, rows[i].crl);
	for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
		size_t from = i / 2;
		const struct made *own = strcmp(rows[from].ca, "ca.pem") == 0 ? &good : &stranger;
		struct offer o = { .version = versions[i % 2],
			.own = rows[from].mode == OFF ? NULL : own };
		o.session = begin(servers[from], o);
		for (size_t to = 0; to < COUNT_OF(rows); to++)
			CU_ASSERT_EQUAL(goes_on(servers[to], o), from == to);
		SSL_SESSION_free(o.session);
	}
	/* Nor does one without a certificate, begun where it is optional, pass where it is
	 * required. */
	struct offer o = { .session = begin(servers[1], (struct offer){ 0 }) };
	CU_ASSERT(goes_on(servers[1], o));
	CU_ASSERT_FALSE(goes_on(servers[2], o));
	SSL_SESSION_free(o.session);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		tls_server_unref(&servers[i]);
	terms_fini(&terms);
}

/* A session does not outlive the certificate that it was begun with. */
static void test_expiry(void)
{
	struct terms terms;
	TERMS(&terms, "shop");
	struct tls_server *s = serve(&terms, TLS_CLIENT_REQUIRED, "ca.pem", NULL);
	X509_STORE *store = SSL_CTX_get_cert_store(s->context);
	X509_STORE_set_flags(store, X509_V_FLAG_NO_CHECK_TIME);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct offer o = { .version = versions[i], .own = &expired };
		o.session = begin(s, o);
		CU_ASSERT_FALSE(goes_on(s, o));
		SSL_SESSION_free(o.session);
		o.own = &good;
		o.session = begin(s, o);
		CU_ASSERT(goes_on(s, o));
		SSL_SESSION_free(o.session);
	}
	tls_server_unref(&s);
	terms_fini(&terms);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "make", make_certs },
		{ "good, absent, untrusted, revoked", test_table },
		{ "names sent", test_names_sent },
		{ "listeners", test_listeners },
		{ "expiry", test_expiry },
		{ "free", free_certs },
		CU_TEST_INFO_NULL,
	};
	return run_tests("mutual", tests);
}
