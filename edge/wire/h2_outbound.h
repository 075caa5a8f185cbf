/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What leaves an HTTP/2 connection: frames are gathered until there are no more or a write's worth
 * is there, and go out in one write. What the socket does not take is copied, so that every stream
 * is done with its bytes when a write returns; while any of that is left nothing more is gathered.
 */
#pragma once

#include "edge/wire/h2_conn.h"

/* Adds what nghttp2 calls for frames that go out. */
void h2_outbound_set(nghttp2_session_callbacks *);
/* Sends what there is, until the socket has enough. fail: ERR_CLIENT_GONE, ERR_NO_MEMORY. */
enum err h2_outbound_pump(struct h2 *) ON_LOOP;
/* Whether there is anything to send, now or when the socket takes bytes again. */
bool h2_outbound_is_due(const struct h2 *);
/* Begins an answer: its body's bytes, if any, come from the stream's source. */
enum err h2_outbound_answer(struct h2 *, struct h2_stream *, const struct answer *) ON_LOOP;
/* Sends an interim answer; without memory the client goes without. */
void h2_outbound_interim(struct h2 *, struct h2_stream *, const struct answer *) ON_LOOP;
