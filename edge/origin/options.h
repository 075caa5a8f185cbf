/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator says of an origin: a named group of addresses that serve the same content. */
#pragma once

#include "edge/conf/field.h"
#include "edge/tls/options.h"

struct origin_options {
	struct slice name;
	struct conf_strings addresses; /* "http://host:port" or all "https://", at least one */
	struct slice host;             /* Host sent to the origin; empty = the client's */
	int64_t connect_ms;
	int64_t send_ms;           /* the origin takes no byte of our request */
	int64_t first_byte_ms;     /* from the end of our request to the end of the answer's head */
	int64_t between_bytes_ms;  /* between two bytes of the answer */
	int64_t total_ms;          /* the whole exchange; 0 = no limit */
	int64_t idle_ms;           /* how long an unused connection is kept */
	uint64_t idle_connections; /* kept per worker and address */
	uint64_t connections;      /* in use per worker, all addresses; 0 = no limit */
	uint64_t head_bytes;       /* largest answer head */
	struct tls_client_options tls; /* of https:// addresses */
};

extern const struct conf_table origin_options_table;
