/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's HTTP/2 connection (RFC 9113), over TLS or by prior knowledge: nghttp2 frames and
 * unframes, this makes streams of it that a journey cannot tell from HTTP/1's. Answers of one round
 * leave together, in as few records and writes as they fit.
 */
#pragma once

#include "edge/wire/front.h"

/* Takes an admitted connection over. visit->bytes: what was read, from the preface on. False
 * without memory: the connection is still the giver's. */
MUST_USE bool h2_take(struct front *, const struct visit *) ON_LOOP;
