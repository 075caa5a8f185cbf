/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's text in one shape: two spaces a level, list entries one level below their key,
 * one space after a colon, no white space at ends of lines, at most one blank line in a row.
 *
 * It works on lines and moves nothing to another line: comments stay where they were written, and
 * the order of keys, which carries the operator's thoughts, is theirs. A line of comment is
 * indented as what it stands above. What is inside a value of several lines moves as one block.
 */
#pragma once

#include "edge/conf/load.h"

/*
 * Writes the source's text in canonical shape. The result is read back and compared: what does not
 * say the same is never given out. fail: false, `errors` says why.
 */
MUST_USE bool conf_fmt(struct buf *, const struct conf_source *, struct conf_errors *);
