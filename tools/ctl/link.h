/* SPDX-License-Identifier: Apache-2.0 */
/*
 * larderctl's connection to the admin listener: a blocking socket, with TLS on it when the address
 * begins with https://. What cannot be reached, or is not who it should be, ends the program.
 */
#pragma once

#include <sys/types.h>

#include "edge/base/slice.h"

/* Files of --cacert, --cert and --key; NULL = not given: then the system's CAs, no certificate. */
struct link_options {
	const char *cacert, *cert, *key;
	int patience_s;        /* with an answer that does not go on; 0 = 60 */
	void (*waiting)(void); /* called each LINK_TICK_S that nothing comes; NULL = nobody */
};
extern struct link_options link_options;
enum { LINK_TICK_S = 2 };

struct link;

/* Connects to admin_address. own: link_close. */
struct link *link_open(void);
/* As read(2). A connection that was cut over TLS is an error. */
ssize_t link_read(struct link *, void *to, size_t room);
/* Writes all of it, or gives up. */
void link_write(struct link *, struct slice);
void link_close(struct link **);
/* What a request names as its host. Borrowed from admin_address. */
const char *link_host(void);

_Noreturn void link_failed(const char *why);
