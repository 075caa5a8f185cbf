/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper looks after what ages while Larder runs: certificates and key files that somebody
 * renews on disk, ticket keys that are to be replaced, certificates that nobody renews. It notices
 * and says so; whoever owns it makes new premises.
 *
 *	keeper_start -> keeper_take for each premises that come into force -> keeper_stop
 *
 * Files are looked at, not watched: what replaces them by rename, symbolic links of a volume and
 * network file systems all look the same that way. A change counts once it has been still for a
 * look, since a certificate and its key are two files and two writes.
 *
 * thread: the control loop.
 */
#pragma once

#include "edge/loop/loop.h"
#include "edge/settings/certs.h"

struct keeper {
	struct loop *home;
	struct keyring *keyring;
	struct metrics *metrics;
	const struct premises *premises; /* in force: the owner's */
	void (*renew)(void *owner);      /* files have changed. Runs ON_LOOP */
	void *owner;
	struct deadline look, turn, warn;
	uint64_t seen;    /* what the files looked like */
	bool is_changing; /* they looked different a moment ago */
	struct certs_warned warned;
};

/* Starts a keeper of nothing yet. */
void keeper_init(struct keeper *, struct loop *, struct keyring *, struct metrics *,
    void (*renew)(void *owner), void *owner);
/* Notes what the files look like. Call it before they are read again, so that what is written
 * meanwhile is noticed. */
void keeper_look(struct keeper *);
/* Looks after these from now on; they must stay until the next call. */
void keeper_take(struct keeper *, const struct premises *) ON_LOOP;
/* Safe when it was never readied. */
void keeper_stop(struct keeper *) ON_LOOP;
