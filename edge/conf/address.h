/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as operators write them: "http://host:port" for listeners and origins, "host:port" or
 * "unix:/path" for the admin listener, "10.0.0.0/8" for blocks. A host is a name, an IPv4 address
 * or an IPv6 address in brackets. Syntax only: names are resolved by who connects.
 */
#pragma once

#include "edge/base/slice.h"

struct address {
	struct slice host; /* without brackets */
	uint16_t port;
	bool is_ipv6; /* written in brackets */
};

/* Reads "http://host:port"; without a port it is 80. Slices point into the text. */
MUST_USE bool address_of_url(struct slice url, struct address *ret);
/* Reads "host:port". */
MUST_USE bool address_of_pair(struct slice pair, struct address *ret);

/* A block of addresses; IPv4 is held as IPv6 (::ffff:0:0/96), so one compare serves both. */
struct block {
	uint8_t address[16];
	unsigned bits;
};

/* Reads "10.0.0.0/8", "fd00::/8", or one address. */
MUST_USE bool block_of(struct slice text, struct block *ret);
/* Whether an address of 16 bytes, as in sockaddr_in6, lies in the block. */
bool block_has(const struct block *, const uint8_t address[16]);

/* Checks for option tables: NULL, or why the text is refused. */
const char *address_check_url(struct slice);
const char *address_check_admin(struct slice);
const char *address_check_block(struct slice);
