/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS towards the clients of one listener: its certificates by name, versions, ciphers, ALPN,
 * tickets, clients' certificates. Immutable and counted: a reload makes another, and connections
 * keep the one that they began with. Lines (line.h) are made of it on any loop.
 *
 * A name is looked for as it is, then under its wildcard; for one name an ECDSA and an RSA
 * certificate stand side by side and the client's offer decides. A name that no certificate speaks
 * for gets the default one or is refused, as the options say.
 *
 * There is one context for all names; a connection that asks for another name than the default
 * one's is given that name's certificates before one is chosen. A context for each name would cost
 * 13 KiB and 0.1 ms, ten thousand of them a second at each reload, and each would have to be told
 * everything that the first one knows.
 *
 * Who resumes is who began: a ticket counts only for the name that it was given for (RFC 6066 3),
 * only where the same clients' certificates are asked for and the same authorities and revocation
 * lists count, and no longer than the client's certificate. One ticket is given for a handshake:
 * browsers use one connection, and each more costs as much as the rest of a resumption.
 *
 * With early data, sessions of TLS 1.3 are kept here, and each can be resumed once: what is sent
 * early cannot be replayed to this process, and no other process takes it.
 */
#pragma once

#include "edge/tls/cert.h"
#include "edge/tls/names.h"
#include "edge/tls/options.h"
#include "edge/tls/ticket.h"

struct tls_server {
	_Atomic uint32_t refs;
	/* fixed after tls_server_new */
	SSL_CTX *context; /* what connections are made of; its callbacks know the rest */
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

/*
 * Of a connection made of a server's context, once its ClientHello has been read. The server must
 * outlive the SSL.
 */

/* The name that the client asked for, in lower case, without a final dot; of a session resumed by
 * TLS 1.2, the name that it began with. Empty = none, or none that a host can have. In `room`. */
struct slice tls_server_asked(const SSL *, char room[NAME_ROOM]);
/* Whether the name was refused, which ended the handshake. */
bool tls_server_has_refused(const SSL *);
/* The certificate that was shown, or, of a resumed session, the first that stands for its name.
 * NULL before the ClientHello and when the name was refused. */
const struct cert *tls_server_shown(const SSL *);
/* Whether the certificate that was shown speaks for a host, too; of a resumed session, whether each
 * does that may have been shown. rfc: 9110 7.4. */
bool tls_server_speaks_for(const SSL *, struct slice host);
