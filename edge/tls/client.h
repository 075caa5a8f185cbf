/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS towards one origin: whom we trust, who we say we are. Immutable and counted, as the server's
 * side is. Sessions to resume are kept by who connects (origin/pool), since they belong to one
 * address and one loop.
 */
#pragma once

#include <openssl/ssl.h>

#include "edge/base/err.h"
#include "edge/tls/options.h"

struct tls_client {
	_Atomic uint32_t refs;
	/* fixed after tls_client_new */
	SSL_CTX *context;
	bool verify;
};

/* Reads the files. own: tls_client_unref. fail: ERR_CONF with one line in `why`, ERR_NO_MEMORY.
 * thread: not a worker's, it reads files. */
enum err tls_client_new(
    const struct tls_client_options *, struct tls_client **ret, char *why, size_t why_room);
struct tls_client *tls_client_ref(struct tls_client *);
void tls_client_unref(struct tls_client **);

/*
 * Takes the newest session that the origin has given on a connection made of a tls_client's context
 * since the last call; NULL = none. own: SSL_SESSION_free; one that nobody takes goes with the SSL.
 */
SSL_SESSION *tls_client_take_session(SSL *);
