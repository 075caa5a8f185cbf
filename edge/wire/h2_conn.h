/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/2 connection's own state, for the three that work on it: h2 (its life and the journey's
 * wishes), h2_inbound (what the client says) and h2_outbound (what leaves). None but them looks in
 * here.
 *
 * nghttp2 calls back from within: there nothing is written and nobody is freed. What ends there is
 * written down, and done when nghttp2 has returned.
 */
#pragma once

#include "edge/wire/front.h"

/* What a connection waits for, and so how long. */
enum h2_wait {
	H2_WAIT_SETTINGS, /* the client's first frame           head_ms */
	H2_WAIT_HEAD,     /* the rest of a field section        head_ms */
	H2_WAIT_SOCKET,   /* the socket to take what is kept    send_ms without a byte */
	H2_WAIT_REQUEST,  /* a request: none is under way       idle_ms */
	H2_WAIT_PARTING,  /* the client to know that it ends    1 s */
	H2_WAIT_LINGER,   /* all said: the client to close      2 s */
	H2_WAIT_NOTHING,  /* its streams wait, each by itself */
};

struct h2 {
	struct conn conn;
	struct front *front;
	struct guest guest;
	struct address peer;
	const struct secure *secure;
	nghttp2_session *ng; /* NULL once the connection is closed */
	struct list streams; /* under way */
	struct list ended;   /* over, to be told when the write under way is done */
	struct list touched; /* have lent bytes to the write under way */
	struct mail later;   /* there is something to send, at the end of the round */
	struct deadline deadline;
	struct buf kept; /* what the socket did not take; nothing while it takes all */
	size_t kept_sent;
	struct h2_guard guard;
	uint64_t requests;
	uint64_t requests_timed; /* at the time the deadline was set */
	uint32_t unsent;  /* of the blocked socket at the last deadline; UINT32_MAX = not asked */
	enum err failure; /* why the connection is to end; told to its streams */
	int32_t head_of;  /* the stream whose field section has begun and not ended; 0 = none */
	uint8_t timed;    /* enum h2_wait for which the deadline is set */
	uint8_t depth;    /* of calls into this session: it is freed at the outermost */
	bool saw_settings;
	bool prioritises;  /* the client sent PRIORITY_UPDATE: its defaults are meant */
	bool is_gathering; /* nghttp2 is being asked for frames */
	bool is_paused;    /* there is more to gather after the write under way */
	bool is_blocked;   /* the socket takes no more bytes now */
	bool is_parting;   /* the client was told that the end is near */
	bool is_parted;    /* it was told which request is the last */
	bool lingers;      /* all is said */
	bool is_dead;      /* closed: freed at the end of the event */
	bool is_bulk;      /* the socket was readied for large bodies */
};

/* The stream is over: the journey is told, then it is the pool's again. */
void h2_finish(struct h2 *, struct h2_stream *, enum err why) ON_LOOP;
/* Resets a stream, which is over for us at once. */
void h2_cut(struct h2 *, struct h2_stream *, uint32_t code, enum err why) ON_LOOP;
/* Ends all streams. */
void h2_finish_all(struct h2 *, enum err why) ON_LOOP;
/* The answer's time begins anew: how long the client may take none of it, or a tunnel be silent. */
void h2_time_answer(struct h2 *, struct h2_stream *) ON_LOOP;
/* The client abuses us: the connection ends. */
void h2_abused(struct h2 *, enum h2_abuse) ON_LOOP;
/* Takes a token for something the client did, and ends the connection when there is none. */
void h2_charge(struct h2 *, enum h2_abuse) ON_LOOP;
/* Ends the connection: tells the client which request was the last, in two steps so that it need
 * not guess (RFC 9113 6.8); those under way go on. */
void h2_part(struct h2 *) ON_LOOP;
void h2_part_now(struct h2 *) ON_LOOP;
