/* SPDX-License-Identifier: Apache-2.0 */
/* What an HTTP/2 client says: nghttp2 unpacks and checks it, and what it means for streams, bodies
 * and the guard is done here. */
#pragma once

#include "edge/wire/h2_conn.h"

/* Adds what nghttp2 calls for frames that come in. */
void h2_inbound_set(nghttp2_session_callbacks *);
/* Takes bytes off the connection. After it h->failure may say that the connection is to end. */
void h2_inbound_take(struct h2 *, struct slice) ON_LOOP;
/* Gives back what the flow of a stream's body has room for. */
void h2_inbound_release(struct h2 *, struct h2_stream *) ON_LOOP;
/* Lets a stream's body flow. */
void h2_inbound_open_body(struct h2 *, struct h2_stream *) ON_LOOP;
/* The body of a stream cannot be had. */
void h2_inbound_fail_body(struct h2 *, struct h2_stream *, enum err) ON_LOOP;

/* The journey's side of a stream: h2's. */
extern const struct stream_ops h2_ops;
void h2_on_room(struct h2_stream *);
void h2_on_stream_deadline(struct deadline *);
