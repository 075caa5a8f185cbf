/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/options.h"

#include "edge/admin/token.h"
#include "edge/conf/address.h"

#define AT(member) offsetof(struct admin_settings, member)
/* clang-format off */
static const struct conf_field fields[] = {
	{"listen", CONF_STRING, AT(listen), .fallback = "off", .check = address_check_admin,
	 .doc = "host:port, https://host:port, unix:/path or off. Who may open the unix socket, its owner "
		"and group, may do everything; so may whoever reaches a port, unless tokens or "
		"client-ca say otherwise."},
	{"allow", CONF_STRINGS, AT(allow), 0, 1000, "[]", .check = address_check_block,
	 .doc = "Addresses and blocks that may ask at a port; others get 403. None = all."},
	{"tokens", CONF_STRING, AT(tokens), .fallback = "",
	 .doc = "File of the bearer tokens that count at a port, one a line: NAME SCOPES SHA256HEX "
		"[RATE], as larderctl token new prints it. It is read again when it changes. Scopes "
		"are read, purge:select, purge:all and admin; a rate is of changes, as in 10/s. "
		"Empty = none is asked for. /healthz, /readyz and /metrics need none."},
	{"cert", CONF_STRING, AT(cert), .fallback = "",
	 .doc = "PEM file of the certificate of https://, with its chain."},
	{"key", CONF_STRING, AT(key), .fallback = "",
	 .doc = "PEM file of its private key, without a password."},
	{"client-ca", CONF_STRING, AT(client_ca), .fallback = "",
	 .doc = "PEM file of the CAs that sign clients' certificates; each client of https:// must "
		"show one then. Empty = none is asked for."},
	{"client-scopes", CONF_STRINGS, AT(client_scopes), 1, 4, "[read]", .check = grant_check,
	 .doc = "What a client with a certificate and no token may do."},
};
/* clang-format on */
const struct conf_table admin_options_table = {
	.name = "admin",
	.struct_bytes = sizeof(struct admin_settings),
	.fields = fields,
	.count = COUNT_OF(fields),
	.shorthand = "listen",
};
#undef AT

static bool is_https(struct slice listen)
{
	return slice_starts_nocase(listen, SL("https://"));
}

void admin_options_check(struct conf_load *load, const struct admin_settings *a)
{
	struct conf_path path = { "admin", 0, NULL };
	bool has_pair = a->cert.len > 0 && a->key.len > 0;
	if (slice_starts(a->listen, SL("unix:")) || slice_eq(a->listen, SL("off")))
		return; /* the rest is of a port; a flag may have named the socket for once */
	if (is_https(a->listen) && !has_pair)
		conf_problem(load, path, "https:// needs a certificate; name both cert and key");
	else if (!is_https(a->listen) && (a->cert.len > 0 || a->key.len > 0))
		conf_problem(load, path, "a certificate, and no https:// in front of listen");
	else if (!is_https(a->listen) && a->client_ca.len > 0)
		conf_problem(load, path,
		    "client-ca asks for certificates over TLS; write https:// in front of listen");
}

unsigned admin_client_scopes(const struct admin_settings *a)
{
	unsigned all = GRANT_NONE, one = GRANT_NONE;
	for (size_t i = 0; i < a->client_scopes.count; i++)
		if (grants_parse(a->client_scopes.at[i], &one))
			all |= one;
	return all;
}
