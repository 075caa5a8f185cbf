/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request asks of its answer, in the query or, as `Origin-Delay-Ms: 500`, among the fields.
 * `options[]` in ask.c is the one list of what can be asked, read by the parser and by --help.
 */
#pragma once

#include <stdint.h>

enum { EXTRAS = 16, UNSET = -1 };

/* Numbers are UNSET and words NULL unless the request said so. */
struct ask {
	int64_t delay_ms, trickle_ms, piece, status, size, cut, interim, page, chunked, trailer,
	    nocl;
	int64_t reset, garbage, close, lm, date, range;
	const char *cc, *vary, *etag, *type, *echo, *sort, *path, *mode;
	const char *extra[EXTRAS + 1];
	const char *wrong; /* the option whose value is no number */
};

void ask_clear(struct ask *);
/* Sets one option. An unknown name is no fault: URLs carry parameters that mean nothing here. */
void ask_set(struct ask *, const char *name, const char *value);
/* Reads a query, which is cut into strings that the options then point into. NULL is none. */
void ask_read(struct ask *, char *query);
/* Prints a line for each option. */
void ask_help(void);
/* Reads 1500, 64k or 4g; UNSET for anything else. */
int64_t number_read(const char *);
