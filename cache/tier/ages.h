/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the journal has written, in parts by its age: so that of too much the oldest part can be
 * forgotten, without a look at what is in it.
 */
#pragma once

#include "edge/base/base.h"

enum { AGES = 16 };

struct age {
	uint64_t number, seq; /* the newest ones of it */
	uint64_t weight;
};

struct ages {
	uint64_t weight_max; /* of all together */
	unsigned count;
	struct age parts[AGES]; /* oldest first */
};

/* Begins with what is there already, as one part. */
void ages_begin(struct ages *, struct age);
/* Adds to the newest part what was written next. */
void ages_add(struct ages *, struct age);
/* Whether there is too much. ret_age: the oldest part. */
bool ages_are_heavy(const struct ages *, struct age *ret_age);
/* The oldest part is gone. */
void ages_drop_oldest(struct ages *);
