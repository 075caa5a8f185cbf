/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS towards the clients of one listener: its certificates by name, versions, ciphers, ALPN,
 * tickets, clients' certificates. Immutable and counted: a reload makes another, and connections
 * keep the one that they began with. Lines (line.h) are made of it on any loop.
 *
 * A name is looked for as it is, then under its wildcard; for one name an ECDSA and an RSA
 * certificate stand side by side and the client's offer decides. A name that no certificate speaks
 * for gets the default one or is refused, as the options say.
 */
#pragma once

#include "edge/tls/cert.h"
#include "edge/tls/options.h"
#include "edge/tls/ticket.h"

struct tls_server {
	_Atomic uint32_t refs;
	/* fixed after tls_server_new */
	SSL_CTX
	*context; /* what connections begin with; its ALPN and name callbacks know the rest */
	struct cert **certs;
	size_t cert_count;
	struct tls_names *names;
	int64_t handshake_ms;
	int unknown_name;
	bool early_data;
	unsigned char alpn[64]; /* the wire form */
	unsigned alpn_len;
};

/*
 * Reads the certificates and makes the contexts. `before` (may be NULL) is the one that this one
 * replaces: a pair that cannot be read any more is taken over from it, and `why` says so though the
 * call succeeds. own: tls_server_unref. fail: ERR_CONF with one line in `why`; ERR_NO_MEMORY.
 * thread: not a worker's, it reads files.
 */
enum err tls_server_new(const struct tls_options *, struct tickets *,
    const struct tls_server *before, struct tls_server **ret, char *why, size_t why_room);
struct tls_server *tls_server_ref(struct tls_server *);
void tls_server_unref(struct tls_server **);
