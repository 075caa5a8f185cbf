/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer on its way from an origin: heads (interim ones too), then a body into a flow.
 *
 * Bytes are read into a scratch buffer that all downloads of an origin share, since only what is
 * left of an unfinished head must outlive one call; a small answer is one read. What came behind a
 * head waits there for download_body, in the same event: nobody else may read in between, so no
 * exchange reads before the loop says that it can. When much of a body with a length is still due,
 * it is read straight into the flow.
 */
#pragma once

#include "edge/base/buf.h"
#include "edge/base/meter.h"
#include "edge/loop/conn.h"
#include "edge/wire/h1_read.h"

enum {
	DOWNLOAD_SCRATCH_BYTES = 64 * 1024,
	DOWNLOAD_PAST_BYTES = 64 * 1024, /* of a body that nobody wants: more is not read past */
};

enum pull {
	PULL_AGAIN, /* the socket has no more now */
	PULL_FULL,  /* the flow's window is full; the letter comes when it is not */
	PULL_HEAD,  /* `response` is a head */
	PULL_END,   /* the answer is complete, or not wanted any further */
	PULL_BAD,   /* `failure` */
};

struct download {
	/* fixed after download_init */
	struct loop *home;
	struct mail *wake; /* for PULL_FULL */
	char *scratch;     /* DOWNLOAD_SCRATCH_BYTES, borrowed */
	const struct h1_limits *limits;
	meter *count; /* of bytes read */
	/* home loop */
	struct arena arena; /* of the current head and of the trailers */
	struct h1_reader reader;
	struct response response;
	struct flow *into;  /* counted; NULL = the body is read past */
	struct slice shown; /* read, not parsed: in scratch, or in `held` from call to call */
	struct buf held;
	uint64_t bytes; /* read since download_begin */
	bool answers_head;
	bool is_raw;   /* after download_switch */
	bool is_ready; /* the socket may have more */
	enum err failure;
};

/* Makes a download; the fixed fields are given in the struct. */
void download_init(struct download *);
void download_fini(struct download *);
/* Expects an answer. answers_head: to a HEAD request, so that no body follows. */
void download_begin(struct download *, bool answers_head);
/* Goes on to the next head, after an interim one. */
void download_next(struct download *);
/*
 * Reads until a head is complete. Its slices stay until download_next or download_begin.
 * fail (PULL_BAD): ERR_ORIGIN_CLOSED (before any byte), ERR_ORIGIN_TRUNCATED, ERR_ORIGIN_MALFORMED,
 * ERR_ORIGIN_HEAD_LARGE, ERR_NO_MEMORY.
 */
enum pull download_head(struct download *, struct conn *) ON_LOOP;
/* The origin has switched, as the head says that was read: the body is all that comes, until the
 * connection ends. */
void download_switch(struct download *);
/* Reads the body into the flow, which is not ended by it. fail: as download_head. */
enum pull download_body(struct download *, struct conn *) ON_LOOP;
/* Whether the connection may be used again: the answer ended, and nothing came behind it. */
bool download_is_clean(const struct download *);
/* Lets go of the flow, which ends as the failure says. Safe to repeat. */
void download_end(struct download *, enum err failure);
