/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/hash.h"

#include <endian.h>

enum { COMPRESS_ROUNDS = 1, FINAL_ROUNDS = 3 };

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static uint64_t read_le64(const void *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

static void mix(struct sip *s, int rounds)
{
	while (rounds-- > 0) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

static void absorb(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	mix(s, COMPRESS_ROUNDS);
	s->v0 ^= word;
}

/* The last word: what is left of the text, and its length's low byte on top. */
static uint64_t last_word(struct slice text)
{
	unsigned char tail[8] = { [7] = (unsigned char)text.len };
	if (text.len % 8 > 0)
		memcpy(tail, text.at + text.len / 8 * 8, text.len % 8);
	return read_le64(tail);
}

static uint64_t squeeze(struct sip *s)
{
	mix(s, FINAL_ROUNDS);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

struct hash128 hash_siphash(struct hash_secret secret, struct slice text)
{
	uint64_t k0 = read_le64(secret.bytes), k1 = read_le64(secret.bytes + 8);
	struct sip s = {
		.v0 = k0 ^ 0x736f6d6570736575,
		.v1 = k1 ^ 0x646f72616e646f6d ^ 0xee, /* 0xee: 128 bits are asked for */
		.v2 = k0 ^ 0x6c7967656e657261,
		.v3 = k1 ^ 0x7465646279746573,
	};
	struct hash128 hash;
	for (size_t i = 0; i + 8 <= text.len; i += 8)
		absorb(&s, read_le64(text.at + i));
	absorb(&s, last_word(text));
	s.v2 ^= 0xee;
	hash.lo = squeeze(&s);
	s.v1 ^= 0xdd;
	hash.hi = squeeze(&s);
	return hash;
}
