/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/line.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "edge/tls/duct.h"

enum phase {
	PHASE_ACCEPT,    /* as PHASE_SHAKE, and there may be early data */
	PHASE_SHAKE,     /* waits for the peer's part of the handshake */
	PHASE_EARLY,     /* waits for more early data, or its end */
	PHASE_FINISHING, /* early data is over: waits for the client's Finished */
	PHASE_OPEN,
	PHASE_FAILED,
};

struct tls_line {
	SSL *ssl;
	struct duct duct;
	struct tls_server *server; /* NULL towards an origin */
	struct tls_client *client; /* NULL towards a client */
	struct secure secure;
	unsigned char *der; /* what secure.certificate shows */
	char *text;         /* a client's name for us; the name of an origin, then what failed */
	enum phase phase;
	enum tls_failure failure;
	enum io ended;         /* what reading says from now on; IO_OK = it goes on */
	unsigned char early;   /* the byte by which early data was found */
	bool has_early : 1;    /* it has not been read yet */
	bool is_starved : 1;   /* there is nothing to read before the socket has more */
	bool is_shut : 1;      /* we have finished writing */
	bool has_notified : 1; /* and OpenSSL has said so */
};

static struct tls_line *line_of(const struct conn *c)
{
	return c->layer_state;
}

static bool is_shaking(const struct tls_line *l)
{
	return l->phase < PHASE_OPEN;
}

/* ---- what is known of the peer ---- */

static bool speaks_for(const struct secure *secure, struct slice host)
{
	const void *at = (const char *)secure - offsetof(struct tls_line, secure);
	const struct tls_line *l = at;
	return l->server && tls_server_speaks_for(l->ssl, host);
}

/* Clients send it as it should be, with rare exceptions: only these need a copy. */
static struct slice learn_name(struct tls_line *l)
{
	char room[NAME_ROOM];
	struct slice name = tls_server_asked(l->ssl, room);
	const char *sent = SSL_get_servername(l->ssl, TLSEXT_NAMETYPE_host_name);
	if (name.len == 0 || memcmp(sent, name.at, name.len) == 0)
		return slice_of(sent, name.len);
	if (!l->text)
		l->text = strndup(name.at, name.len);
	return l->text ? slice_of(l->text, name.len) : SLICE_NONE;
}

static void learn_certificate(struct tls_line *l)
{
	X509 *cert = SSL_get0_peer_certificate(l->ssl);
	if (!cert || l->der || SSL_get_verify_result(l->ssl) != X509_V_OK)
		return;
	int len = i2d_X509(cert, &l->der);
	if (len > 0)
		l->secure.certificate = slice_of((const char *)l->der, (size_t)len);
}

static void learn(struct tls_line *l)
{
	l->secure.version = slice_str(SSL_get_version(l->ssl));
	l->secure.is_early = l->phase != PHASE_OPEN;
	if (!l->server)
		return;
	l->secure.server_name = learn_name(l);
	learn_certificate(l);
}

/* ---- reading ---- */

/* What it means that one of OpenSSL's functions returned no success. */
static enum io stopped(struct tls_line *l, int returned)
{
	switch (SSL_get_error(l->ssl, returned)) {
	case SSL_ERROR_WANT_READ:
		l->is_starved = true;
		if (!l->duct.saw_eof)
			return IO_AGAIN;
		return l->server ? IO_EOF : IO_BROKEN;
	case SSL_ERROR_ZERO_RETURN: return IO_EOF;
	default:
		/* After our close_notify OpenSSL refuses to go on with what would need an
		 * answer. */
		return l->has_notified && !l->duct.is_broken ? IO_EOF : IO_BROKEN;
	}
}

static void finish(struct tls_line *l) ON_LOOP;
static void say_goodbye(struct tls_line *l) ON_LOOP;

