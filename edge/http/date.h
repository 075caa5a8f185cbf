/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP dates (RFC 9110 5.6.7): all three forms are read, IMF-fixdate is written. */
#pragma once

#include "edge/base/clock.h"
#include "edge/base/slice.h"

enum { DATE_LEN = 29 };

/*
 * Reads a date. Strict in form (names of days and months, GMT, ranges), since what is not a valid
 * date counts as absent or past; that the day's name fits the date is not checked, for it decides
 * nothing. A two-digit year more than 50 years ahead of `now` is past.
 */
bool date_parse(struct slice text, struct wall now, struct wall *ret_date);
/* Writes DATE_LEN bytes, no NUL. Years outside 1..9999 are written as the nearest that fits. */
void date_format(struct wall, char to[DATE_LEN]);
