/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/kit/chance.h"

#include <math.h>

void zipf_init(struct zipf *z, uint32_t count, double skew)
{
	*z = (struct zipf){ count, must_alloc(count * sizeof(*z->sums)) };
	double sum = 0;
	for (uint32_t i = 0; i < count; i++)
		z->sums[i] = sum += pow(i + 1, -skew);
	for (uint32_t i = 0; i < count; i++)
		z->sums[i] /= sum;
}

void zipf_fini(struct zipf *z)
{
	free(z->sums);
	*z = (struct zipf){ 0 };
}

uint32_t zipf_next(const struct zipf *z, struct chance *c)
{
	double part = chance_part(c);
	uint32_t low = 0, high = z->count - 1;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (z->sums[middle] > part)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

double zipf_share(const struct zipf *z, uint32_t ranks)
{
	return ranks ? z->sums[(ranks < z->count ? ranks : z->count) - 1] : 0;
}

double chance_lognormal(uint64_t n, double median, double sigma)
{
	struct chance c = { chance_of(n) };
	double radius = sqrt(-2 * log(1 - chance_part(&c)));
	return median * exp(sigma * radius * cos(2 * M_PI * chance_part(&c)));
}
