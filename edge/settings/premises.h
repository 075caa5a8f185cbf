/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The premises are one loading of the settings made ready to serve: with their certificates read,
 * a TLS context for each https listener and origin, their address blocks parsed. Immutable and
 * counted: each worker's site holds them, and the last plan that serves by them lets them go.
 *
 * What listens is fixed at the start, so entrances are in the order of the listeners that were
 * opened then, found again by their address. A listener that later settings no longer name goes on
 * as it was.
 *
 *	premises_new(settings, ..., NULL)        a start, a reload: all of it is good, or nothing
 *	premises_new(settings, ..., in force)    certificates or tokens were renewed: what cannot be
 *	                                         read stays as it is in force, and that is told
 *
 * thread: made on the control loop or before there is one; it reads files. Freed on any.
 */
#pragma once

#include "edge/admin/actor.h"
#include "edge/serve/plan.h"
#include "edge/settings/keyring.h"
#include "edge/settings/settings.h"

struct premises {
	_Atomic uint32_t refs;
	/* fixed after premises_new */
	struct settings *settings;
	struct arena arena;
	struct proxies trusted, purgers;
	struct entrance *entrances; /* as the listeners */
	struct slice *addresses;    /* of the entrances */
	size_t entrance_count;
	struct tls_client **origin_tls; /* as settings.origins */
	struct entrance admin_entrance;
	struct proxies admin_allow;
	struct tokens
	    *admin_tokens; /* NULL = none are asked for; their rates are the control loop's */
};

/* What is there before, for premises_new. */
struct premises_before {
	const struct premises *in_force; /* whose listeners are open; NULL at the start */
	bool keeps_pairs;                /* what cannot be read is taken over from them */
};

/* own: premises_unref. fail: NULL, with a line for each problem in `errors`; what was only kept is
 * there, too, beside a value. */
struct premises *premises_new(
    struct settings *, struct keyring *, struct premises_before, struct conf_errors *errors);
struct premises *premises_ref(struct premises *);
void premises_unref(struct premises **);

/* Who may do what on the admin listener; as long as the premises. */
struct admin_access premises_admin(const struct premises *);
/* One worker's hold on the premises, as serving sees them. */
struct site premises_site(struct premises *);
