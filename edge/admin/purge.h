/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Purging, for programs and people:
 *
 *	POST /v1/purge             an order (purge/order.h): 200 with its receipt, once it is in force
 *	                           here and on disk. What is wrong with an order: 422, with the field;
 *	                           then nothing was done
 *	GET  /v1/purge/SEQ         the receipt, as it is by now
 *	GET  /v1/purges            what was asked for, in its order: ?since=SEQ&limit=N
 *
 * An order that is wide (everything, in whatever words; a regular expression) needs the scope
 * purge:all.
 *
 * Idempotency-Key: an order that is sent again under the same key is not done again; the answer is
 * the receipt of the first. Under the same key another order is refused with 409. A key is its
 * actor's (see edge/admin/actor.h): nobody sees by it what another one did.
 */
#pragma once

#include "edge/admin/admin.h"
#include "edge/admin/reply.h"

void purge_order(struct admin *, struct reply *) ON_LOOP;
void purge_show(struct admin *, struct reply *) ON_LOOP;
void purge_listed(struct admin *, struct reply *) ON_LOOP;
