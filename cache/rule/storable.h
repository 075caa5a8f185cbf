/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a shared cache may store an answer (RFC 9111 3), and why not; which of its fields are
 * stored, and how a later answer updates them.
 *
 * What is stored is either fresh for a moment or can be validated. Where the RFC lets a cache
 * choose, Larder keeps private what may be private: an answer with Set-Cookie is stored only if it
 * says itself that it is fresh, or public. Nobody's cookie is shared on a guess.
 */
#pragma once

#include "cache/rule/fresh.h"

/*
 * Judges an answer to a GET, or to a POST whose answer stands for a GET of the same URI (RFC 9110
 * 9.3.3: 200, own lifetime, a Content-Location that is the request's URI). REASON_STORED, or the
 * reason why not. `life` is the answer's, from life_of.
 */
enum reason storable_judge(const struct cache_policy *, const struct request *,
    const struct response *, const struct life *, struct arena *);
/*
 * The answer's cache directives: the first valid targeted field of the policy's list, else
 * Cache-Control (RFC 9213 2.2). ret_targeted: true when a targeted field decided, in which case
 * Expires and Pragma do not count.
 */
struct control storable_control(
    const struct cache_policy *, const struct response *, struct arena *, bool *ret_targeted);
/* Whether a field line of an answer may be stored: not hop-by-hop, not ours, not named by
 * no-cache="..." or private="..." (RFC 9111 3.1). */
bool storable_field(const struct field *, const struct control *);
/*
 * Fills `merged` with the stored fields updated by a 304's or HEAD's (RFC 9111 3.2): each name
 * that the update has replaces all stored lines of it, but for the pinned ones. The update's Age
 * comes along for life_of; storable_field drops it from what is stored. fail: false when the arena
 * is full.
 */
bool storable_merge(struct fields *merged, struct arena *, const struct fields *stored,
    const struct fields *update);
/*
 * Whether a HEAD's 200 speaks of the stored answer, whose Content-Length is `length`: no validator
 * or length of both differs. If not, the stored one is out of date (RFC 9111 4.3.5).
 */
bool storable_head_agrees(
    const struct fields *stored, uint64_t length, const struct response *head);
/* Whether a method, once answered without error, invalidates its target (RFC 9111 4.4). */
bool method_invalidates(enum method, uint16_t status);
