/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket on a loop. Each worker opens its own on the same address (SO_REUSEPORT): the
 * kernel spreads connections, and no loop waits for another.
 */
#pragma once

#include "edge/loop/conn.h"

struct listener;
typedef void listener_accept_f(struct listener *, int fd, const struct address *peer);

struct listener {
	struct ev_io io;
	struct loop *home;
	void *owner;
	listener_accept_f *accept;
	struct deadline pause; /* no file descriptors: tries again after this */
	struct address at;     /* with the port that the kernel chose */
};

/*
 * Whether an address is free: SO_REUSEPORT would let a second Larder of the same user share it, and
 * every other connection, without a word. True also when it is no address: opening it tells why.
 */
bool listener_is_free(struct slice address);

/* Binds and listens, beside the other loops of this process. address: "http://HOST:PORT" or
 * "HOST:PORT", HOST a literal address. fail: ERR_SYSTEM (errno tells), ERR_CONF when the text is
 * not an address. thread: before the loop runs, or on it. */
enum err listener_open(
    struct listener *, struct loop *, struct slice address, listener_accept_f *accept, void *owner);
/* As listener_open, on a unix socket with this mode. An old socket in the way is removed. */
enum err listener_open_unix(struct listener *, struct loop *, const char *path, mode_t mode,
    listener_accept_f *accept, void *owner);
/* Starts or stops taking connections. */
void listener_start(struct listener *) ON_LOOP;
void listener_stop(struct listener *) ON_LOOP;
void listener_close(struct listener *) ON_LOOP;
