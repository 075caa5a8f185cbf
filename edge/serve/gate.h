/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: who comes in, and what the house, and then the request's route, ask of the connection
 * that he came by. It judges a stream, and the journey acts on that.
 *
 *	gate_receive   before the route is known: who asks, as far as that is believed; the request
 *	               does not go in circles; the host is one that this connection is for; and
 *	               nobody but us tells of a client's certificate
 *	gate_judge     what the route asks: https, a client's certificate
 *	gate_replays   what came as early data may come again: only what is stored may answer it
 *
 * Early-Data (RFC 8470 5.1) from a client is forwarded as it came and decides nothing here: it can
 * only ask for more care than the connection calls for, and that is the origin's to take. We never
 * write it, since what came early over our own connection never goes to an origin.
 */
#pragma once

#include "edge/serve/plan.h"
#include "edge/wire/wire.h"

enum gate {
	GATE_OPEN,
	GATE_REDIRECT, /* to the same over https: gate_location */
	GATE_SHUT,     /* ret_why says what the client gets */
};

/*
 * Readies a request for the house: what ends at this hop is gone, its scheme is the one that the
 * client spoke. ret_circles: it was here before. fail: ERR_LOOP, ERR_MISDIRECTED; then ret_who and
 * ret_circles are set, too. rfc: 9110 7.4, 7.6.1, 7.6.3, 15.5.20; 9440 2.4.
 */
enum err gate_receive(
    struct stream *, const struct site *, struct forwarded *ret_who, bool *ret_circles);

/* Judges a request by its route, and tells the origin of the client's certificate where the route
 * says so. fail: GATE_SHUT with ERR_HTTPS_REQUIRED, ERR_CERT_REQUIRED, ERR_HEAD_TOO_LARGE. */
enum gate gate_judge(struct stream *, const struct security *, enum err *ret_why);
/* Where a request to http is sent: target is path and query as the client wrote them. SLICE_NONE
 * when the arena is full, or the client did not say its host. */
struct slice gate_location(struct stream *, const struct security *, struct slice target);

/* Whether the request may be a replay, as things stand now. rfc: 8470 4, 8446 8. */
bool gate_replays(const struct stream *);
