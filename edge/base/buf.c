/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/buf.h"

enum { FIRST_CAP = 256 };

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max ? max : GIB };
}

void buf_fini(struct buf *b)
{
	free(b->at);
	buf_init(b, b->max);
}

static bool grow(struct buf *b, size_t need)
{
	size_t cap = b->cap ? b->cap : FIRST_CAP;
	while (cap < need)
		cap *= 2;
	cap = min_size(cap, b->max);
	char *at = need <= cap ? realloc(b->at, cap) : NULL;
	if (!at) {
		b->overflow = true;
		return false;
	}
	b->at = at;
	b->cap = cap;
	return true;
}

char *buf_room(struct buf *b, size_t more)
{
	if (b->overflow)
		return NULL;
	if (b->cap - b->len < more && !grow(b, b->len + more))
		return NULL;
	return b->at + b->len;
}

void buf_add(struct buf *b, struct slice s)
{
	char *room = s.len ? buf_room(b, s.len) : NULL;
	if (!room)
		return;
	memcpy(room, s.at, s.len);
	b->len += s.len;
}

void buf_add_char(struct buf *b, char c)
{
	char *room = buf_room(b, 1);
	if (!room)
		return;
	*room = c;
	b->len++;
}

void buf_add_u64(struct buf *b, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_add(b, slice_of(digits + at, sizeof(digits) - at));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int need = vsnprintf(NULL, 0, fmt, args);
	char *room = need > 0 ? buf_room(b, (size_t)need + 1) : NULL;
	if (room) {
		vsnprintf(room, (size_t)need + 1, fmt, again);
		b->len += (size_t)need;
	}
	va_end(again);
	va_end(args);
}

/* The length of the well-formed UTF-8 sequence at the front, 0 when there is none. */
static size_t utf8_len(struct slice s)
{
	unsigned char c = (unsigned char)s.at[0];
	size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	if (len > s.len)
		return 0;
	/* Overlong forms, surrogates, and what lies beyond U+10FFFF show in the second byte. */
	unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (len > 1 && ((unsigned char)s.at[1] < low || (unsigned char)s.at[1] > high))
		return 0;
	for (size_t i = 1; i < len; i++)
		if (((unsigned char)s.at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

void buf_add_json(struct buf *b, struct slice s)
{
	buf_add_char(b, '"');
	while (s.len > 0) {
		unsigned char c = (unsigned char)s.at[0];
		size_t len = utf8_len(s);
		if (len == 0 || c < 0x20 || c == 0x7f)
			buf_addf(b, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", c);
		else
			buf_add(b, slice_first(s, len));
		s = slice_from(s, len ? len : 1);
	}
	buf_add_char(b, '"');
}

void buf_consume(struct buf *b, size_t n)
{
	must(n <= b->len);
	if (n < b->len)
		memmove(b->at, b->at + n, b->len - n);
	b->len -= n;
}