static enum io read_early(struct tls_line *l, void *to, size_t room, size_t *ret_bytes)
{
	if (l->has_early) {
		*(unsigned char *)to = l->early;
		*ret_bytes = 1;
		l->has_early = false;
		return IO_OK;
	}
	switch (SSL_read_early_data(l->ssl, to, room, ret_bytes)) {
	case SSL_READ_EARLY_DATA_SUCCESS: return IO_OK;
	case SSL_READ_EARLY_DATA_FINISH: l->phase = PHASE_FINISHING; return IO_OK;
	default: return stopped(l, 0);
	}
}

/* Reads from one record, or takes one step of the handshake that early data came before. */
static enum io read_once(struct tls_line *l, void *to, size_t room, size_t *ret_bytes) ON_LOOP
{
	int done;
	*ret_bytes = 0;
	switch (l->phase) {
	case PHASE_EARLY: return read_early(l, to, room, ret_bytes);
	case PHASE_FINISHING:
		done = SSL_do_handshake(l->ssl);
		if (done != 1)
			return stopped(l, done);
		finish(l);
		return IO_OK;
	case PHASE_OPEN:
		done = SSL_read_ex(l->ssl, to, room, ret_bytes);
		return done == 1 ? IO_OK : stopped(l, done);
	default: return IO_BROKEN; /* the handshake's result was not waited for */
	}
}

/* Whether another read_once can do without the socket. */
static bool has_more(const struct tls_line *l)
{
	return l->has_early || l->phase == PHASE_FINISHING || SSL_has_pending(l->ssl);
}

static void explain(struct tls_line *l, enum tls_failure failure, const char *text)
{
	free(l->text);
	l->text = strdup(text);
	l->failure = failure;
}

/* With TLS 1.3 an origin says behind our handshake what it thinks of our certificate. */
static void keep_late_failure(struct tls_line *l)
{
	char text[FAILURE_BYTES];
	if (l->client && failure_judge(text) == TLS_FAILED_ALERT)
		explain(l, TLS_FAILED_ALERT, text);
}

static enum io line_read(struct conn *c, void *to, size_t room, size_t *ret_bytes) ON_LOOP
{
	struct tls_line *l = line_of(c);
	size_t got = 0, more;
	if (l->ended != IO_OK)
		return l->ended;
	duct_begin(&l->duct);
	l->is_starved = false;
	enum io io = IO_OK;
	while (io == IO_OK && got < room) {
		io = read_once(l, (char *)to + got, room - got, &more);
		got += more;
		if (got > 0 && !has_more(l))
			break;
	}
	duct_push(&l->duct);
	if (io == IO_BROKEN) {
		keep_late_failure(l);
		ERR_clear_error();
	}
	if (io == IO_EOF || io == IO_BROKEN)
		l->ended = io;
	*ret_bytes = got;
	return got > 0 ? IO_OK : io;
}

/* The end is told again and again, as a socket does. */
static bool line_has_unread(const struct conn *c)
{
	const struct tls_line *l = line_of(c);
	return l->ended != IO_OK || (!l->is_starved && has_more(l));
}

/* ---- writing ---- */

struct cursor {
	const struct iovec *at;
	int count;
	size_t used; /* of the first */
};

/* Shows the next record's bytes: where they are, or gathered in `room`. */
static struct slice next_record(struct cursor *from, char room[TLS_RECORD_BYTES])
{
	size_t len = 0;
	while (from->count > 0) {
		const char *bytes = (const char *)from->at->iov_base + from->used;
		size_t left = from->at->iov_len - from->used;
		size_t take = min_size(left, TLS_RECORD_BYTES - len);
		bool fills = take == TLS_RECORD_BYTES || (len == 0 && from->count == 1);
		if (!fills && take > 0)
			memcpy(room + len, bytes, take);
		len += take;
		from->used += take;
		if (take == left) {
			from->at++;
			from->count--;
			from->used = 0;
		}
		if (fills)
			return slice_of(bytes, take);
		if (len == TLS_RECORD_BYTES)
			break;
	}
	return slice_of(room, len);
}

/* The duct takes all, so a record is sealed whole or the line is broken; a client that has little
 * room gets it in several (RFC 6066 4). */
