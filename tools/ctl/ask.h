/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How larderctl asks: one request over a blocking connection (link.h), the whole answer in memory,
 * and what went wrong told in one line and an exit code. A verb asks once and shows what came.
 */
#pragma once

#include <jansson.h>

#include "edge/base/buf.h"

#define DEFAULT_ADMIN "127.0.0.1:9000"

/* What a script may rely on. */
enum outcome {
	OUTCOME_OK = 0,
	OUTCOME_FAILED = 1,
	OUTCOME_USAGE = 2,
	OUTCOME_CONFIG = 3,
	OUTCOME_UNREACHED = 4,
	OUTCOME_REFUSED = 5,
	OUTCOME_PARTIAL = 6, /* in force, but not on disk, or not known how it fared */
	OUTCOME_EMPTY = 7,   /* nothing matched */
};

extern const char *admin_address;
extern const char *admin_token; /* NULL = none is shown */
extern bool wants_json;

/* An answer of the server. `bytes` holds all of it; body is the part after the head. */
struct answer {
	struct buf bytes;
	unsigned status;
	struct slice body;
};

/* Ends the program, with a line for people. */
_Noreturn void give_up(enum outcome, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Asks; gives up when the server cannot be reached. own: the caller frees `bytes`. */
struct answer ask(const char *method, const char *path);
/* The same with a body. */
struct question {
	struct slice body;
	const char *repeat_key; /* Idempotency-Key; NULL = none */
	/* What to say, with OUTCOME_PARTIAL, when the connection ends before the answer does; NULL:
	 * that Larder was not reached. */
	const char *in_doubt;
};
struct answer ask_with(const char *method, const char *path, const struct question *);
/* Asks, and shows the answer by that function. */
enum outcome ask_and_show(
    const char *method, const char *path, void (*show)(const struct answer *));

/*
 * Asks, and writes the answer's body to a file as it comes, which is made when there is one; NULL =
 * stdout. A body that is cut short is a failure, and its file is removed.
 */
enum outcome ask_into(const char *path, const char *file);
/* Appends a text as the value of a URL's parameter. */
void add_escaped(struct buf *, const char *text);

void show_body(const struct answer *);
/* Shows why the server did not do it (RFC 9457), and tells the outcome. */
enum outcome show_problem(const struct answer *);
/* own: json_decref. fail: NULL. */
json_t *body_json(const struct answer *);
/* A member's text; "" when it has none. */
const char *member(const json_t *object, const char *name);
/* A member's number; 0 when it has none. */
double member_number(const json_t *object, const char *name);
