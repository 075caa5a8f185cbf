/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What TLS on one loop shares: the pad in which records are gathered on their way out, so that
 * several leave in one write, and the counters.
 */
#pragma once

#include "edge/base/err.h"
#include "edge/base/meter.h"

/* clang-format off */
#define TLS_METERS(X) \
	X(handshakes_12, COUNTER, "tls_handshakes_total", "version=\"1.2\"", "Handshakes with clients completed.") \
	X(handshakes_13, COUNTER, "tls_handshakes_total", "version=\"1.3\"", "Handshakes with clients completed.") \
	X(resumed, COUNTER, "tls_resumed_total", "", "Of these, resumed from a ticket.") \
	X(early, COUNTER, "tls_early_data_total", "", "Of these, with early data taken.") \
	X(failed_timeout, COUNTER, "tls_failures_total", "why=\"timeout\"", "Handshakes with clients failed.") \
	X(failed_gone, COUNTER, "tls_failures_total", "why=\"client-gone\"", "Handshakes with clients failed.") \
	X(failed_name, COUNTER, "tls_failures_total", "why=\"unknown-name\"", "Handshakes with clients failed.") \
	X(failed_certificate, COUNTER, "tls_failures_total", "why=\"client-certificate\"", "Handshakes with clients failed.") \
	X(failed_plain, COUNTER, "tls_failures_total", "why=\"plain-http\"", "Handshakes with clients failed.") \
	X(failed_protocol, COUNTER, "tls_failures_total", "why=\"protocol\"", "Handshakes with clients failed.") \
	X(origin_handshakes, COUNTER, "tls_origin_handshakes_total", "", "Handshakes with origins completed.") \
	X(origin_resumed, COUNTER, "tls_origin_resumed_total", "", "Of these, resumed.")
/* clang-format on */
struct tls_meters {
	METER_FIELDS(TLS_METERS)
};
extern const struct meter_table tls_meter_table;

struct tls_local {
	/* home loop */
	char *pad; /* TLS_PAD_BYTES */
	size_t pad_used;
	struct tls_meters meters;
};

/* A batch of records: four of 16 KiB, and what frames them. */
enum { TLS_RECORD_BYTES = 16 * 1024, TLS_PAD_BYTES = 4 * (TLS_RECORD_BYTES + 256) };

enum err tls_local_init(struct tls_local *);
void tls_local_fini(struct tls_local *);
