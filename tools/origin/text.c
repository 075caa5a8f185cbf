/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/origin/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *text_room(struct text *t, size_t more)
{
	if (t->len + more > t->cap) {
		t->cap = (t->len + more) * 2;
		t->at = realloc(t->at, t->cap);
		if (!t->at)
			abort();
	}
	return t->at + t->len;
}

void text_add(struct text *t, const void *at, size_t len)
{
	if (len)
		memcpy(text_room(t, len), at, len);
	t->len += len;
}

void text_print(struct text *t, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	size_t len = (size_t)vsnprintf(NULL, 0, format, args);
	vsnprintf(text_room(t, len + 1), len + 1, format, again);
	t->len += len;
	va_end(again);
	va_end(args);
}

void text_quote(struct text *t, const char *s)
{
	text_add(t, "\"", 1);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\' || (unsigned char)*s < ' ')
			text_print(t, "\\u%04x", (unsigned)(unsigned char)*s);
		else
			text_add(t, s, 1);
	}
	text_add(t, "\"", 1);
}

void text_html(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == '<' || *s == '&')
			text_print(t, "&#%d;", *s);
		else
			text_add(t, s, 1);
	}
}

void text_drop(struct text *t)
{
	free(t->at);
	*t = (struct text){};
}
