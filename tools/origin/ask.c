/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/origin/ask.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct option {
	const char *name;
	enum { NUMBER, WORD, LIST } kind;
	size_t at;
	const char *doc;
} options[] = {
#define AT(member) offsetof(struct ask, member)
	{ "delay_ms", NUMBER, AT(delay_ms), "wait so long before the head" },
	{ "trickle_ms", NUMBER, AT(trickle_ms), "wait so long between pieces of the body" },
	{ "piece", NUMBER, AT(piece), "bytes in a piece and a chunk (64k; 512 with trickle_ms)" },
	{ "status", NUMBER, AT(status), "status; 400 and more drop Cache-Control and validators" },
	{ "size", NUMBER, AT(size), "body bytes, with k, m, g if you like: size=4g" },
	{ "cc", WORD, AT(cc), "the exact Cache-Control; empty leaves the field out" },
	{ "type", WORD, AT(type), "the exact Content-Type" },
	{ "vary", WORD, AT(vary), "the exact Vary; X-Variant and texts tell the values" },
	{ "hdr", LIST, AT(extra), "Name:value, an extra field; repeatable" },
	{ "etag", WORD, AT(etag), "0 leaves the ETag out, weak makes it weak" },
	{ "lm", NUMBER, AT(lm), "0 leaves Last-Modified out" },
	{ "date", NUMBER, AT(date), "0 leaves Date out" },
	{ "range", NUMBER, AT(range), "0 ignores Range" },
	{ "chunked", NUMBER, AT(chunked), "1 sends chunks instead of Content-Length" },
	{ "trailer", NUMBER, AT(trailer), "1 sends chunks and the trailer X-Body-Bytes" },
	{ "nocl", NUMBER, AT(nocl), "1 ends the body by closing the connection" },
	{ "close", NUMBER, AT(close), "1 closes after the answer and says so" },
	{ "cut", NUMBER, AT(cut), "close in mid-answer, after so many body bytes" },
	{ "interim", NUMBER, AT(interim), "send this 1xx (103) before the delay" },
	{ "echo", WORD, AT(echo), "body or head: answer with what the request held" },
	{ "reset", NUMBER, AT(reset), "1 resets the connection instead of answering" },
	{ "garbage", NUMBER, AT(garbage), "1 status line, 2 two lengths, 3 chunk, 4 no colon" },
	{ "page", NUMBER, AT(page), "/products: which page" },
	{ "sort", WORD, AT(sort), "/products: a word that the list repeats" },
	{ "path", WORD, AT(path), "/-/stats: this path only" },
	{ "mode", WORD, AT(mode), "/-/fail: close or hang" },
#undef AT
};
/* clang-format on */

void ask_clear(struct ask *ask)
{
	*ask = (struct ask){};
	memset(ask, UNSET, offsetof(struct ask, cc));
}

static void url_decode(char *s)
{
	char *to = s;
	unsigned byte;
	for (; *s; s++, to++) {
		bool coded = *s == '%' && s[1] && s[2] && sscanf(s + 1, "%2x", &byte) == 1;
		*to = coded ? (char)byte : *s == '+' ? ' ' : *s;
		s += coded ? 2 : 0;
	}
	*to = 0;
}

int64_t number_read(const char *s)
{
	static const char units[] = "kmg";
	char *end;
	uint64_t n = strtoull(s, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;
	if (unit && n < 1u << 30) {
		n <<= 10 * (unit - units + 1);
		end++;
	}
	return *s < '0' || *s > '9' || *end || n > INT64_MAX / 2 ? UNSET : (int64_t)n;
}

void ask_set(struct ask *ask, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		const struct option *o = &options[i];
		if (strcmp(o->name, name) != 0)
			continue;
		int64_t number = number_read(value);
		if (o->kind == NUMBER && number == UNSET)
			ask->wrong = o->name;
		const char **list = ask->extra;
		while (o->kind == LIST && *list && list < &ask->extra[EXTRAS - 1])
			list++;
		if (o->kind == LIST)
			*list = value;
		else if (o->kind == WORD)
			memcpy((char *)ask + o->at, &value, sizeof value);
		else
			memcpy((char *)ask + o->at, &number, sizeof number);
	}
}

void ask_read(struct ask *ask, char *query)
{
	for (char *at = query; at;) {
		char *name = strsep(&at, "&"), *value = strchr(name, '=');
		if (value) {
			*value++ = 0;
			url_decode(value);
		}
		ask_set(ask, name, value ? value : "1");
	}
}

void ask_help(void)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		printf("  %-12s %s\n", options[i].name, options[i].doc);
}
