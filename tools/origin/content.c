/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/origin/content.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/origin/answer.h"

uint64_t fnv1a64_more(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3;
	return h;
}

uint64_t fnv1a64(const char *s)
{
	return fnv1a64_more(0xcbf29ce484222325, s);
}

uint64_t splitmix64(uint64_t x)
{
	x += GOLDEN;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

uint64_t seed_of(const char *file)
{
	char id[64];
	snprintf(id, sizeof id, "%.*s", (int)strcspn(file, "."), file);
	return fnv1a64(id);
}

void pattern_fill(char *to, size_t len, uint64_t seed, uint64_t at)
{
	for (; len && at % 8; len--, at++)
		*to++ = (char)(splitmix64(seed + at / 8) >> at % 8 * 8);
	for (; len >= 8; len -= 8, at += 8, to += 8)
		memcpy(to, &(uint64_t){ htole64(splitmix64(seed + at / 8)) }, 8);
	for (; len; len--, at++)
		*to++ = (char)(splitmix64(seed + at / 8) >> at % 8 * 8);
}

static const char *word(uint64_t seed)
{
	static const char words[16][8] = { "amber", "basil", "cedar", "dill", "elder", "fennel",
		"ginger", "honey", "iris", "juniper", "kelp", "lemon", "mint", "nutmeg", "olive",
		"pepper" };
	return words[splitmix64(seed) >> 60];
}

/* Adds just as much prose as brings the text, with `ending`, to `size` bytes. */
static void text_prose(struct text *t, size_t size, uint64_t seed, const char *ending)
{
	size_t whole = size > strlen(ending) ? size - strlen(ending) : 0;
	while (t->len < whole) {
		const char *w = word(seed++);
		size_t left = whole - t->len, len = strlen(w);
		text_add(t, w, len < left ? len : left);
		if (len < left)
			text_add(t, " ", 1);
	}
	text_add(t, ending, strlen(ending));
}

void text_comment(struct text *t, size_t size)
{
	if (size <= t->len)
		return;
	text_print(t, "<!-- ");
	text_prose(t, size, t->len, " -->\n");
}

struct product product_of(const char *id)
{
	uint64_t seed = fnv1a64(id);
	return (struct product){ { word(seed), word(seed + 1) }, (unsigned)(seed % 500),
		(unsigned)(seed / 500 % 100), (unsigned)(seed / 7 % 90) };
}

static void text_product(struct text *t, const char *id, unsigned revision)
{
	struct product p = product_of(id);
	text_print(t, "{\"id\":");
	text_quote(t, id);
	text_print(t, ",\"revision\":%u,\"name\":\"%s %s\",\"price\":%u.%02u,\"currency\":\"EUR\"",
	    revision, p.name[0], p.name[1], p.euros, p.cents);
}

void make_product(struct answer *a, const char *id, unsigned revision, size_t size)
{
	uint64_t seed = fnv1a64(id);
	text_product(&a->text, id, revision);
	text_print(&a->text, ",\"stock\":%u,\"variant\":", product_of(id).stock);
	text_quote(&a->text, a->variant.at);
	text_print(&a->text, ",\"description\":\"");
	text_prose(&a->text, size ? size : 1024 + seed % 1024, seed, "\"}\n");
}

void make_list(struct answer *a, const struct ask *ask, unsigned revision, size_t size)
{
	uint64_t page = ask->page > 0 ? (uint64_t)ask->page : 1;
	text_print(&a->text, "{\"page\":%" PRIu64 ",\"sort\":", page);
	text_quote(&a->text, ask->sort ? ask->sort : "id");
	text_print(&a->text, ",\"revision\":%u,\"variant\":", revision);
	text_quote(&a->text, a->variant.at);
	text_print(&a->text, ",\"products\":[");
	for (uint64_t i = 0; i < 20; i++) {
		char id[24];
		snprintf(id, sizeof id, "%" PRIu64, (page - 1) * 20 + i + 1);
		text_print(&a->text, i ? ",\n" : "\n");
		text_product(&a->text, id, 1);
		text_print(&a->text, "}");
	}
	text_print(&a->text, "],\n\"note\":\"");
	text_prose(&a->text, size ? size : 10 << 10, fnv1a64("note"), "\"}\n");
}

void make_page(struct answer *a, const char *path, unsigned revision, size_t size)
{
	text_print(&a->text,
	    "<!doctype html>\n<title>%s</title>\n<p>revision %u, variant \"%s\"\n<p>", path,
	    revision, a->variant.at);
	text_prose(&a->text, size ? size : 4096, fnv1a64(path), "\n");
}
