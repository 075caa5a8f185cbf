/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client may make us do without asking for anything: each kind of frame that costs us work
 * and brings it nothing has a bucket of tokens that fills again with time. Who empties one attacks:
 * its connection ends. No browser and no gRPC client comes near them.
 *
 *	RESETS    streams that it cancels, or makes us cancel (CVE-2023-44487, CVE-2025-8671)
 *	CONTROLS  PING, SETTINGS, PRIORITY, PRIORITY_UPDATE and frames of unknown kinds
 *	UPDATES   WINDOW_UPDATE beyond those that our DATA calls for
 *	EMPTIES   DATA without a byte that ends nothing
 *	STALLS    streams whose window it does not open
 *
 * The other two kinds of abuse are counted where they are found: a head that grows without end
 * (HEAD), and acknowledgements that it does not take (ACKS).
 */
#pragma once

#include "edge/base/clock.h"
#include "edge/base/meter.h"

enum h2_abuse {
	H2_ABUSE_RESETS,
	H2_ABUSE_CONTROLS,
	H2_ABUSE_UPDATES,
	H2_ABUSE_EMPTIES,
	H2_ABUSE_STALLS,
	H2_GUARD_KINDS,
	H2_ABUSE_HEAD = H2_GUARD_KINDS,
	H2_ABUSE_ACKS,
	H2_ABUSE_KINDS
};

/* clang-format off */
#define H2_METERS(X) \
	X(sessions, COUNTER, "h2_connections_total", "", "Client connections that spoke HTTP/2.") \
	X(streams, COUNTER, "h2_streams_total", "", "Streams that clients opened.") \
	X(resets, COUNTER, "h2_streams_reset_total", "by=\"client\"", "Streams cut short.") \
	X(cuts, COUNTER, "h2_streams_reset_total", "by=\"us\"", "Streams cut short.") \
	X(malformed, COUNTER, "h2_malformed_total", "", "Requests that broke HTTP/2's rules.") \
	X(send_stalled, COUNTER, "h2_stalled_total", "", "Streams whose window did not open.") \
	X(resets_abuse, COUNTER, "h2_abuse_total", "why=\"resets\"", "Connections ended for abuse.") \
	X(controls_abuse, COUNTER, "h2_abuse_total", "why=\"controls\"", "Connections ended for abuse.") \
	X(updates_abuse, COUNTER, "h2_abuse_total", "why=\"window-updates\"", "Connections ended for abuse.") \
	X(empties_abuse, COUNTER, "h2_abuse_total", "why=\"empty-frames\"", "Connections ended for abuse.") \
	X(stalls_abuse, COUNTER, "h2_abuse_total", "why=\"stalled-windows\"", "Connections ended for abuse.") \
	X(head_abuse, COUNTER, "h2_abuse_total", "why=\"endless-head\"", "Connections ended for abuse.") \
	X(acks_abuse, COUNTER, "h2_abuse_total", "why=\"acks\"", "Connections ended for abuse.")
/* clang-format on */
struct h2_meters {
	METER_FIELDS(H2_METERS)
};
extern const struct meter_table h2_meter_table;

struct h2_guard {
	int64_t full_us[H2_GUARD_KINDS]; /* when the kind's bucket is full again */
};

/* Takes a token. False: there is none left, the client abuses us. per_minute: of RESETS. */
bool h2_guard_passes(struct h2_guard *, enum h2_abuse, uint64_t resets_per_minute, struct mono now);
/* Gives tokens back: the client has a reason for so many more. */
void h2_guard_credit(struct h2_guard *, enum h2_abuse, unsigned tokens);
void h2_guard_count(struct h2_meters *, enum h2_abuse);
