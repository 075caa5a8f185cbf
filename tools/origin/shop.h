/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page at `/`: a window of products with their pictures, for people with a browser. A line at
 * its top tells them over which protocol it all came and how much of it the origin never saw.
 *
 * How can a page know? A script may read the fields of what it fetches, not those of a picture. But
 * it is told of Server-Timing, and there the origin puts the time at which it made an answer. What
 * was made before it was asked for comes from a store on the way.
 */
#pragma once

#include "tools/origin/text.h"

/* `variant` is what the fields named by ask.vary held. */
void make_shop(struct text *, unsigned revision, const char *variant);
