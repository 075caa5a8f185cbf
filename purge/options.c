/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/options.h"

#include "edge/conf/address.h"

#define AT(member) offsetof(struct purge_settings, member)
/* clang-format off */
static const struct conf_field fields[] = {
	{"audit", CONF_STRING, AT(audit), .fallback = "",
	 .doc = "File to which each purge is appended, and synced, before it is answered: who, what, "
		"why, as a chain of JSON lines that larderctl audit verify checks. Empty = none."},
	{"allow", CONF_STRINGS, AT(allow), 0, 1000, "[]", .check = address_check_block,
	 .doc = "Addresses and blocks of clients that may send PURGE requests to the traffic "
		"listeners, as frameworks' plugins do. Of others they are refused. Empty: PURGE is a "
		"method as any other, and goes to the origin."},
};
/* clang-format on */
const struct conf_table purge_options_table = {
	.name = "purge",
	.struct_bytes = sizeof(struct purge_settings),
	.fields = fields,
	.count = COUNT_OF(fields),
};
#undef AT
