/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/link.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "edge/base/clock.h"
#include "tools/ctl/ask.h"

enum { TIMEOUT_S = 60 };

struct link_options link_options;

struct link {
	int fd;
	SSL_CTX *context; /* NULL = plain */
	SSL *tls;
};

_Noreturn void link_failed(const char *why)
{
	give_up(OUTCOME_UNREACHED,
	    "cannot reach Larder's admin listener at %s: %s\n"
	    "Is larder running? Its address is the key `admin`; tell me with --admin or LARDER_ADMIN.",
	    admin_address, why);
}

/* ---- addresses ---- */

static bool is_unix(void)
{
	return strncmp(admin_address, "unix:", 5) == 0;
}

static bool is_tls(void)
{
	return strncmp(admin_address, "https://", 8) == 0;
}

/* "HOST:PORT" */
static const char *pair(void)
{
	return admin_address + (is_tls() ? 8 : 0);
}

const char *link_host(void)
{
	return is_unix() ? "localhost" : pair();
}

/* Without its brackets. own: the caller frees. */
static char *host_of(const char *address, const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	if (!colon || colon == address)
		give_up(OUTCOME_USAGE,
		    "--admin %s: write unix:PATH, HOST:PORT or https://HOST:PORT", admin_address);
	size_t bracket = address[0] == '[' && colon[-1] == ']';
	*ret_port = colon + 1;
	return slice_to_str(slice_of(address + bracket, (size_t)(colon - address) - 2 * bracket));
}

/* ---- sockets ---- */

static int connect_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(un.sun_path))
		link_failed("the path is too long for a socket");
	memcpy(un.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)&un, sizeof(un)) != 0)
		link_failed(strerror(errno));
	return fd;
}

/* Tries each address of the name. */
static int connect_tcp(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int failed = getaddrinfo(host, port, &hints, &found);
	if (failed)
		link_failed(gai_strerror(failed));
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
			freeaddrinfo(found);
			return fd;
		}
		failed = errno;
		close(fd);
	}
	link_failed(strerror(failed));
}

/* ---- TLS ---- */

/* The last thing that OpenSSL said. */
static const char *tls_reason(const SSL *tls)
{
	long verdict = tls ? SSL_get_verify_result(tls) : X509_V_OK;
	unsigned long code = ERR_peek_last_error();
	if (verdict != X509_V_OK)
		return X509_verify_cert_error_string(verdict);
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	return reason ? reason : "TLS failed";
}

static SSL_CTX *make_context(void)
{
	const struct link_options *o = &link_options;
	static SSL_CTX *context; /* whoever ends the process on the way leaves it behind */
	context = SSL_CTX_new(TLS_client_method());
	if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION))
		give_up(OUTCOME_FAILED, "TLS: %s", tls_reason(NULL));
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (o->cacert ? !SSL_CTX_load_verify_locations(context, o->cacert, NULL)
		      : !SSL_CTX_set_default_verify_paths(context))
		give_up(OUTCOME_FAILED, "--cacert %s: %s", o->cacert, tls_reason(NULL));
	if (o->cert && SSL_CTX_use_certificate_chain_file(context, o->cert) != 1)
		give_up(OUTCOME_FAILED, "--cert %s: %s", o->cert, tls_reason(NULL));
	if (o->key && SSL_CTX_use_PrivateKey_file(context, o->key, SSL_FILETYPE_PEM) != 1)
		give_up(OUTCOME_FAILED, "--key %s: %s", o->key, tls_reason(NULL));
	return context;
}

static void shake(struct link *l, char *host)
{
	l->context = make_context();
	l->tls = SSL_new(l->context);
	if (!l->tls || SSL_set_fd(l->tls, l->fd) != 1)
		give_up(OUTCOME_FAILED, "TLS: %s", tls_reason(NULL));
	/* An address is checked as one, and sends no SNI (RFC 6066 3). */
	bool is_ip = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(l->tls), host) == 1;
	if (!is_ip &&
	    (SSL_set1_host(l->tls, host) != 1 || SSL_set_tlsext_host_name(l->tls, host) != 1))
		give_up(OUTCOME_FAILED, "TLS: %s", tls_reason(NULL));
	ERR_clear_error();
	if (SSL_connect(l->tls) != 1)
		link_failed(tls_reason(l->tls));
}

/* ---- life ---- */

static void check_options(void)
{
	const struct link_options *o = &link_options;
	if (!is_tls() && (o->cacert || o->cert || o->key))
		give_up(
		    OUTCOME_USAGE, "--cacert, --cert and --key are for --admin https://HOST:PORT");
	if (!o->cert != !o->key)
		give_up(OUTCOME_USAGE, "--cert and --key go together");
}

static int patience_s(void)
{
	return link_options.patience_s ? link_options.patience_s : TIMEOUT_S;
}

static void set_timeout(int fd, int seconds)
{
	struct timeval timeout = { .tv_sec = seconds };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

struct link *link_open(void)
{
	struct link *l = must_alloc(sizeof(*l));
	*l = (struct link){ 0 };
	check_options();
	if (is_unix()) {
		l->fd = connect_unix(admin_address + 5);
		set_timeout(l->fd, patience_s());
		return l;
	}
	const char *port;
	char *host = host_of(pair(), &port);
	l->fd = connect_tcp(host, port);
	set_timeout(l->fd, patience_s());
	if (is_tls())
		shake(l, host);
	free(host);
	return l;
}

/* fail: EAGAIN after the socket's timeout. */
static ssize_t read_once(struct link *l, void *to, size_t room)
{
	if (!l->tls)
		return read(l->fd, to, room);
	errno = 0;
	int got = SSL_read(l->tls, to, (int)min_size(room, INT_MAX));
	if (got > 0)
		return got;
	switch (SSL_get_error(l->tls, got)) {
	case SSL_ERROR_ZERO_RETURN: return 0;
	case SSL_ERROR_WANT_READ: errno = EAGAIN; return -1;
	case SSL_ERROR_SSL:
		if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			errno = ECONNRESET;
			return -1;
		}
		link_failed(tls_reason(l->tls)); /* a certificate that TLS 1.3 refuses */
	default: errno = errno ? errno : ECONNRESET; return -1;
	}
}

ssize_t link_read(struct link *l, void *to, size_t room)
{
	struct mono began = mono_now();
	if (!link_options.waiting)
		return read_once(l, to, room);
	set_timeout(l->fd, LINK_TICK_S);
	for (;;) {
		ssize_t got = read_once(l, to, room);
		if (got >= 0 || errno != EAGAIN)
			return got;
		if (mono_ms_since(began, mono_now()) >= patience_s() * INT64_C(1000)) {
			errno = EAGAIN;
			return got;
		}
		link_options.waiting();
	}
}

void link_write(struct link *l, struct slice s)
{
	while (s.len > 0) {
		size_t most = min_size(s.len, INT_MAX);
		ssize_t sent = l->tls ? SSL_write(l->tls, s.at, (int)most)
				      : write(l->fd, s.at, most);
		if (sent <= 0)
			link_failed(l->tls ? tls_reason(l->tls) : strerror(errno));
		s = slice_from(s, (size_t)sent);
	}
}

void link_close(struct link **p)
{
	struct link *l = *p;
	*p = NULL;
	SSL_free(l->tls);
	SSL_CTX_free(l->context);
	close(l->fd);
	free(l);
}
