/* SPDX-License-Identifier: Apache-2.0 */
/* A string that grows. It ends the program where memory does. */
#pragma once

#include <stddef.h>

struct text {
	char *at;
	size_t len, cap;
};

/* Makes room for `more` bytes behind what is there, and tells where that is. */
char *text_room(struct text *, size_t more);
void text_add(struct text *, const void *at, size_t len);
[[gnu::format(printf, 2, 3)]] void text_print(struct text *, const char *format, ...);
/* Adds a JSON string. */
void text_quote(struct text *, const char *);
/* Adds what HTML shows as this. */
void text_html(struct text *, const char *);
void text_drop(struct text *);
