/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/server.h"

#include <openssl/err.h>

#include "edge/tls/context.h"

enum {
	SESSION_S = 24 * 3600, /* a session is resumed for so long at most */
	EARLY_SESSIONS = 20000,
	EARLY_BYTES = 16384,
};

/* Mozilla's "intermediate", for TLS 1.2, without finite-field Diffie-Hellman: slow, and
 * nobody's. */
/* clang-format off */
#define INTERMEDIATE \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
/* clang-format on */

/* ---- what a connection asked for: a struct tls_named of the server's, or refused ---- */

static const struct tls_named refused;
static int named_index;

static void make_index(void)
{
	named_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	must(named_index >= 0);
}

static const struct tls_named *named_of(const SSL *ssl)
{
	return SSL_get_ex_data(ssl, named_index);
}

static bool set_named(SSL *ssl, const struct tls_named *named)
{
	/* OpenSSL hands it back as it was. */
	return SSL_set_ex_data(ssl, named_index, (void *)(uintptr_t)named) == 1;
}

struct slice tls_server_asked(const SSL *ssl, char room[NAME_ROOM])
{
	return tls_name_of(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), room);
}

bool tls_server_has_refused(const SSL *ssl)
{
	return named_of(ssl) == &refused;
}

const struct cert *tls_server_shown(const SSL *ssl)
{
	const struct tls_named *named = named_of(ssl);
	const X509 *leaf = SSL_session_reused(ssl) ? NULL : SSL_get_certificate(ssl);
	const struct cert *first = NULL;
	for (int i = NAME_KINDS - 1; i >= 0 && named; i--) {
		const struct cert *c = named->certs[i];
		if (c && c->leaf == leaf)
			return c;
		if (c)
			first = c;
	}
	return first;
}

bool tls_server_speaks_for(const SSL *ssl, struct slice host)
{
	const struct cert *shown = tls_server_shown(ssl);
	if (!shown || !SSL_session_reused(ssl))
		return shown && cert_speaks_for(shown, host);
	const struct tls_named *named = named_of(ssl);
	for (unsigned i = 0; i < NAME_KINDS; i++)
		if (named->certs[i] && !cert_speaks_for(named->certs[i], host))
			return false;
	return true;
}

/* ---- callbacks, in the order of a handshake ---- */

/* The host_name in a server_name extension as it was sent (RFC 6066 3); empty = none. */
static struct slice name_in_hello(SSL *ssl)
{
	const unsigned char *at;
	size_t len;
	/* list length (2), type (1), name length (2), name; OpenSSL checks it again, and all. */
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &len) || len < 5)
		return SLICE_NONE;
	size_t name_len = (size_t)(at[3] << 8 | at[4]);
	return name_len == len - 5 ? slice_of((const char *)at + 5, name_len) : SLICE_NONE;
}

/* Whether a session may go on as the one that it was: for its name, and with a client's certificate
 * that is still valid. */
static bool may_resume(SSL *ssl, SSL_SESSION *session)
{
	struct slice began_with = slice_str(SSL_SESSION_get0_hostname(session));
	X509 *peer = SSL_SESSION_get0_peer(session);
	return slice_eq_nocase(began_with, name_in_hello(ssl)) &&
	    (!peer || X509_cmp_current_time(X509_get0_notAfter(peer)) > 0);
}

