/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client and a server that shake hands in memory, and what came of it: which alert, whose
 * certificate, which protocol. What the client offers is its own SSL_CTX's, made for each talk.
 */
#pragma once

#include <openssl/err.h>

#include "edge/tls/server.h"
#include "made.h"

struct offer {
	const char *name; /* NULL = no SNI */
	const char *alpn; /* wire form; NULL = no ALPN */
	int version;      /* the only one; 0 = all */
	const char *sigalgs;
	const struct made *own; /* NULL = no certificate */
	SSL_SESSION *session;   /* to resume; NULL = none */
};

struct talk {
	SSL_CTX *context; /* the client's */
	SSL *client, *server;
	bool is_done;
	int alert;            /* that the client got; 0 = none */
	SSL_SESSION *session; /* the newest that the client got */
};

/* For OpenSSL's macros, which take text without const and only read it. */
static inline char *talk_text(const char *text)
{
	return (char *)(uintptr_t)text;
}

static inline int talk_on_session(SSL *ssl, SSL_SESSION *session)
{
	struct talk *t = SSL_get_app_data(ssl);
	SSL_SESSION_free(t->session);
	t->session = session;
	return 1;
}

static inline void talk_join(struct talk *t)
{
	BIO *near, *far;
	must(BIO_new_bio_pair(&near, 64 * 1024, &far, 64 * 1024));
	SSL_set_bio(t->client, near, near);
	SSL_set_bio(t->server, far, far);
	SSL_set_connect_state(t->client);
	SSL_set_accept_state(t->server);
}

static inline void talk_open(struct talk *t, SSL_CTX *server, struct offer o)
{
	*t = (struct talk){ .context = SSL_CTX_new(TLS_client_method()) };
	SSL_CTX_set_session_cache_mode(
	    t->context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t->context, talk_on_session);
	if (o.version)
		must(SSL_CTX_set_min_proto_version(t->context, o.version) &&
		    SSL_CTX_set_max_proto_version(t->context, o.version));
	if (o.sigalgs)
		must(SSL_CTX_set1_sigalgs_list(t->context, talk_text(o.sigalgs)));
	if (o.own)
		must(SSL_CTX_use_certificate(t->context, o.own->cert) &&
		    SSL_CTX_use_PrivateKey(t->context, o.own->key));
	t->client = SSL_new(t->context);
	t->server = SSL_new(server);
	must(t->client && t->server);
	SSL_set_app_data(t->client, t);
	if (o.name)
		must(SSL_set_tlsext_host_name(t->client, talk_text(o.name)));
	if (o.alpn)
		must(SSL_set_alpn_protos(
			 t->client, (const unsigned char *)o.alpn, (unsigned)strlen(o.alpn)) == 0);
	if (o.session) {
		/* A copy: the library marks one of TLS 1.3 as used. */
		SSL_SESSION *copy = SSL_SESSION_dup(o.session);
		must(copy && SSL_set_session(t->client, copy));
		SSL_SESSION_free(copy);
	}
	talk_join(t);
}

/* One side as far as it comes. False when it has failed. */
static inline bool talk_step(struct talk *t, SSL *ssl)
{
	ERR_clear_error();
	int got = SSL_do_handshake(ssl);
	int error = SSL_get_error(ssl, got);
	int reason = ERR_GET_REASON(ERR_peek_error());
	if (ssl == t->client && error == SSL_ERROR_SSL && reason > SSL_AD_REASON_OFFSET)
		t->alert = reason - SSL_AD_REASON_OFFSET;
	ERR_clear_error();
	return got == 1 || error == SSL_ERROR_WANT_READ;
}

/* Reads what nobody will send, so that tickets, and alerts that come late, are seen. */
static inline bool talk_listen(struct talk *t, SSL *ssl)
{
	char byte;
	ERR_clear_error();
	int got = SSL_read(ssl, &byte, 1);
	int error = SSL_get_error(ssl, got);
	int reason = ERR_GET_REASON(ERR_peek_error());
	if (ssl == t->client && error == SSL_ERROR_SSL && reason > SSL_AD_REASON_OFFSET)
		t->alert = reason - SSL_AD_REASON_OFFSET;
	ERR_clear_error();
	return error == SSL_ERROR_WANT_READ;
}

/* Until both are done, or one has failed and the other knows. */
static inline bool talk_shake(struct talk *t)
{
	bool well = true;
	for (int i = 0; i < 12 && well; i++) {
		well = talk_step(t, t->client);
		well = talk_step(t, t->server) && well;
	}
	t->is_done = SSL_is_init_finished(t->client) && SSL_is_init_finished(t->server);
	if (SSL_is_init_finished(t->client))
		talk_listen(t, t->client);
	else
		talk_step(t, t->client);
	return t->is_done;
}

static inline void talk_close(struct talk *t)
{
	/* Unlike a connection that is cut off, one that is closed leaves its session as it was. */
	if (t->client && SSL_is_init_finished(t->client))
		SSL_shutdown(t->client);
	if (t->server && SSL_is_init_finished(t->server))
		SSL_shutdown(t->server);
	SSL_free(t->client);
	SSL_free(t->server);
	SSL_CTX_free(t->context);
	SSL_SESSION_free(t->session);
	ERR_clear_error();
	*t = (struct talk){ 0 };
}

/* A whole one. */
static inline bool talk(struct talk *t, const struct tls_server *server, struct offer o)
{
	talk_open(t, server->context, o);
	return talk_shake(t);
}

static inline SSL_SESSION *talk_take_session(struct talk *t)
{
	SSL_SESSION *session = t->session;
	t->session = NULL;
	return session;
}

/* ---- servers ---- */

/* Options with the certificates of these names in the folder, the rest as the table has it. */
struct terms {
	struct tls_options options;
	struct tls_pair_options pairs[8];
	struct slice protocols[2];
	struct tickets *tickets;
	const struct tls_server *before;
	char why[512];
};

static inline void terms_init(struct terms *t, const char *const *names)
{
	size_t count = 0;
	*t = (struct terms){ .protocols = { SL("h2"), SL("http/1.1") } };
	for (; names[count]; count++) {
		char file[64];
		snprintf(file, sizeof(file), "%s.pem", names[count]);
		t->pairs[count].cert = slice_str(made_path(file));
		snprintf(file, sizeof(file), "%s.key", names[count]);
		t->pairs[count].key = slice_str(made_path(file));
	}
	t->options = (struct tls_options){
		.certificates = { t->pairs, count },
		.alpn = { t->protocols, 2 },
		.handshake_ms = 10000,
		.tickets = true,
		.ticket_rotation_ms = 12 * 3600 * 1000,
	};
	must(tickets_new(&t->tickets) == ERR_NONE);
}
#define TERMS(t, ...) terms_init((t), (const char *const[]){ __VA_ARGS__, NULL })

static inline void terms_fini(struct terms *t)
{
	tickets_free(&t->tickets);
}

static inline enum err terms_try(struct terms *t, struct tls_server **ret)
{
	*ret = NULL;
	enum err e = tls_server_new(
	    &t->options, t->tickets, t->before, ret, t->why, sizeof(t->why));
	CU_ASSERT_EQUAL(ERR_peek_error(), 0);
	return e;
}

static inline struct tls_server *terms_serve(struct terms *t)
{
	struct tls_server *s;
	enum err e = terms_try(t, &s);
	if (e)
		fprintf(stderr, "\n  %s\n", t->why);
	CU_ASSERT_EQUAL_FATAL(e, ERR_NONE);
	return s;
}
