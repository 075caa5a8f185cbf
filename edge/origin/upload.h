/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request on its way to an origin: its head, then its body as the flow brings it, framed as the
 * request says. What is there goes out in one write; so a request with a small body costs one.
 * Body bytes are written from where they lie.
 */
#pragma once

#include "edge/base/buf.h"
#include "edge/base/meter.h"
#include "edge/loop/conn.h"
#include "edge/loop/flow.h"

struct exchange_spec;

enum push {
	PUSH_MORE,    /* has not ended: only within upload.c */
	PUSH_DONE,    /* all was written */
	PUSH_BLOCKED, /* the socket takes no more now */
	PUSH_STARVED, /* the body has no more now; the letter comes when it has */
	PUSH_BROKEN,  /* the connection takes nothing any more; an answer may still be in it */
	PUSH_FAILED,  /* the body ended early: `failure` */
};

struct upload {
	meter *count;            /* of bytes written; fixed after upload_init */
	struct flow_reader body; /* flow NULL = no body */
	struct mail *wake;       /* for PUSH_STARVED */
	struct buf framing;      /* head, chunk sizes, last chunk: goes before the body's bytes */
	size_t framing_sent;
	uint64_t due; /* bytes of the body that follow: all of it, of this chunk, or any number */
	bool is_chunked;
	bool is_raw;     /* after upload_switch */
	bool is_last;    /* the last chunk is in `framing` */
	enum push state; /* of the last push */
	enum err failure;
	uint64_t bytes; /* written, head included */
};

/* Makes an upload that has no request yet. */
void upload_init(struct upload *, meter *count);
void upload_fini(struct upload *);
/*
 * Takes a request; upload_end lets go of it. wake: posted to home when a starved body has more.
 * fail: ERR_BAD_FRAMING (the body was partly read by another), ERR_NO_MEMORY.
 */
enum err upload_begin(
    struct upload *, const struct exchange_spec *, struct loop *home, struct mail *wake);
/* Writes what there is. */
enum push upload_push(struct upload *, struct conn *) ON_LOOP;
/* The origin has switched: the body follows as it is, and its end ends our side. */
void upload_switch(struct upload *);
/* Whether it can begin anew on another connection: no byte of the body was taken. */
bool upload_can_restart(const struct upload *);
void upload_restart(struct upload *);
/* Detaches from the body. Safe to repeat. */
void upload_end(struct upload *);
