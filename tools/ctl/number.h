/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them: three digits and a unit. */
#pragma once

#include "edge/base/slice.h"

enum { TEXT_BYTES = 64 };
enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_SECONDS, UNIT_MOMENT };

/* The unit of a series, as its name says it. */
enum unit number_unit_of(struct slice name);
/* Writes TEXT_BYTES at most. */
void number_print(char *to, double value, enum unit);
void number_print_duration(char *to, double seconds);
