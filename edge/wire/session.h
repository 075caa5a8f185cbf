/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's HTTP/1 connection: keep-alive, pipelining, request bodies, answers, and every limit
 * on a client that is slow, large or silent. An idle session is a few hundred bytes: the read
 * buffer and the turn are borrowed from the front while a request is under way.
 *
 *	IDLE       waits for a request's first byte          idle_ms, then closed
 *	HEAD       waits for the rest of its head            head_ms, then 408
 *	BUSY       the journey has it; body may flow in      body_ms between bytes, then 408
 *	ANSWERING  the answer flows out                      send_ms without a byte taken, then closed
 *	LINGER     all sent, closing: waits for the client   2 s, so that the answer is not lost
 *	           to finish                                 to a reset (RFC 9112 9.6)
 *
 * It coordinates and parses nothing: what it reads goes through its turn's reader, what it writes
 * through its turn's sending. It frees itself; until then it is its front's to end.
 */
#pragma once

#include "edge/wire/front.h"

/*
 * Takes an admitted connection over. When its first bytes are HTTP/2's preface, it becomes an h2
 * session by itself (RFC 9113 3.3). False without memory: the connection is still the giver's.
 */
MUST_USE bool session_take(struct front *, const struct visit *) ON_LOOP;
