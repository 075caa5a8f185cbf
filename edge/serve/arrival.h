/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's connection between accept and its session: the PROXY header, if its listener expects
 * one from that peer, then the TLS handshake, then the protocol that ALPN chose. It counts as a
 * connection from the first moment on, and has handshake_ms for all of it.
 *
 *	HERALD  waits for the PROXY header
 *	SHAKE   waits for the handshake
 *	        -> a session (h2 or HTTP/1), or closed
 */
#pragma once

#include "edge/serve/plan.h"
#include "edge/tls/local.h"
#include "edge/wire/front.h"

/* Takes a connected client socket. local: the loop's; may be NULL when the entrance is plain. Over
 * the limit of connections a plain one is told 503, and it is closed. */
void arrival_accept(struct front *, struct tls_local *local, const struct entrance *, int fd,
    const struct address *peer) ON_LOOP;
