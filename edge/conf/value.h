/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value between its text and its place in a struct, for the kinds that are a single word:
 * bool, uint, size, duration, fraction, word. Reading and writing are each other's inverse, and
 * what an error says comes from the same field that the reading went by.
 *
 * There is one spelling of each thing. A duration needs its unit: "5" could be seconds or minutes,
 * and was, in other configurations, both.
 */
#pragma once

#include "edge/base/buf.h"
#include "edge/conf/field.h"

enum value_verdict { VALUE_OK, VALUE_MALFORMED, VALUE_OUT_OF_RANGE };

/* Reads all of the text into the field's type at `dest`, which is set on VALUE_OK only. */
enum value_verdict value_read(const struct conf_field *, struct slice text, void *dest);

/* Writes the value at `at` as value_read reads it, in its largest whole unit: 64k, 90s, 1h. */
void value_write(struct buf *, const struct conf_field *, const void *at);

/* Writes a string as a YAML scalar: plain where nobody can mistake it, else in double quotes. */
void value_write_string(struct buf *, struct slice);

/* Writes why a text is refused: `"5" is not a duration; write 250ms, 5s, 5m, 1h, 7d or off`. */
void value_write_refusal(
    struct buf *, const struct conf_field *, struct slice text, enum value_verdict);

/* Writes what may stand here, for people: "a size from 1k to 1m", "true or false". */
void value_write_kind(struct buf *, const struct conf_field *);

/* Whether the field's bounds are bounds of a count. */
static inline bool value_is_list(const struct conf_field *f)
{
	return f->kind == CONF_STRINGS || f->kind == CONF_SECTIONS;
}
static inline bool value_has_bounds(const struct conf_field *f)
{
	return f->min != 0 || f->max != 0;
}
