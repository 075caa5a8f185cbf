/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/limits.h"

#define AT(member) offsetof(struct limits, member)

/* clang-format off */
static const struct conf_field fields[] = {
	{"line-size", CONF_SIZE, AT(line_bytes), 256, MIB, "8k",
	 .doc = "Longest request line. A longer one is answered 414."},
	{"head-size", CONF_SIZE, AT(head_bytes), KIB, 16 * MIB, "32k",
	 .doc = "Request line and fields together. A larger head is answered 431."},
	{"head-fields", CONF_UINT, AT(head_fields), 1, 10000, "100",
	 .doc = "Field lines of a request. More are answered 431."},
	{"body-size", CONF_SIZE, AT(body_bytes), 0, 0, "100m",
	 .doc = "Largest request body; 0 = no limit. A larger one is answered 413."},
	{"head-timeout", CONF_DURATION, AT(head_ms), 100, CONF_HOURS(1), "10s",
	 .doc = "From a request's first byte to the end of its head, then 408: a client that sends a "
		"byte now and then holds no connection for long."},
	{"body-timeout", CONF_DURATION, AT(body_ms), 100, CONF_HOURS(1), "30s",
	 .doc = "Longest silence within a request's body, then 408."},
	{"idle-timeout", CONF_DURATION, AT(idle_ms), 100, CONF_DAYS(1), "60s",
	 .doc = "How long a connection without a request is kept."},
	{"send-timeout", CONF_DURATION, AT(send_ms), 100, CONF_HOURS(1), "30s",
	 .doc = "A client that takes no byte of its answer for so long is cut off."},
	{"tunnel-idle", CONF_DURATION, AT(tunnel_ms), 100, CONF_DAYS(7), "5m",
	 .doc = "A tunnel (WebSocket) in which no byte moves either way for so long is closed."},
	{"connections", CONF_UINT, AT(connections), 1, 10000000, "20000",
	 .doc = "Open client connections, all workers together. One more is answered 503 and closed."},
	{"requests", CONF_UINT, AT(requests), 0, 1000000000, "10000",
	 .doc = "Requests on one connection before it is closed; 0 = no limit. Closing now and then "
		"lets a balancer before Larder spread its connections again."},
	{"h2", CONF_BOOL, AT(h2), 0, 0, "true",
	 .doc = "Speak HTTP/2 with clients that do: over TLS by ALPN, else when they begin with its "
		"preface (RFC 9113 3.3)."},
	{"h2-streams", CONF_UINT, AT(h2_streams), 1, 10000, "128",
	 .doc = "Requests under way at a time on one HTTP/2 connection; one more is refused, and safe to "
		"try again."},
	{"h2-resets", CONF_UINT, AT(h2_resets), 10, 1000000, "1000",
	 .doc = "Requests on an HTTP/2 connection that a client may cancel, or break the rules with, at "
		"once and per minute; then the connection is closed. A browser that leaves a page "
		"cancels what it waits for, but never so much."},
};
/* clang-format on */

const struct conf_table limits_table = {
	.name = "limits",
	.struct_bytes = sizeof(struct limits),
	.fields = fields,
	.count = COUNT_OF(fields),
};
