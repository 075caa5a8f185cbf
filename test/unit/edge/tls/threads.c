/* SPDX-License-Identifier: Apache-2.0 */
/* Several threads shake hands with one server while its ticket keys change; for the sanitizer. */
#include "edge/tls/server.c"
#include "talk.h"

enum { THREADS = 3, ROUNDS = 40 };

static struct {
	const struct tls_server *server;
	const struct cert *certs[2];
	struct made client;
	atomic_uint done, wrong, reused;
} all;

static void shake_once(unsigned i, SSL_SESSION **session)
{
	static const char *const names[] = { "shop.example", "img.example" };
	struct talk t;
	struct offer o = {
		.name = names[i / 8 % 2],
		.version = i / 4 % 2 ? TLS1_2_VERSION : TLS1_3_VERSION,
		.own = &all.client,
		.session = *session,
	};
	if (i % 4 == 0) {
		SSL_SESSION_free(*session);
		*session = o.session = NULL;
	}
	bool well = talk(&t, all.server, o) && tls_server_shown(t.server) == all.certs[i / 8 % 2] &&
	    tls_server_speaks_for(t.server, slice_str(o.name));
	all.wrong += !well;
	all.reused += well && SSL_session_reused(t.server);
	SSL_SESSION_free(*session);
	*session = SSL_get1_session(t.client);
	talk_close(&t);
}

static void *work_shake(UNUSED void *arg)
{
	SSL_SESSION *session = NULL;
	for (unsigned i = 0; i < ROUNDS; i++)
		shake_once(i, &session);
	SSL_SESSION_free(session);
	all.done++;
	return NULL;
}

static void make_keys_file(void)
{
	char text[3 * 161 + 1];
	memset(text, 'a', sizeof(text));
	memset(text + 161, 'b', 160);
	memset(text + 322, 'c', 160);
	text[160] = text[321] = text[482] = '\n';
	text[483] = '\0';
	made_write_text("keys", text);
	must(chmod(made_path("keys"), 0600) == 0);
}

static void test_threads(void)
{
	struct terms terms;
	pthread_t threads[THREADS];
	char why[256];
	made_pair("shop", (struct recipe){ .names = "DNS:shop.example" });
	made_pair("img", (struct recipe){ .names = "DNS:img.example" });
	all.client = made_of((struct recipe){ .cn = "client", .is_authority = true });
	made_write_cert("ca.pem", &all.client, "w");
	make_keys_file();
	TERMS(&terms, "shop", "img");
	terms.options.client_certificate = TLS_CLIENT_OPTIONAL;
	terms.options.client_ca = slice_str(made_path("ca.pem"));
	struct tls_server *s = terms_serve(&terms);
	all.server = s;
	all.certs[0] = s->certs[0];
	all.certs[1] = s->certs[1];
	for (size_t i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, work_shake, NULL) == 0);
	while (all.done < THREADS) {
		CU_ASSERT_EQUAL(tickets_rotate(terms.tickets), ERR_NONE);
		usleep(2000);
		CU_ASSERT_EQUAL(
		    tickets_read(terms.tickets, made_path("keys"), why, sizeof(why)), ERR_NONE);
		usleep(2000);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(all.wrong, 0);
	CU_ASSERT(all.reused > 0);
	tls_server_unref(&s);
	made_free(&all.client);
	terms_fini(&terms);
}

int main(void)
{
	CU_TestInfo tests[] = { { "threads", test_threads }, CU_TEST_INFO_NULL };
	return run_tests("threads", tests);
}
