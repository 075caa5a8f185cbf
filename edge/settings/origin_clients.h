/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS towards the origins of one snapshot of the settings: a client for each origin whose addresses
 * say https://, read from its files once, and shared by the workers, which count it.
 */
#pragma once

#include "edge/conf/field.h"
#include "edge/tls/client.h"

struct origin_clients {
	struct tls_client **at; /* as the origins; NULL = plain */
	size_t count;
};

/*
 * Reads the files that the origins (struct origin_options) name. own: origin_clients_fini. fail: ERR_CONF with
 * one line in `why`, ERR_NO_MEMORY; there is nothing to free then. thread: not a worker's.
 */
enum err origin_clients_init(
    struct origin_clients *, const struct conf_list *origins, char *why, size_t why_room);
/* Counts the same clients once more. own: origin_clients_fini. */
void origin_clients_share(struct origin_clients *, const struct origin_clients *from);
/* thread: any. */
void origin_clients_fini(struct origin_clients *);
