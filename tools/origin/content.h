/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All content is computed, nothing is read or kept: a product is words drawn from its path, and
 * byte i of /images/ID is
 *
 *	byte (i % 8), least significant first, of splitmix64(fnv1a64(ID) + i / 8)
 *
 * so that a checker can verify any range of a many-gigabyte answer without having it. (After the
 * n-th PUT to that image, n * 0x9e3779b97f4a7c15 is added to the seed.)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct answer;
struct ask;
struct text;

enum { PIECE_BYTES = 64 << 10 };

static const uint64_t GOLDEN = 0x9e3779b97f4a7c15;

uint64_t fnv1a64(const char *);
/* Goes on from the hash of what stands before. */
uint64_t fnv1a64_more(uint64_t hash, const char *);
uint64_t splitmix64(uint64_t);
/* The seed of ID.EXT, which is that of the product ID. */
uint64_t seed_of(const char *file);

/* What the path of a product says of it in every place that shows it. */
struct product {
	const char *name[2];
	unsigned euros, cents, stock;
};
struct product product_of(const char *id);

/* Writes bytes [at, at + len) of the image of `seed`. */
void pattern_fill(char *to, size_t len, uint64_t seed, uint64_t at);

/* Brings HTML or XML to `size` bytes, or a little more, with a comment at its end. */
void text_comment(struct text *, size_t size);
/* Each adds a text of `size` bytes, or of its usual size for 0. */
void make_product(struct answer *, const char *id, unsigned revision, size_t size);
void make_list(struct answer *, const struct ask *, unsigned revision, size_t size);
void make_page(struct answer *, const char *path, unsigned revision, size_t size);
