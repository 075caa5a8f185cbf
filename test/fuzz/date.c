/* SPDX-License-Identifier: Apache-2.0 */
/* Any date that is read is written, and read again as the same moment. */
#include "edge/http/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct wall now = { INT64_C(1781524800000) };
	struct wall date, again;
	char text[DATE_LEN];
	if (date_parse(slice_of((const char *)data, size), now, &date)) {
		/* A leap second at the very end of 9999 is written as the second before. */
		date_format(date, text);
		must(date_parse(slice_of(text, DATE_LEN), now, &again));
		must(again.ms == date.ms || again.ms == INT64_C(253402300799000));
	}
	if (size >= sizeof(date)) {
		memcpy(&date, data, sizeof(date));
		date_format(date, text);
		must(date_parse(slice_of(text, DATE_LEN), now, &again));
	}
	return 0;
}
