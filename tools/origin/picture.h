/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A still life in SVG, 1-2 KiB, drawn by lot: a wall with light on it and a table with something
 * tall, something wide and some fruit. The seed decides on all of it, so that a picture is the same
 * whoever asks and however often; colours come in sets that were chosen by eye.
 */
#pragma once

#include <stdint.h>

struct text;

enum { PICTURE_WIDTH = 300, PICTURE_HEIGHT = 360 };

void make_picture(struct text *, uint64_t seed);