static bool seal(struct tls_line *l, struct slice record)
{
	while (record.len > 0) {
		size_t sealed;
		int done = is_shaking(l)
		    ? SSL_write_early_data(l->ssl, record.at, record.len, &sealed)
		    : SSL_write_ex(l->ssl, record.at, record.len, &sealed);
		if (done != 1)
			return false;
		record = slice_from(record, sealed);
	}
	return true;
}

static enum io line_writev(struct conn *c, struct iovec *iov, int count, size_t *ret_bytes) ON_LOOP
{
	struct tls_line *l = line_of(c);
	struct cursor from = { iov, count, 0 };
	char room[TLS_RECORD_BYTES];
	if (l->ended == IO_BROKEN || l->is_shut)
		return IO_BROKEN;
	duct_begin(&l->duct);
	duct_resume(&l->duct);
	enum io io = duct_flush(&l->duct);
	if (io != IO_OK)
		return io;
	while (io == IO_OK && from.count > 0) {
		struct slice record = next_record(&from, room);
		if (record.len == 0)
			break;
		if (!seal(l, record)) {
			ERR_clear_error();
			l->ended = IO_BROKEN;
		}
		*ret_bytes += record.len;
		if (!duct_has_room(&l->duct))
			io = duct_push(&l->duct);
		if (l->ended == IO_BROKEN)
			break;
	}
	if (io == IO_OK) /* the pad is another line's next */
		io = duct_push(&l->duct);
	if (l->ended == IO_BROKEN || io == IO_BROKEN)
		return IO_BROKEN;
	return *ret_bytes > 0 ? IO_OK : io;
}

static size_t line_held(const struct conn *c)
{
	return duct_held(&line_of(c)->duct);
}

/* ---- the end ---- */

/* Says close_notify, which has its place after the handshake, and ends the stream behind it. */
static void say_goodbye(struct tls_line *l)
{
	if (l->is_shut && !l->has_notified && l->phase == PHASE_OPEN) {
		ERR_clear_error();
		SSL_shutdown(l->ssl);
		ERR_clear_error();
		l->has_notified = true;
		duct_push(&l->duct);
	}
	if (l->has_notified && duct_held(&l->duct) == 0)
		shutdown(l->duct.fd, SHUT_WR);
}

static enum io line_flush(struct conn *c) ON_LOOP
{
	struct tls_line *l = line_of(c);
	enum io io = duct_flush(&l->duct);
	if (io == IO_OK && l->has_notified)
		shutdown(l->duct.fd, SHUT_WR);
	return io;
}

static void line_shut(struct conn *c) ON_LOOP
{
	struct tls_line *l = line_of(c);
	l->is_shut = true;
	say_goodbye(l);
}

