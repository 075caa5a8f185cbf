/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of the admin listener: a handler writes its text, then sends it once. The text is held
 * in memory until the client has it; admin's answers are small.
 *
 *	reply_new -> (write into text) -> reply_send | reply_problem -> on_done: reply_free
 *
 * A reply may be sent long after its request came, as long as its stream lives. What goes wrong is
 * said as "problem" JSON (RFC 9457) in every case, so that a program reads one form.
 */
#pragma once

#include "edge/admin/actor.h"
#include "edge/base/buf.h"
#include "edge/wire/wire.h"

struct reply {
	struct source source;
	struct stream *stream;
	struct actor actor; /* who asks: see actor_admit */
	struct buf text;
	size_t sent;
	void *waits; /* the handler's: what will send the reply later; NULL = nothing */
	void (*gone)(void *waits); /* tells it that the reply has gone */
};

#define REPLY_JSON "application/json"
#define REPLY_TEXT "text/plain; charset=utf-8"
#define REPLY_YAML "application/yaml"

/* Makes the reply to a request, in stream->journey. fail: NULL without memory. */
struct reply *reply_new(struct stream *);
/* own: called by on_done. */
void reply_free(struct reply *);

/* Sends what was written into `text`. The reply may be gone when this returns. */
void reply_send(struct reply *, uint16_t status, const char *type) ON_LOOP;
/* Sends a problem in place of the text. detail: one line for people; "" = the status says it
 * all. */
void reply_problem(struct reply *, uint16_t status, struct slice detail) ON_LOOP;
/* As reply_problem, with a field line in the head: "Name: value\r\n". */
void reply_problem_with(struct reply *, uint16_t status, struct slice detail, struct slice line)
    ON_LOOP;
/* As reply_problem, with more members: ",\"name\":value" each. */
void reply_problem_members(
    struct reply *, uint16_t status, struct slice detail, struct slice members) ON_LOOP;
/* As reply_problem, of one member of what was sent. field: where it is; "" = the whole. */
void reply_field_problem(struct reply *, uint16_t status, struct slice field, struct slice detail)
    ON_LOOP;
/* As reply_problem, with the lines of `errors` as a list beside the detail. */
void reply_errors(struct reply *, uint16_t status, struct slice detail, struct slice errors)
    ON_LOOP;
/* 405: the path is known, the method is not. allow: the methods that are. rfc: 9110 15.5.6. */
void reply_not_allowed(struct reply *, struct slice allow) ON_LOOP;
