/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the HTTP/2 connections of one loop share: spare streams, the buffer that a connection
 * gathers its frames in while it writes, what nghttp2 wants to be told once, and the meters.
 */
#pragma once

#include "edge/wire/h2_guard.h"
#include "edge/wire/h2_stream.h"

struct h2_kit {
	/* fixed after init */
	nghttp2_session_callbacks *callbacks; /* filled in by h2 at its first connection */
	nghttp2_option *option;
	/* home loop */
	bool is_set; /* the callbacks are */
	struct h2_pool pool;
	struct h2_out out;
	struct h2_shown shown; /* between the two calls for one DATA frame */
	struct h2_meters meters;
};

/* fail: ERR_NO_MEMORY; h2_kit_fini is due then, too. */
enum err h2_kit_init(struct h2_kit *);
void h2_kit_fini(struct h2_kit *);
