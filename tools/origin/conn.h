/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client's connection. It walks through the steps in the order of `steps[]` in conn.c: head,
 * body (chunk, trailer), decide, delay, answer, send; hang and drain are the ways aside. A step
 * returns the next one, WAIT for the loop to call again, or CLOSE. It never holds more than one
 * piece of an answer, and reads no further than its input buffer while it answers, so neither a
 * slow reader nor a fast writer costs memory.
 */
#pragma once

#include <ev.h>

#include "tools/origin/answer.h"

enum { INPUT_BYTES = 32 << 10 };

enum step { HEAD, BODY, CHUNK, TRAILER, DECIDE, DELAY, ANSWER, SEND, HANG, DRAIN, WAIT, CLOSE };

struct conn {
	ev_io readable, writable;
	ev_timer timer;
	enum step step;
	int fd, refused; /* refused: the status for a request that cannot be read on, or 0 */
	bool eof, slept;
	struct path *path;
	struct request r;
	struct answer a;
	struct text out, echo;
	size_t sent;          /* of out */
	size_t from, upto;    /* the unread input */
	char in[INPUT_BYTES]; /* last: a new connection clears only what is above */
};

extern struct ev_loop *loop;
extern ev_io door; /* shut for want of descriptors, opened when a connection ends */
extern bool quiet; /* no line for each request */

/* Takes a connected socket. */
void conn_new(int fd);
