/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of session tickets (RFC 5077, RFC 8446 4.6.1), shared by all listeners and workers. The
 * newest key seals; it and the two before it open, and a ticket that an older key opened is
 * renewed. Keys are replaced on schedule, so that one that leaks opens little of the past. Between
 * nodes they come from a file that all of them read: three lines at most, newest first, each 80
 * bytes in hex; who writes it rotates it.
 *
 * A key is 16 bytes of name, by which a ticket tells what sealed it, 32 for HMAC-SHA256 and 32 for
 * AES-256-CBC (RFC 5077 4). Handshakes copy the one that they need under a lock, which costs less
 * than any way around it: 80 bytes, a few times a handshake at most.
 */
#pragma once

#include <openssl/ssl.h>

#include "edge/base/clock.h"
#include "edge/base/err.h"
#include "edge/base/slice.h"

struct tickets;

/* own: tickets_free. fail: ERR_NO_MEMORY, ERR_SYSTEM (no randomness). */
enum err tickets_new(struct tickets **ret);
void tickets_free(struct tickets **);
/* A new key in the first place; the oldest goes. thread: any. */
enum err tickets_rotate(struct tickets *);
/* Takes the keys of a file instead. `why` is empty, or says that others can read the file though
 * the call succeeds: in a container nobody else may be there. fail: ERR_CONF with one line in
 * `why`, and nothing changed. thread: not a worker's. */
enum err tickets_read(struct tickets *, const char *path, char *why, size_t why_room);
/* Has a context seal and open with these keys, which must outlive it. */
void tickets_serve(struct tickets *, SSL_CTX *);
