/* SPDX-License-Identifier: Apache-2.0 */
/* The stored objects that a running Larder shows. */
#pragma once

#include "tools/ctl/ask.h"

enum { HEADERS_MAX = 32 };

/* Options of these verbs. */
struct object_options {
	const char *headers[HEADERS_MAX]; /* "Name: value" */
	size_t header_count;
	const char *host, *prefix, *tier, *limit; /* NULL = not given */
	const char *file;                         /* NULL = stdout */
	bool is_body_only;
};
extern struct object_options object_options;

enum outcome object_get(char **args, int count);
enum outcome object_list(char **args, int count);
enum outcome object_top(char **args, int count);
enum outcome object_export(char **args, int count);