static void free_line(struct tls_line *l)
{
	/* Without this OpenSSL forbids its session to be resumed: it takes a line that ends without
	 * close_notify on both sides for attacked, as SSL 3 did. */
	if (l->phase == PHASE_OPEN)
		SSL_set_shutdown(l->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(l->ssl);
	duct_close(&l->duct);
	tls_server_unref(&l->server);
	tls_client_unref(&l->client);
	OPENSSL_free(l->der);
	free(l->text);
	free(l);
}

static void line_close(struct conn *c, bool is_reset) ON_LOOP
{
	struct tls_line *l = line_of(c);
	bool is_quiet = is_reset || l->ended == IO_BROKEN || duct_held(&l->duct) > 0;
	if (l->phase == PHASE_OPEN && !is_quiet && !l->has_notified) {
		l->is_shut = true;
		say_goodbye(l);
	}
	if (l->server && (l->phase == PHASE_EARLY || l->phase == PHASE_FINISHING))
		meter_add(&l->duct.local->meters.failed_gone, 1);
	free_line(l);
	c->layer_state = NULL;
}

static const struct conn_layer layer = {
	.read = line_read,
	.writev = line_writev,
	.flush = line_flush,
	.held = line_held,
	.has_unread = line_has_unread,
	.shut = line_shut,
	.close = line_close,
};

/* ---- beginning ---- */

static struct tls_line *line_new(SSL_CTX *context, int fd, struct tls_local *local)
{
	struct tls_line *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->ssl = SSL_new(context);
	if (!l->ssl || duct_open(&l->duct, fd, local, l->ssl) != ERR_NONE) {
		SSL_free(l->ssl);
		free(l);
		return NULL;
	}
	SSL_set_app_data(l->ssl, l);
	l->secure.speaks_for = speaks_for;
	l->is_starved = true;
	return l;
}

static void lay(struct conn *c, struct tls_line *l)
{
	c->layer = &layer;
	c->layer_state = l;
}

enum err tls_line_serve(struct conn *c, struct tls_local *local, struct tls_server *server)
{
	struct tls_line *l = line_new(server->context, c->io.fd, local);
	if (!l)
		return ERR_NO_MEMORY;
	l->server = tls_server_ref(server);
	l->phase = server->early_data ? PHASE_ACCEPT : PHASE_SHAKE;
	SSL_set_accept_state(l->ssl);
	lay(c, l);
	return ERR_NONE;
}

/* OpenSSL asks whether a failed check may pass. It may not; but here the reason is at hand. */
static int on_verify(int is_good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_line *l = SSL_get_app_data(ssl);
	char text[FAILURE_BYTES];
	if (is_good)
		return is_good;
	failure_of_certificate(store, l->text, text);
	explain(l, TLS_FAILED_CERTIFICATE, text);
	return 0;
}

/* Whom we want to talk to: asked for by name, and checked by it or by address (RFC 9110 4.3.4). */
static bool expect(struct tls_line *l, struct slice name)
{
	struct address address;
	if (slice_ends(name, SL(".")))
		name.len--; /* RFC 6066 3: without the dot that ends an absolute name */
	l->text = strndup(name.at, name.len);
	if (!l->text)
		return false;
	bool is_ip = address_parse(name, 0, &address);
	if (!is_ip && SSL_set_tlsext_host_name(l->ssl, l->text) != 1)
		return false;
	if (!l->client->verify) {
		SSL_set_verify(l->ssl, SSL_VERIFY_NONE, NULL);
		return true;
	}
	SSL_set_verify(l->ssl, SSL_VERIFY_PEER, on_verify);
	SSL_set_hostflags(l->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_ip)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(l->ssl), l->text) == 1;
	return SSL_set1_host(l->ssl, l->text) == 1;
}

enum err tls_line_connect(struct conn *c, struct tls_local *local, struct tls_client *client,
    struct slice name, SSL_SESSION *resume)
{
	struct tls_line *l = line_new(client->context, c->io.fd, local);
	if (!l)
		return ERR_NO_MEMORY;
	l->client = tls_client_ref(client);
	l->phase = PHASE_SHAKE;
	SSL_set_connect_state(l->ssl);
	if (!expect(l, name) || (resume && SSL_set_session(l->ssl, resume) != 1)) {
		free_line(l);
		ERR_clear_error();
		return ERR_NO_MEMORY;
	}
	lay(c, l);
	return ERR_NONE;
}

/* ---- the handshake ---- */

static void count_done(struct tls_line *l)
{
	struct tls_meters *m = &l->duct.local->meters;
	bool resumed = SSL_session_reused(l->ssl);
	if (l->server) {
		bool is_13 = SSL_version(l->ssl) >= TLS1_3_VERSION;
		meter_add(is_13 ? &m->handshakes_13 : &m->handshakes_12, 1);
		meter_add(&m->resumed, resumed);
	} else {
		meter_add(&m->origin_handshakes, 1);
		meter_add(&m->origin_resumed, resumed);
	}
}

static void finish(struct tls_line *l)
{
	l->phase = PHASE_OPEN;
	count_done(l);
	learn(l);
	if (l->is_shut)
		say_goodbye(l);
}

