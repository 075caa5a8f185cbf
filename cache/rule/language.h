/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second look at variants that differ in Accept-Language alone: an answer that says it is in the
 * one language which a request wants most would be chosen for that request, too, whatever else the
 * request would put up with.
 */
#pragma once

#include "edge/base/slice.h"

/*
 * Whether `content_language` (an answer's Content-Language) is just the language that
 * `accept_language` weighs highest. False when two share the highest weight, for then the origin's
 * own order decides, and when the answer names more than one.
 */
bool language_is_first_choice(struct slice accept_language, struct slice content_language);
