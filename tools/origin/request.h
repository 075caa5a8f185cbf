/* SPDX-License-Identifier: Apache-2.0 */
/* A request's head: cut into strings in place, framing checked, options read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/origin/ask.h"

enum { FIELDS = 100 };

struct request {
	char *copy; /* the head, cut into strings in place; all below points into it */
	const char *method, *path;
	struct {
		const char *name, *value;
	} fields[FIELDS];
	size_t field_count;
	bool http10, keep, chunked, in_chunk;
	uint64_t left; /* body bytes to come, or of the chunk */
	struct ask ask;
};

void request_clear(struct request *);
/* Reads a head of `len` bytes, blank line included; 0, or the status to refuse with. */
int request_read(struct request *, const char *head, size_t len);
bool is(const struct request *, const char *method);
/* The value of the first field of that name, or NULL. */
const char *field(const struct request *, const char *name);
