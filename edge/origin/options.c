/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/options.h"

#include "edge/conf/address.h"

#define AT(member) offsetof(struct origin_options, member)

static const char *check_name(struct slice s)
{
	return slice_is_token(s) ? NULL : "is not a name; write letters, digits, \"-\" and \"_\"";
}

static const char *check_host(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || strchr("/?#@", s.at[i]))
			return "is not a Host; write name or name:port";
	return NULL;
}

/* clang-format off */
static const struct conf_field fields[] = {
	{"name", CONF_STRING, AT(name), .example = "default", .check = check_name,
	 .doc = "What routes, logs and metrics call it."},
	{"addresses", CONF_STRINGS, AT(addresses), 1, 256, .example = "[http://127.0.0.1:8000]",
	 .check = address_check_url,
	 .doc = "Where it is reached, as http://host:port or all as https://host:port. All of them serve "
		"the same content."},
	{"host", CONF_STRING, AT(host), .fallback = "", .check = check_host,
	 .doc = "Host that the origin is asked for; empty = the one that the client asked for."},
	{"connect-timeout", CONF_DURATION, AT(connect_ms), 10, CONF_HOURS(1), "2s",
	 .doc = "For one address to take a connection; then the next address is tried."},
	{"send-timeout", CONF_DURATION, AT(send_ms), 10, CONF_HOURS(1), "30s",
	 .doc = "The origin takes no byte of our request for so long."},
	{"first-byte-timeout", CONF_DURATION, AT(first_byte_ms), 10, CONF_DAYS(1), "30s",
	 .doc = "From the end of our request to the end of the answer's head."},
	{"between-bytes-timeout", CONF_DURATION, AT(between_bytes_ms), 10, CONF_DAYS(1), "30s",
	 .doc = "Longest silence within an answer's body."},
	{"total-timeout", CONF_DURATION, AT(total_ms), 0, CONF_DAYS(1), "0",
	 .doc = "For the whole exchange; 0 = no limit, so that large answers may take their time."},
	{"idle-timeout", CONF_DURATION, AT(idle_ms), 0, CONF_DAYS(1), "30s",
	 .doc = "How long an unused connection is kept. Shorter than the origin's own, or it closes "
		"under our requests; where it says Keep-Alive: timeout=N, less than that at most."},
	{"idle-connections", CONF_UINT, AT(idle_connections), 0, 100000, "256",
	 .doc = "Unused connections kept, for each worker and address."},
	{"connections", CONF_UINT, AT(connections), 0, 1000000, "0",
	 .doc = "Connections in use, for each worker, all addresses together; 0 = no limit."},
	{"head-size", CONF_SIZE, AT(head_bytes), KIB, 16 * MIB, "64k",
	 .doc = "Largest head of an answer. A larger one is a failure of the origin."},
	{"tls", CONF_SECTION, AT(tls), .table = &tls_client_options_table,
	 .doc = "How it is trusted when its addresses are https://."},
};
/* clang-format on */

const struct conf_table origin_options_table = {
	.name = "an origin",
	.struct_bytes = sizeof(struct origin_options),
	.fields = fields,
	.count = COUNT_OF(fields),
};
