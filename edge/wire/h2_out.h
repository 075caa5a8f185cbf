/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of one HTTP/2 connection on their way into one write: short ones are copied side by
 * side, long bodies are lent by their sources and stay where they are. One per loop: a connection
 * has it only while it writes.
 */
#pragma once

#include <sys/uio.h>

#include "edge/base/buf.h"
#include "edge/base/err.h"

enum {
	H2_FRAME_BYTES = 9 + 16384 + 1, /* the longest that we send */
	H2_COPY_BYTES = 4096, /* a body's piece that is cheaper to copy than to send on its own */
	H2_OUT_BYTES = 68 * 1024, /* copied */
	H2_OUT_MAX = 128 * 1024,  /* copied and lent: what one write may take */
	H2_OUT_IOVECS = 64,
	H2_OUT_FRAME_IOVECS = 8, /* of one frame's body at most */
};

struct h2_out {
	/* fixed after init */
	char *bytes; /* H2_OUT_BYTES */
	/* of the write under way */
	size_t used;
	uint64_t total; /* copied and lent */
	int count;
	struct iovec iov[H2_OUT_IOVECS];
};

/* fail: ERR_NO_MEMORY. */
enum err h2_out_init(struct h2_out *);
void h2_out_fini(struct h2_out *);
void h2_out_clear(struct h2_out *);

/* Whether a frame of any kind still fits: also behind DATA, since nghttp2 goes on to the next frame
 * (an answer's trailers, say) before we are asked again. */
bool h2_out_has_room(const struct h2_out *);
/* Adds a copy. There must be room. */
void h2_out_add(struct h2_out *, struct slice);
/* Adds bytes that stay where they are until the write. There must be room. */
void h2_out_lend(struct h2_out *, const struct iovec *, int count);
/* Copies what follows the first `sent` bytes to the end of a buf. */
void h2_out_keep(const struct h2_out *, uint64_t sent, struct buf *);
