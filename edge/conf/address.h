/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as operators write them: "http://host:port" or "https://host:port" for listeners and
 * origins, "host:port" or "unix:/path" for the admin listener (or https://), "10.0.0.0/8" for
 * blocks. A host is a name, an IPv4 address or an IPv6 address in brackets. Syntax only: names are
 * resolved by who connects.
 */
#pragma once

#include "edge/base/slice.h"

struct host_port {
	struct slice host; /* without brackets */
	uint16_t port;
	bool is_ipv6;  /* written in brackets */
	bool is_https; /* of a URL: "https://" */
};

/* Reads "http://host:port" or "https://host:port"; without a port it is 80 or 443. Slices point
 * into the text. */
MUST_USE bool address_of_url(struct slice url, struct host_port *ret);
/* Reads "host:port". */
MUST_USE bool address_of_pair(struct slice pair, struct host_port *ret);

/* Checks for option tables: NULL, or why the text is refused. */
const char *address_check_url(struct slice);
const char *address_check_admin(struct slice);
const char *address_check_block(struct slice);
