/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's way to a socket. What it seals is gathered in the loop's pad and leaves in one write;
 * what the socket does not take is held here until it does. What it reads comes straight from the
 * socket into its own buffer.
 *
 *	duct_begin, any of OpenSSL's functions, duct_push: nothing of one line stays in the pad
 *
 * It is a BIO of our own and not OpenSSL's socket BIO, which makes a system call for each record.
 * The price is that the kernel cannot take the sealing over (kTLS): that needs the socket BIO, and
 * what it would save, a copy of bytes that are in the cache, is not worth a second way to write.
 */
#pragma once

#include <openssl/ssl.h>

#include "edge/base/buf.h"
#include "edge/loop/conn.h"
#include "edge/tls/local.h"

struct duct {
	int fd;
	size_t taken; /* in this operation, off the socket */
	bool
	    is_drained; /* in this operation: the socket had less than was asked for, or had its turn */
	bool saw_eof;
	bool is_broken; /* the socket, or no memory for what it did not take */
	struct tls_local *local;
	struct buf held;
	size_t held_sent; /* of what is held */
	bool is_eager; /* what is held was never offered to the socket: it may wait for company */
};

/* Puts itself under an SSL. own: duct_close, after SSL_free. fail: ERR_NO_MEMORY. */
enum err duct_open(struct duct *, int fd, struct tls_local *, SSL *);
void duct_close(struct duct *);

/* Before OpenSSL is called: OpenSSL judges by what is in its error queue. */
void duct_begin(struct duct *) ON_LOOP;
/* Whether another record of any size has room in the pad. */
static inline bool duct_has_room(const struct duct *d)
{
	return TLS_PAD_BYTES - d->local->pad_used >= TLS_PAD_BYTES / 4;
}
/* Appends bytes as they are. */
void duct_add(struct duct *, const char *bytes, size_t len) ON_LOOP;
/* Sends what is in the pad; the rest is held. IO_AGAIN: something is held. */
enum io duct_push(struct duct *) ON_LOOP;
/* Holds what is in the pad, though the socket might take it: more is about to be sealed, and both
 * may leave in one write. It goes out by itself if nothing comes. */
void duct_hold(struct duct *) ON_LOOP;
/* Puts what duct_hold has held back into the pad, in front of what is sealed next. */
void duct_resume(struct duct *) ON_LOOP;
/* Sends what is held. */
enum io duct_flush(struct duct *) ON_LOOP;
static inline size_t duct_held(const struct duct *d)
{
	return d->held.len - d->held_sent;
}