/* A ticket was opened, or not. What may not be resumed gets a full handshake and a new ticket. */
static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *session, UNUSED const unsigned char *name,
    UNUSED size_t name_len, SSL_TICKET_STATUS status, UNUSED void *arg)
{
	bool is_open = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
	if (!is_open || !may_resume(ssl, session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	/* RFC 8446 C.4: with TLS 1.3 a client gets a new one each time, to use each once. */
	return status == SSL_TICKET_SUCCESS_RENEW || SSL_version(ssl) == TLS1_3_VERSION
	    ? SSL_TICKET_RETURN_USE_RENEW
	    : SSL_TICKET_RETURN_USE;
}

/* Called with and without a name. */
static int on_name(SSL *ssl, int *ret_alert, void *arg)
{
	const struct tls_server *s = arg;
	char room[NAME_ROOM];
	struct slice asked = tls_server_asked(ssl, room);
	const struct tls_named *named = tls_names_find(s->names, asked);
	if (!named)
		named = s->unknown_name == TLS_UNKNOWN_REFUSE ? &refused : &s->names->fallback;
	*ret_alert = named == &refused ? SSL_AD_UNRECOGNIZED_NAME : SSL_AD_INTERNAL_ERROR;
	if (!set_named(ssl, named) || named == &refused)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

/* Early data was sent for the name that its session began with, or is not taken. */
static int on_early(SSL *ssl, UNUSED void *arg)
{
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const char *began_with = SSL_SESSION_get0_hostname(SSL_get0_session(ssl));
	return slice_eq_nocase(slice_str(asked), slice_str(began_with));
}

/* RFC 7301 3.2: our order; nothing in common ends the handshake. */
static int on_alpn(UNUSED SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
    const unsigned char *offer, unsigned offer_len, void *arg)
{
	const struct tls_server *s = arg;
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, ret_len, s->alpn, s->alpn_len, offer, offer_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* The last moment before a certificate is chosen. Not called for a resumed session. */
static int on_choose(SSL *ssl, void *arg)
{
	const struct tls_server *s = arg;
	const struct tls_named *named = named_of(ssl);
	if (memcmp(named->certs, s->names->fallback.certs, sizeof(named->certs)) == 0)
		return 1; /* those are the context's own */
	SSL_certs_clear(ssl);
	for (unsigned i = 0; i < NAME_KINDS; i++) {
		const struct cert *c = named->certs[i];
		if (c && SSL_use_cert_and_key(ssl, c->leaf, c->key, c->chain, 1) != 1)
			return 0;
	}
	return 1;
}

/* ---- the context ---- */

static enum err set_ciphers(SSL_CTX *context, struct slice ciphers, struct why why)
{
	char text[1024];
	if (ciphers.len == 0)
		ciphers = SL(INTERMEDIATE);
	if (ciphers.len >= sizeof(text))
		return why_conf(why, "ciphers: longer than %zu bytes", sizeof(text) - 1);
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(ciphers));
	if (SSL_CTX_set_cipher_list(context, text) == 1)
		return ERR_NONE;
	return why_conf(why, "ciphers: \"%s\": %s; see `openssl ciphers`", text, why_openssl());
}

static enum err set_alpn(struct tls_server *s, const struct conf_strings *alpn, struct why why)
{
	for (size_t i = 0; i < alpn->count; i++) {
		struct slice one = alpn->at[i];
		if (one.len == 0 || s->alpn_len + 1 + one.len > sizeof(s->alpn))
			return why_conf(why, "alpn: \"%.*s\" does not fit", SLICE_ARG(one));
		s->alpn[s->alpn_len++] = (unsigned char)one.len;
		memcpy(s->alpn + s->alpn_len, one.at, one.len);
		s->alpn_len += (unsigned)one.len;
	}
	if (s->alpn_len)
		SSL_CTX_set_alpn_select_cb(s->context, on_alpn, s);
	return ERR_NONE;
}

static void set_tickets(SSL_CTX *context, const struct tls_options *o, struct tickets *tickets)
{
	int64_t life_s = o->ticket_keys.len ? SESSION_S : 2 * o->ticket_rotation_ms / 1000;
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (!o->tickets) {
		SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(context, 0);
		return;
	}
	tickets_serve(tickets, context);
	SSL_CTX_set_session_ticket_cb(context, NULL, on_ticket, NULL);
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_timeout(context, life_s > 0 && life_s < SESSION_S ? (long)life_s : SESSION_S);
}

/*
 * OpenSSL's defence against replays: each session is in the cache and leaves it when it is resumed.
 * The cache is bounded, its oldest leave; the sweep that OpenSSL does every 255 handshakes would
 * hold up all loops.
 */
static void set_early_data(SSL_CTX *context)
{
	SSL_CTX_set_session_cache_mode(
	    context, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_AUTO_CLEAR);
	SSL_CTX_sess_set_cache_size(context, EARLY_SESSIONS);
	must(SSL_CTX_set_max_early_data(context, EARLY_BYTES));
	must(SSL_CTX_set_recv_max_early_data(context, EARLY_BYTES));
	SSL_CTX_set_allow_early_data_cb(context, on_early, NULL);
}

/* A session counts only where clients are asked for the same: ticket keys are shared by
 * listeners. */
static bool set_session_scope(SSL_CTX *context, int mode, const struct trust *trust)
{
	unsigned char all[1 + sizeof(trust->digest)], digest[EVP_MAX_MD_SIZE];
	unsigned len;
	all[0] = (unsigned char)mode;
	memcpy(all + 1, trust->digest, sizeof(trust->digest));
	return EVP_Digest(all, sizeof(all), digest, &len, EVP_sha256(), NULL) &&
	    SSL_CTX_set_session_id_context(context, digest, len);
}

static enum err set_clients(SSL_CTX *context, const struct tls_options *o, struct why why)
{
	struct trust trust = { 0 };
	enum err e = ERR_NONE;
	if (o->client_certificate != TLS_CLIENT_OFF) {
		bool must_have = o->client_certificate == TLS_CLIENT_REQUIRED;
		e = trust_read(o->client_ca, o->client_crl, &trust, why);
		if (e)
			return e;
		context_trust(context, &trust);
		SSL_CTX_set_verify(context,
		    SSL_VERIFY_PEER | (must_have ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
		SSL_CTX_set_client_CA_list(context, trust.names);
		trust.names = NULL; /* the context's now */
	}
	if (!set_session_scope(context, o->client_certificate, &trust))
		e = ERR_NO_MEMORY;
	trust_fini(&trust);
	return e;
}

/* Shows each certificate once, so that one that OpenSSL finds too weak is known now and not at a
 * handshake; the default ones in the context that stays. */
static enum err show_certs(struct tls_server *s, const struct tls_options *o, struct why why)
{
	SSL_CTX *scratch;
	enum err e = context_new(TLS_server_method(), o->min_version, &scratch);
	if (e)
		return e;
	e = set_ciphers(scratch, o->ciphers, why);
	for (size_t i = 0; i < s->cert_count && !e; i++)
		e = context_show(scratch, s->certs[i], why);
	SSL_CTX_free(scratch);
	for (unsigned i = 0; i < NAME_KINDS && !e; i++)
		if (s->names->fallback.certs[i])
			e = context_show(s->context, s->names->fallback.certs[i], why);
	return e;
}

static enum err make_context(
    struct tls_server *s, const struct tls_options *o, struct tickets *tickets, struct why why)
{
	enum err e = context_new(TLS_server_method(), o->min_version, &s->context);
	if (e)
		return e;
	SSL_CTX_set_tlsext_servername_callback(s->context, on_name);
	SSL_CTX_set_tlsext_servername_arg(s->context, s);
	SSL_CTX_set_cert_cb(s->context, on_choose, s);
	set_tickets(s->context, o, tickets);
	if (o->early_data)
		set_early_data(s->context);
	e = set_ciphers(s->context, o->ciphers, why);
	if (!e)
		e = show_certs(s, o, why);
	if (!e)
		e = set_clients(s->context, o, why);
	return e ? e : set_alpn(s, &o->alpn, why);
}

/* ---- certificates ---- */

/* The first pair that could not be read and was taken over, and how many there were. */
struct taken {
	char line[CERT_WHY_BYTES];
	unsigned count;
};

static struct cert *find_before(const struct tls_server *before, struct slice path)
{
	for (size_t i = 0; before && i < before->cert_count; i++)
		if (slice_eq(slice_str(before->certs[i]->path), path))
			return before->certs[i];
	return NULL;
}

static enum err load_cert(const struct tls_pair_options *pair, const struct tls_server *before,
    struct cert **ret, struct taken *taken, struct why why)
{
	char line[CERT_WHY_BYTES];
	enum err e = cert_load(pair, ret, line);
	if (e != ERR_CONF)
		return e;
	struct cert *old = find_before(before, pair->cert);
	if (!old)
		return why_conf(why, "%s", line);
	if (taken->count++ == 0)
		memcpy(taken->line, line, sizeof(line));
	*ret = cert_ref(old);
	return ERR_NONE;
}

static enum err load_certs(struct tls_server *s, const struct tls_options *o,
    const struct tls_server *before, struct taken *taken, struct why why)
{
	const struct tls_pair_options *pairs = o->certificates.at;
	enum err e = ERR_NONE;
	s->certs = calloc(o->certificates.count, sizeof(struct cert *));
	if (!s->certs)
		return ERR_NO_MEMORY;
	while (s->cert_count < o->certificates.count && !e) {
		e = load_cert(&pairs[s->cert_count], before, &s->certs[s->cert_count], taken, why);
		s->cert_count += !e;
	}
	return e ? e : tls_names_new(s->certs, s->cert_count, &s->names);
}

/* ---- life ---- */

static enum err check(const struct tls_options *o, struct why why)
{
	if (o->certificates.count == 0)
		return why_conf(why, "no certificate; name one under tls: certificates");
	if (o->client_certificate != TLS_CLIENT_OFF && o->client_ca.len == 0)
		return why_conf(
		    why, "client-certificate needs client-ca: the authorities' PEM file");
	if (o->early_data && !o->tickets)
		return why_conf(
		    why, "early-data needs tickets; switch tickets on, or early-data off");
	if (o->early_data && o->client_certificate != TLS_CLIENT_OFF)
		return why_conf(why,
		    "early-data and client-certificate do not go together: what comes early may be "
		    "a replay and proves nobody; switch one of them off");
	return ERR_NONE;
}

static void tell_taken(const struct taken *taken, struct why why)
{
	static const char kept[] = "the certificate from before is kept";
	if (taken->count == 1)
		snprintf(why.at, why.room, "%s; %s", taken->line, kept);
	else if (taken->count > 1)
		snprintf(why.at, why.room, "%s; %s, and for %u more", taken->line, kept,
		    taken->count - 1);
}

enum err tls_server_new(const struct tls_options *o, struct tickets *tickets,
    const struct tls_server *before, struct tls_server **ret, char *why_at, size_t why_room)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct why why = { why_at, why_room };
	struct taken taken = { .count = 0 };
	struct tls_server *s = calloc(1, sizeof(*s));
	snprintf(why_at, why_room, "%s", "");
	if (!s)
		return ERR_NO_MEMORY;
	pthread_once(&once, make_index);
	atomic_init(&s->refs, 1);
	s->handshake_ms = o->handshake_ms;
	s->unknown_name = o->unknown_name;
	s->early_data = o->early_data;
	enum err e = check(o, why);
	if (!e)
		e = load_certs(s, o, before, &taken, why);
	if (!e)
		e = make_context(s, o, tickets, why);
	ERR_clear_error();
	if (e) {
		tls_server_unref(&s);
		return e;
	}
	tell_taken(&taken, why);
	*ret = s;
	return ERR_NONE;
}

struct tls_server *tls_server_ref(struct tls_server *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void tls_server_unref(struct tls_server **p)
{
	struct tls_server *s = *p;
	*p = NULL;
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_CTX_free(s->context);
	tls_names_free(&s->names);
	for (size_t i = 0; i < s->cert_count; i++)
		cert_unref(&s->certs[i]);
	free(s->certs);
	free(s);
}
