/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's HTTP/1 connection: keep-alive, pipelining, request bodies, answers, and every limit
 * on a client that is slow, large or silent. An idle session is a few hundred bytes: the read
 * buffer and the stream are borrowed from the front while a request is under way.
 *
 *	IDLE       waits for a request's first byte          idle_ms, then closed
 *	HEAD       waits for the rest of its head            head_ms, then 408
 *	BUSY       the journey has it; body may flow in      body_ms between bytes, then 408
 *	ANSWERING  the answer flows out                      send_ms without a byte taken, then closed
 *	LINGER     all sent, closing: waits for the client   2 s, so that the answer is not lost
 *	           to finish                                 to a reset (RFC 9112 9.6)
 */
#pragma once

#include "edge/wire/h1_read.h"
#include "edge/wire/wire.h"

/* clang-format off */
#define WIRE_METERS(X) \
	X(accepted, COUNTER, "http_connections_total", "", "Client connections accepted.") \
	X(open, GAUGE, "http_connections", "state=\"open\"", "Client connections open.") \
	X(refused, COUNTER, "http_connections_refused_total", "", "Connections over the limit.") \
	X(bad_request, COUNTER, "http_refused_total", "why=\"bad-request\"", "Requests refused.") \
	X(head_timeout, COUNTER, "http_refused_total", "why=\"head-timeout\"", "Requests refused.") \
	X(body_timeout, COUNTER, "http_refused_total", "why=\"body-timeout\"", "Requests refused.") \
	X(body_too_large, COUNTER, "http_refused_total", "why=\"body-too-large\"", "Requests refused.") \
	X(line_too_long, COUNTER, "http_refused_total", "why=\"line-too-long\"", "Requests refused.") \
	X(head_too_large, COUNTER, "http_refused_total", "why=\"head-too-large\"", "Requests refused.") \
	X(expect_unknown, COUNTER, "http_refused_total", "why=\"expect-unknown\"", "Requests refused.") \
	X(other, COUNTER, "http_refused_total", "why=\"other\"", "Requests refused.") \
	X(idle_closed, COUNTER, "http_closed_total", "why=\"idle\"", "Connections closed by us.") \
	X(send_stalled, COUNTER, "http_closed_total", "why=\"send-stalled\"", "Connections closed by us.") \
	X(bytes_in, COUNTER, "http_received_bytes_total", "", "Bytes read from clients.") \
	X(bytes_out, COUNTER, "http_sent_bytes_total", "", "Bytes written to clients.")
/* clang-format on */
struct wire_meters {
	METER_FIELDS(WIRE_METERS)
};
extern const struct meter_table wire_meter_table;

/* What all sessions of one loop share. */
struct front {
	/* fixed after init */
	struct loop *home;
	const struct stream_events *events;
	void *owner;
	_Atomic uint64_t *connections; /* open in all workers */
	/* home loop */
	const struct limits *limits; /* of the current settings */
	struct h1_limits h1_limits;
	struct list sessions;
	struct list spare_streams; /* kept for the next request */
	unsigned spare_count;
	struct wire_meters meters;
	bool is_draining; /* answers close their connections; idle ones are closed */
	/* Called when the last session has closed while draining. May be NULL. */
	void (*on_drained)(struct front *);
	char *scratch; /* SCRATCH_BYTES: what a read brought, until it was parsed or kept */
};

enum err front_init(struct front *, struct loop *, const struct stream_events *, void *owner,
    _Atomic uint64_t *connections);
void front_fini(struct front *) ON_LOOP;
void front_set_limits(struct front *, const struct limits *) ON_LOOP;
/* Closes idle sessions, and the others after their current answer. */
void front_drain(struct front *) ON_LOOP;

/* Takes a connected client socket. Over the limit of connections it is told 503 and closed. */
void session_accept(struct front *, int fd, const struct address *peer) ON_LOOP;
