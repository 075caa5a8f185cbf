/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol's header, versions 1 and 2 (HAProxy's proxy-protocol.txt): who the client is,
 * told by a proxy before it at the very beginning of a connection. A pure function of bytes; who
 * may say such things is for the caller to know.
 */
#pragma once

#include "edge/loop/conn.h"

enum { PROXY_HEAD_BYTES = 16 + 4096 }; /* longer ones are refused */

enum proxy_verdict {
	PROXY_MORE, /* the header goes on */
	PROXY_TOLD, /* ret_client is the client */
	PROXY_SELF, /* the proxy speaks for itself (LOCAL, UNKNOWN): the peer is the client */
	PROXY_BAD,  /* no such header */
};

/* Reads a header off the front. ret_used: its bytes, set with TOLD and SELF. */
enum proxy_verdict proxy_read(struct slice, size_t *ret_used, struct address *ret_client);