/* As much as fits a browser's window: somebody typed http:// and the port of https. */
static void answer_plain(struct tls_line *l) ON_LOOP
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
				   "Content-Length: 23\r\nConnection: close\r\n\r\n"
				   "This port speaks https\n";
	duct_add(&l->duct, text, sizeof(text) - 1);
}

static enum shake fail(struct tls_line *l) ON_LOOP
{
	l->phase = PHASE_FAILED;
	l->ended = IO_BROKEN;
	if (l->server) {
		if (failure_count(l->ssl, &l->duct.local->meters))
			answer_plain(l);
		return SHAKE_FAILED;
	}
	char text[FAILURE_BYTES];
	enum tls_failure failure = failure_judge(text);
	if (l->failure != TLS_FAILED_CERTIFICATE) /* else on_verify has said it better */
		explain(l, failure, text);
	return SHAKE_FAILED;
}

static enum shake shake_stopped(struct tls_line *l, int returned) ON_LOOP
{
	enum io io = stopped(l, returned);
	return io == IO_AGAIN ? SHAKE_AGAIN : fail(l);
}

static enum shake shake_on(struct tls_line *l) ON_LOOP
{
	size_t bytes;
	int done;
	if (l->phase == PHASE_ACCEPT) {
		switch (SSL_read_early_data(l->ssl, &l->early, 1, &bytes)) {
		case SSL_READ_EARLY_DATA_SUCCESS:
			l->phase = PHASE_EARLY;
			l->has_early = true;
			meter_add(&l->duct.local->meters.early, 1);
			learn(l);
			return SHAKE_DONE;
		case SSL_READ_EARLY_DATA_FINISH: l->phase = PHASE_SHAKE; break;
		default: return shake_stopped(l, 0);
		}
	}
	done = SSL_do_handshake(l->ssl);
	if (done != 1)
		return shake_stopped(l, done);
	finish(l);
	return SHAKE_DONE;
}

enum shake tls_line_shake(struct conn *c)
{
	struct tls_line *l = line_of(c);
	if (!is_shaking(l))
		return l->phase == PHASE_OPEN ? SHAKE_DONE : SHAKE_FAILED;
	duct_begin(&l->duct);
	l->is_starved = false;
	enum shake shake = shake_on(l);
	ERR_clear_error();
	/* A client's first request mostly comes with the end of its handshake: then the ticket
	 * leaves with the answer. */
	if (shake == SHAKE_DONE && l->server && SSL_has_pending(l->ssl))
		duct_hold(&l->duct);
	else
		duct_push(&l->duct);
	conn_stirred(c);
	return shake;
}

void tls_line_give_up(struct conn *c, bool is_late)
{
	struct tls_line *l = line_of(c);
	struct tls_meters *m = &l->duct.local->meters;
	if (l->server && is_shaking(l))
		meter_add(is_late ? &m->failed_timeout : &m->failed_gone, 1);
	if (!l->server && is_shaking(l))
		explain(
		    l, TLS_FAILED_CLOSED, is_late ? "took too long to shake hands" : "given up");
	if (is_shaking(l))
		l->phase = PHASE_FAILED;
}

/* ---- what others ask ---- */

const struct secure *tls_line_secure(const struct conn *c)
{
	return &line_of(c)->secure;
}

bool tls_line_is_h2(const struct conn *c)
{
	const unsigned char *name;
	unsigned len;
	SSL_get0_alpn_selected(line_of(c)->ssl, &name, &len);
	return slice_eq(slice_of((const char *)name, len), SL("h2"));
}

bool tls_line_is_resumed(const struct conn *c)
{
	return SSL_session_reused(line_of(c)->ssl);
}

enum tls_failure tls_line_failure(const struct conn *c, const char **ret_text)
{
	const struct tls_line *l = line_of(c);
	*ret_text = l->text ? l->text : "out of memory";
	return l->failure;
}

SSL_SESSION *tls_line_take_session(struct conn *c)
{
	return tls_client_take_session(line_of(c)->ssl);
}
