/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates in force, as people and scrapers are told of them: a list, a metric of when each
 * ends, and a line in the log before one does: at 30, 7 and 1 days, and at its end, each once for
 * each certificate.
 *
 * thread: the control loop.
 */
#pragma once

#include "edge/admin/metrics.h"
#include "edge/settings/premises.h"

/* Which warnings were given. */
struct certs_warned {
	struct certs_warning {
		char fingerprint[65];
		unsigned stage; /* how many of its warnings were given */
	} * at;
	size_t count;
};

/* Writes {"certificates":[{...}]}. */
void certs_list(struct buf *, const struct premises *, struct wall now);
/* Has the scraper tell when each of them ends, from now on. */
void certs_meter(struct metrics *, const struct premises *);
/* Warns of those that end soon. */
void certs_warn(struct certs_warned *, const struct premises *, struct wall now);
void certs_warned_fini(struct certs_warned *);
