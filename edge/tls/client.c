/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/client.h"

#include <openssl/err.h>

#include "edge/tls/context.h"

/* ---- sessions ---- */

static int session_index;

static void free_session(UNUSED void *ssl, void *session, UNUSED CRYPTO_EX_DATA *all,
    UNUSED int index, UNUSED long arg, UNUSED void *ptr)
{
	SSL_SESSION_free(session);
}

static void make_index(void)
{
	session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_session);
	must(session_index >= 0);
}

/* 1 = the session is ours to free. Of several the newest is kept. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION *before = SSL_get_ex_data(ssl, session_index);
	if (!SSL_set_ex_data(ssl, session_index, session)) {
		ERR_clear_error(); /* no memory: it is not resumed, that is all */
		return 0;
	}
	SSL_SESSION_free(before);
	return 1;
}

SSL_SESSION *tls_client_take_session(SSL *ssl)
{
	SSL_SESSION *session = SSL_get_ex_data(ssl, session_index);
	if (session)
		SSL_set_ex_data(ssl, session_index, NULL);
	return session;
}

static void keep_sessions(SSL_CTX *context)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_index);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_session);
}

/* ---- life ---- */

static enum err set_trust(SSL_CTX *context, const struct tls_client_options *o, struct why why)
{
	struct trust trust = { 0 };
	if (!o->verify) {
		SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
		return ERR_NONE;
	}
	enum err e = o->ca.len ? trust_read(o->ca, SLICE_NONE, &trust, why)
			       : trust_system(&trust, why);
	if (e)
		return e;
	context_trust(context, &trust);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	trust_fini(&trust);
	return ERR_NONE;
}

static enum err set_own(SSL_CTX *context, const struct tls_client_options *o, struct why why)
{
	const struct tls_pair_options pair = { o->cert, o->key };
	struct cert *cert = NULL;
	char line[CERT_WHY_BYTES];
	if (o->cert.len == 0 && o->key.len == 0)
		return ERR_NONE;
	if (o->cert.len == 0 || o->key.len == 0)
		return why_conf(why, "%.*s: a certificate and its key go together; name both",
		    SLICE_ARG(o->cert.len ? o->cert : o->key));
	enum err e = cert_load(&pair, &cert, line);
	if (e == ERR_CONF)
		return why_conf(why, "%s", line);
	if (!e)
		e = context_show(context, cert, why);
	cert_unref(&cert);
	return e;
}

static enum err fill(SSL_CTX *context, const struct tls_client_options *o, struct why why)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	if (SSL_CTX_set_alpn_protos(context, alpn, sizeof(alpn) - 1) != 0)
		return ERR_NO_MEMORY;
	keep_sessions(context);
	enum err e = set_trust(context, o, why);
	return e ? e : set_own(context, o, why);
}

enum err tls_client_new(
    const struct tls_client_options *o, struct tls_client **ret, char *why, size_t why_room)
{
	struct tls_client *client = calloc(1, sizeof(*client));
	snprintf(why, why_room, "%s", "");
	if (!client)
		return ERR_NO_MEMORY;
	atomic_init(&client->refs, 1);
	client->verify = o->verify;
	enum err e = context_new(TLS_client_method(), o->min_version, &client->context);
	if (!e)
		e = fill(client->context, o, (struct why){ why, why_room });
	ERR_clear_error();
	if (e)
		tls_client_unref(&client);
	else
		*ret = client;
	return e;
}

struct tls_client *tls_client_ref(struct tls_client *client)
{
	atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
	return client;
}

void tls_client_unref(struct tls_client **p)
{
	struct tls_client *client = *p;
	*p = NULL;
	if (!client || atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_CTX_free(client->context);
	free(client);
}
