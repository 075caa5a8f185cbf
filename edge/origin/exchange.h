/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to an origin and its answer: takes a kept connection or makes one, sends the head and
 * the body as it comes, reads the answer's head, and fills a flow with its body. Tries the next
 * address when one takes no connection or no TLS can be agreed on it, whatever the reason, since
 * nothing was asked yet and another address may be in better order; and once more when a kept
 * connection dies before a byte of the answer (safe methods whose body, if any, was not begun:
 * RFC 9110 9.2.2, RFC 9112 9.3.1).
 *
 *	ADMIT    waits for an address of the origin's name,    connect_ms
 *	         or for its turn to use a connection           connect_ms
 *	TAKE     picks an address, and a connection to it
 *	CONNECT  waits for the socket                          connect_ms, each address
 *	SHAKE    waits for the handshake, where TLS is spoken  tls.handshake_ms, each address
 *	SEND     waits for the socket to take our request,     send_ms without progress
 *	         or for more of the request's body             the client's limits
 *	HEAD     waits for the end of the answer's head        first_byte_ms
 *	BODY     waits for the answer's bytes,                 between_bytes_ms
 *	         or for the flow's window                      the readers' limits
 *	END      gives everything back and tells the owner     total_ms runs over all of it
 *
 * An answer that comes before the request was sent whole is read at once; the rest of the request
 * goes out in HEAD and BODY, and the connection is not used again if there is still more of it when
 * the answer is complete.
 *
 * A request to switch protocols (request.upgrade, asked for in its fields) goes out on a connection
 * of its own, without a body. Once the origin has agreed, its answer's flow takes all that it
 * sends until it ends the connection, and the request's body goes to it as it comes, in BODY and
 * without a deadline; the body's end is told by shutting our side. Before that no byte of the
 * body is looked at, and when the origin answers something else, none ever is.
 */
#pragma once

#include "edge/http/msg.h"
#include "edge/loop/flow.h"
#include "edge/origin/origin.h"

struct exchange;

struct exchange_events {
	/* 1xx other than 100 and 101. Slices are borrowed for the call. */
	void (*on_interim)(void *owner, const struct response *);
	/*
	 * The final head; of FRAMING_TUNNEL (101) when the switch that the request asked for is
	 * made. Slices live until on_end. Returns the flow to fill, a ref for the
	 * exchange; NULL when the owner wants no body (it is then read past if short, else the
	 * connection is closed).
	 */
	struct flow *(*on_head)(void *owner, const struct response *);
	/*
	 * Over: exactly once, last call. ERR_NONE: the answer is complete and its flow finished.
	 * Else the flow, if there is one, has failed with this. Never called from within
	 * exchange_start.
	 */
	void (*on_end)(void *owner, enum err);
};

struct exchange_spec {
	const struct request *request; /* method, path, query, framing of its body */
	const struct fields *fields; /* as they go out: stripped, rewritten; no Host, no framing */
	struct slice host;
	struct flow *
	    body; /* the request's body or NULL; with request->upgrade, the tunnel's. The exchange attaches as its reader */
	/* Ask this address and no other, on a connection of its own that serves nobody else: what a
	 * new request would meet there now. A pool of the same origin; NULL = whose turn it is. */
	struct pool *only;
	const struct exchange_events *events;
	void *owner;
};

/*
 * Starts an exchange. Everything in the spec must stay until on_end or exchange_cancel. A windowed
 * flow must have a reader, or be cancelled: without one, nothing holds its filler back.
 * own: nothing; on_end or exchange_cancel is its end.
 * fail: ERR_NO_ORIGIN (no address at all), ERR_NO_MEMORY, ERR_BAD_FRAMING (the body was partly read
 * by another). Every other failure comes by on_end, ERR_BUSY (the queue is full) too.
 */
enum err exchange_start(
    struct origin *, const struct exchange_spec *, struct exchange **ret_exchange) ON_LOOP;
/* Gives an exchange up, also from within its events: no event comes any more; its flow fails with
 * ERR_CANCELLED. Accepts NULL; nulls it. */
void exchange_cancel(struct exchange **) ON_LOOP;
/* Which address serves it, or was tried last: "127.0.0.1:8000"; empty before there is one. Borrowed
 * until on_end has returned. */
struct slice exchange_address(const struct exchange *);
/* More about the failure that on_end tells, for people: "certificate has expired"; empty when there
 * is no more. Borrowed until on_end has returned. */
struct slice exchange_detail(const struct exchange *);

/* Frees an exchange that its origin kept for the next request, by its link. For origin.c. */
void exchange_free_spare(struct list *);
