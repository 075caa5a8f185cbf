/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket's opening handshake over HTTP/1.1 (RFC 6455 4), as one sees it who passes it on: does a
 * request ask for the switch, does an answer make it. What goes over the connection after that is
 * nobody's business here.
 *
 * A request that is not quite a handshake asks for no switch: the fields that would ask for it end
 * at this hop, so whoever answers sees an ordinary request, and nothing that follows it can be
 * taken for something else. So it is with a request that has a body: where that would end is one
 * question, where the switch begins another, and not everybody would answer them alike.
 */
#pragma once

#include "edge/http/msg.h"

/*
 * Whether an HTTP/1 request, with all its fields, is a handshake: a GET of HTTP/1.1 without a body,
 * whose Connection and Upgrade say so, with one well-formed key. rfc: 6455 4.2.1, 9110 7.8.
 */
bool websocket_is_asked(const struct request *);
/*
 * Completes the fields of a request to an origin, whose hop-by-hop fields are gone: the switch, and
 * for a client of HTTP/2, which sends none (RFC 8441 5), a key. fail: false when the arena is full.
 */
bool websocket_ask(struct fields *, struct arena *, uint8_t client_version);
/* Whether a 101 makes the switch that websocket_ask asked for: that protocol, and proof that the
 * origin read our key. rfc: 6455 4.1, 4.2.2. */
bool websocket_is_agreed(const struct fields *asked, const struct response *);
