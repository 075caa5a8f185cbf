/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ticket keys of the process: one set of its own, which it turns by itself, and one for each
 * file that nodes share, which is read again when it changes. Listeners that name the same file, or
 * none, share a set, so a client resumes on each of them. A set stays until the end, because
 * contexts of old settings may still open tickets with it.
 *
 * thread: the control loop; the sets themselves serve all loops.
 */
#pragma once

#include "edge/tls/ticket.h"

/* Of all settings that were ever in force. */
enum { KEYRING_SETS = 64 };

struct keyring {
	struct keyring_set {
		char *path; /* "" = our own */
		struct tickets *tickets;
	} sets[KEYRING_SETS];
	size_t count;
};

/* The set of a file, read now; of "", our own. own: the keyring's. fail: ERR_CONF with one line in
 * `why`: what was known before stays; ERR_NO_MEMORY, ERR_SYSTEM. */
enum err keyring_find(
    struct keyring *, struct slice path, struct tickets **ret, char *why, size_t why_room);
/* A new key for our own set. */
void keyring_turn(struct keyring *);
void keyring_fini(struct keyring *);
