/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's HTTP/2 connection (RFC 9113), over TLS or by prior knowledge: nghttp2 frames and
 * unframes, this makes streams of it that a journey cannot tell from HTTP/1's. Answers of one round
 * leave together, in as few records and writes as they fit.
 */
#pragma once

#include "edge/wire/front.h"

enum h2_sign {
	H2_NO,
	H2_MAYBE, /* more bytes will tell */
	H2_YES,
};

/* Whether a connection's first bytes are the preface of HTTP/2, with which no HTTP/1 request
 * begins. rfc: 9113 3.4. */
enum h2_sign h2_sign_of(struct slice first_bytes);
/* Takes an admitted connection over. visit->bytes: what was read, from the preface on. False
 * without memory: the connection is still the giver's. */
MUST_USE bool h2_take(struct front *, const struct visit *) ON_LOOP;
