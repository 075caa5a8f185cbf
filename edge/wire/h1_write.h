/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to HTTP/1 bytes. What is written was checked when it was read: nothing here can fail but
 * the buf's own limit. */
#pragma once

#include "edge/base/buf.h"
#include "edge/http/msg.h"

/*
 * Writes a request head for an origin: request line in origin-form, Host first, then the fields in
 * order, then the framing. Fields must hold no Host, Content-Length or Transfer-Encoding.
 */
void h1_write_request(
    struct buf *, const struct request *, const struct fields *, struct slice host);
/* Writes "HTTP/1.1 200 OK\r\n". rfc: 9112 4. */
void h1_write_status_line(struct buf *, uint16_t status);
void h1_write_field(struct buf *, struct slice name, struct slice value);
/* Writes the size line of a chunk. rfc: 9112 7.1. */
void h1_write_chunk_size(struct buf *, uint64_t bytes);
/* Writes the last chunk and the trailer section. */
void h1_write_last_chunk(struct buf *, struct slice trailers);
