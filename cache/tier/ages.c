/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/ages.h"

void ages_begin(struct ages *a, struct age age)
{
	a->count = 1;
	a->parts[0] = age;
}

void ages_add(struct ages *a, struct age age)
{
	struct age *now = &a->parts[a->count - 1];
	now->weight += age.weight;
	now->number = max_u64(now->number, age.number);
	now->seq = age.seq;
	if (now->weight > a->weight_max / (AGES / 2) && a->count < AGES)
		a->parts[a->count++] = (struct age){ .number = now->number, .seq = now->seq };
}

bool ages_are_heavy(const struct ages *a, struct age *ret_age)
{
	uint64_t weight = 0;
	for (unsigned i = 0; i < a->count; i++)
		weight += a->parts[i].weight;
	if (weight <= a->weight_max || a->count < 2)
		return false;
	*ret_age = a->parts[0];
	return true;
}

void ages_drop_oldest(struct ages *a)
{
	a->count--;
	memmove(&a->parts[0], &a->parts[1], a->count * sizeof(a->parts[0]));
}
