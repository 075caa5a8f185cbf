/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every request is held to, whatever protocol it came in: a target and a host that agree, a
 * body that is not too large, an expectation that is known. A reader parses, fills in what its
 * syntax tells (method, scheme, version, framing, content_length, fields) and has it checked here.
 */
#pragma once

#include "edge/http/msg.h"

/* What a request is aimed at, as the reader found it. */
struct aim {
	struct slice target; /* :path, or the request line's */
	struct slice host;   /* :authority, or the Host field's value */
	bool has_host;
};

/*
 * Fills in authority, path, query and expects_continue. body_bytes: the largest body, 0 = no limit.
 * fail: ERR_BODY_TOO_LARGE, ERR_BAD_HOST, ERR_BAD_TARGET, ERR_EXPECT_UNKNOWN, ERR_NO_MEMORY.
 * rfc: 9110 7.2, 10.1.1.
 */
enum err request_check(struct request *, const struct aim *, uint64_t body_bytes, struct arena *);
/*
 * Whether a field may stand in a trailer section: those that mean something about framing, routing
 * or access must not come late; they are dropped. rfc: 9110 6.5.1.
 */
bool field_may_trail(enum field_id);
