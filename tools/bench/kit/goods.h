/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goods: objects to store, each made from its number, so that what comes back can be checked byte
 * by byte. The bytes do not compress. The head is that of a catalog page: 12 fields, 350 bytes.
 */
#pragma once

#include "cache/tier/object.h"

enum { GOODS_KEY_ROOM = 96 };

/* The key of a number; its text is in `text`. */
struct key goods_key(struct hash_secret, uint64_t n, char text[GOODS_KEY_ROOM]);
/* A complete answer. own: object_unref. Aborts without memory. */
struct object *goods_object(struct hash_secret, uint64_t n, uint64_t body_bytes);
/* Whether these are the bytes of the number's body at that offset. */
bool goods_match(uint64_t n, uint64_t offset, struct slice);
/* Whether its head is the number's. */
bool goods_head_matches(const struct object *, uint64_t n);

/* The bytes of a catalog's bodies: lognormal, median 16 KiB, sigma 1.6, so 57 KiB in the mean;
 * none above `max`. */
uint64_t goods_size(uint64_t n, uint64_t max);
