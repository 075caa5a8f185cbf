/* SPDX-License-Identifier: Apache-2.0 */
/* What an SSL_CTX of ours has in common, to clients and to origins. */
#pragma once

#include "edge/tls/cert.h"
#include "edge/tls/pem.h"
#include "edge/tls/trust.h"

/*
 * Makes a context with our modes: no compression, no renegotiation, buffers only while there is
 * something in them, no chain made up from what we trust. own: SSL_CTX_free.
 * min_version: enum tls_version. fail: ERR_NO_MEMORY.
 */
enum err context_new(const SSL_METHOD *, int min_version, SSL_CTX **ret);
/* Shows a certificate, in the place of one of the same kind. fail: ERR_CONF when OpenSSL finds it
 * too weak (or whatever else), told in `why`; ERR_NO_MEMORY. */
enum err context_show(SSL_CTX *, const struct cert *, struct why);
/* Has it verify with this trust. own: the trust stays the caller's. */
void context_trust(SSL_CTX *, const struct trust *);
