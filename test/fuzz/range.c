/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any Range against any length: what is answered lies in the representation, in ascending order,
 * and no two parts touch, so that the parts are never longer than the whole.
 */
#include "edge/http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t length;
	struct ranges r;
	if (size < sizeof(length))
		return 0;
	memcpy(&length, data, sizeof(length));
	struct slice value = slice_from(slice_of((const char *)data, size), sizeof(length));
	enum range_outcome outcome = range_parse(value, length, &r);
	if (outcome != RANGE_PARTIAL)
		return 0;
	must(r.count > 0 && r.count <= RANGES_MAX);
	for (uint32_t i = 0; i < r.count; i++) {
		must(r.at[i].first <= r.at[i].last && r.at[i].last < length);
		must(i == 0 || r.at[i - 1].last + 1 < r.at[i].first);
	}
	return 0;
}
