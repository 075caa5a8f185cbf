/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internet addresses as 16 bytes: an IPv4 address is its IPv4-mapped IPv6 form (RFC 4291 2.5.5.2),
 * so that one comparison serves both families and a dual-stack socket's peers match IPv4 blocks.
 */
#pragma once

#include "edge/base/slice.h"

struct sockaddr;

struct ip {
	unsigned char bytes[16];
};

/* All addresses that share the first `bits` bits. */
struct ip_block {
	struct ip base;
	unsigned bits; /* 0..128; an IPv4 prefix counts from 96 */
};

enum { IP_TEXT_MAX = 46 }; /* with the NUL */

/* Reads "192.0.2.1" or "2001:db8::1": no brackets, port or zone. */
bool ip_parse(struct slice text, struct ip *ret);
/* Reads "192.0.2.0/24", "2001:db8::/32" or a single address. */
bool ip_block_parse(struct slice text, struct ip_block *ret);
/* False when it is of no Internet family. */
bool ip_of_sockaddr(const struct sockaddr *, struct ip *ret);

bool ip_is_v4(struct ip);
bool ip_is_in(struct ip, struct ip_block);
/* Writes the address as text, NUL-terminated; returns its length. */
size_t ip_print(struct ip, char to[IP_TEXT_MAX]);
