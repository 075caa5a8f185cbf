/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may send, how large and how slowly. Each has a status (INSTALL and README). */
#pragma once

#include "edge/conf/field.h"

struct limits {
	uint64_t line_bytes;  /* request line: 414 */
	uint64_t head_bytes;  /* request line and fields: 431 */
	uint64_t head_fields; /* number of field lines: 431 */
	uint64_t body_bytes;  /* request body: 413; 0 = no limit */
	int64_t head_ms;      /* from a request's first byte to the end of its head: 408 */
	int64_t body_ms;      /* between two bytes of a request's body: 408 */
	int64_t idle_ms;      /* a kept connection without a request: closed */
	int64_t send_ms;      /* a client that takes no byte of its answer: closed */
	int64_t tunnel_ms;    /* a tunnel in which neither side sends a byte: closed */
	uint64_t connections; /* open client connections of all workers: 503 and closed */
	uint64_t requests;    /* requests on one connection, then it is closed; 0 = no limit */
	bool h2;              /* HTTP/2 is spoken */
	uint64_t h2_streams;  /* requests under way on one HTTP/2 connection */
	uint64_t h2_resets;   /* of them that a client may cancel in a minute, then it is closed */
};

extern const struct conf_table limits_table;
