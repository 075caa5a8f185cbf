/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/local.h"

// clang-format off
#define METER_STRUCT struct tls_meters
static const struct meter_desc meter_descs[] = METER_DESCS(TLS_METERS);
// clang-format on
const struct meter_table tls_meter_table = { meter_descs, COUNT_OF(meter_descs) };

enum err tls_local_init(struct tls_local *local)
{
	*local = (struct tls_local){ .pad = malloc(TLS_PAD_BYTES) };
	return local->pad ? ERR_NONE : ERR_NO_MEMORY;
}

void tls_local_fini(struct tls_local *local)
{
	free(local->pad);
	local->pad = NULL;
	local->pad_used = 0;
}
