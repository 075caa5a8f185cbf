/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks the admin listener, and what he may do. Over TCP his address must be allowed; then it is
 * the token that he shows, else his certificate, that says who he is; where neither is asked for,
 * whoever connects may do everything. Over a unix socket its file's mode has decided already.
 *
 *	name             who
 *	ci               whoever shows the token of that name
 *	cert:deploy      whose certificate has that common name
 *	unix:uid=1000    who has connected to the socket, by the kernel
 *	tcp:192.0.2.1    anybody at that address, where no token is asked for; who sends a PURGE
 *	                 with the traffic (edge/serve/purging.h)
 *
 * A token's name has no colon, so nobody is taken for somebody else.
 */
#pragma once

#include "edge/admin/token.h"
#include "edge/serve/plan.h"

struct admin;
struct reply;

/* Who may do what, of the settings in force. All is borrowed. */
struct admin_access {
	const struct entrance *entrance; /* TLS, or plain */
	const struct proxies *allow;     /* who may connect over TCP; none = anybody */
	struct tokens *tokens;           /* NULL = none is asked for */
	unsigned client_scopes;          /* of who shows a certificate and no token */
};

struct actor {
	struct slice name;   /* lives as long as the request */
	unsigned scopes;     /* enum grant, OR-ed */
	struct token *token; /* that he showed; NULL = none. Borrowed for the call */
};

/*
 * Learns who asks, into reply->actor, and whether he may do what needs that scope. False: he was
 * told why not, with 401, 403 or 429 (of what is no safe method, by his token's rate).
 * rfc: 6750 2.1, 6750 3, 9110 11.6.1, 6585 4.
 */
bool actor_admit(struct admin *, struct reply *, enum grant needed) ON_LOOP;
/* For a handler whose request turns out to need more than its endpoint does. False: he was told. */
bool actor_may(struct admin *, struct reply *, enum grant needed) ON_LOOP;
