/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer says, before it is bytes: status, content, validators, range. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "tools/origin/path.h"
#include "tools/origin/request.h"
#include "tools/origin/text.h"

enum { TEXT_BYTES = 16 << 20 }; /* most that a made-up text or an echo may measure */

/* The body is `text`, or with `pattern` the image of `seed`; [pos, end) of it is yet to be sent. */
struct answer {
	int status;
	const char *type;
	struct text text, variant; /* variant: what the fields named by ask.vary held */
	bool pattern, chunked, severed;
	uint64_t seed, size, pos, end;
	time_t changed;
	const char *lasts; /* its usual Cache-Control, where that is not everybody's */
	int64_t made_ms;   /* since 1970, for Server-Timing; 0: not told */
	char etag[40], modified[32], range[80];
};

/* How the origin fails at present, by the word of POST /-/fail. */
struct failing {
	int64_t status;
	enum { WELL, ANSWERS, CLOSES, HANGS } mode;
};
extern struct failing failing;

/* Answers with the content of a path, changed first when the method says so. */
void answer_resource(struct answer *, const struct request *, struct path *);
/* `/-/`: the way to look at and to steer the origin, which no count and no failure touches. */
void answer_control(struct answer *, const struct request *);
/* Answers with a text, which is taken. */
void answer_text(struct answer *, int status, const char *type, struct text *body);

const char *reason(int status);
void date_print(char to[32], time_t when);
