/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all client sessions of one loop share: whom they hand their requests to, the limits of the
 * current settings, what is lent to a session only while it is busy (a read's scratch, a turn), the
 * count of connections, and the end of them all.
 *
 *	front_init, front_set_limits   before the first connection
 *	front_admit                    for each: then front_host ... front_leave when there is a
 *	                               session for it, else front_send_away
 *	front_hand_over                from one guest to the next: what arrives over TLS, or turns
 *	                               out to speak another protocol, changes hands
 *	front_drain                    no more will come: on_drained tells when the last has left
 *	front_fini                     ends those that are left
 *
 * The front looks into no session: each is its guest, and through that it asks for the session's
 * end.
 */
#pragma once

#include "edge/wire/h1_read.h"
#include "edge/wire/h2_kit.h"
#include "edge/wire/turn.h"
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
	X(proxy_bad, COUNTER, "http_closed_total", "why=\"proxy-header\"", "Connections closed by us.") \
	X(tunnel_idle, COUNTER, "http_closed_total", "why=\"tunnel-idle\"", "Connections closed by us.") \
	X(tunnels_open, GAUGE, "http_tunnels", "state=\"open\"", "Tunnels (WebSocket) open.") \
	X(tunnels, COUNTER, "http_tunnels_total", "", "Tunnels opened.") \
	X(tunnel_in, COUNTER, "http_tunnel_bytes_total", "direction=\"in\"", "Bytes through tunnels.") \
	X(tunnel_out, COUNTER, "http_tunnel_bytes_total", "direction=\"out\"", "Bytes through tunnels.") \
	X(bytes_in, COUNTER, "http_received_bytes_total", "", "Bytes read from clients.") \
	X(bytes_out, COUNTER, "http_sent_bytes_total", "", "Bytes written to clients.")
/* clang-format on */
struct wire_meters {
	METER_FIELDS(WIRE_METERS)
};
extern const struct meter_table wire_meter_table;

enum { FRONT_SCRATCH_BYTES = 64 * 1024 };

/* How a session is to end. */
enum ending {
	ENDING_IDLE, /* now if it is idle; else after its current answer, as is_draining says */
	ENDING_NOW,  /* whatever it is about */
};

struct guest;
/* Runs ON_LOOP. The session, and the guest in it, may be gone when it returns. */
typedef void guest_end_f(struct guest *, enum ending);

/* What the front sees of a session: embedded in it. */
struct guest {
	struct list link;
	guest_end_f *end; /* fixed */
};

/* An admitted connection that changes hands. The taker moves `conn` and copies the rest. */
struct visit {
	struct conn *conn;
	struct guest *guest; /* that has it now; NULL = none yet */
	const struct address *peer;
	const struct secure *secure; /* NULL = plain; lives as long as the connection */
	struct slice bytes;          /* read already */
};

struct front {
	/* fixed after init */
	struct loop *home;
	const struct stream_events *events;
	void *owner;
	_Atomic uint64_t *connections; /* open in all workers */
	/* home loop */
	const struct limits *limits; /* of the current settings */
	struct h1_limits h1_limits;
	struct list guests;     /* the open sessions */
	struct turn_pool turns; /* kept for the next requests */
	struct h2_kit h2;
	struct wire_meters meters;
	bool is_draining; /* answers close their connections; idle ones are closed */
	/* Called when the last session has closed while draining. May be NULL. */
	void (*on_drained)(struct front *);
	char *scratch; /* FRONT_SCRATCH_BYTES: what a read brought, until it was parsed or kept */
};

enum err front_init(struct front *, struct loop *, const struct stream_events *, void *owner,
    _Atomic uint64_t *connections);
/* Ends all sessions. own: the spare turns and the scratch go with it. */
void front_fini(struct front *) ON_LOOP;
/* From now on these limits hold, for open sessions too. own: must stay until the next call. */
void front_set_limits(struct front *, const struct limits *) ON_LOOP;
/* Closes idle sessions, and the others after their current answer. */
void front_drain(struct front *) ON_LOOP;

/* Counts a new connection in. False: it is one too many. Either way it is counted out again, by
 * front_send_away when it gets no session, else by front_leave. */
bool front_admit(struct front *);
/* Tells a connection that is not served 503 and closes it, in one write that may be lost. */
void front_send_away(struct front *, struct conn *) ON_LOOP;
/* As front_send_away, without a word: what the client would hear is not plain yet. */
void front_turn_away(struct front *, struct conn *) ON_LOOP;
/* Takes an admitted connection's session in. */
void front_host(struct front *, struct guest *, guest_end_f *end);
/* Takes in the session that a connection goes to, and lets go of the guest that had it. */
void front_hand_over(struct front *, const struct visit *, struct guest *to, guest_end_f *end);
/* A session has closed. on_drained may be called from here. */
void front_leave(struct front *, struct guest *);
void front_count_refusal(struct front *, enum err why);
