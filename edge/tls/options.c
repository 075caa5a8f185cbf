/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/options.h"

static const char *check_file(struct slice s)
{
	return s.len > 0 ? NULL : "is no file; write the path of a PEM file";
}

static const char *check_protocol(struct slice s)
{
	bool is_known = slice_eq(s, SL("h2")) || slice_eq(s, SL("http/1.1"));
	return is_known ? NULL : "is no protocol that is served; write h2 or http/1.1";
}

/* Of a name for SNI: no port, no scheme (RFC 6066 3). */
static const char *check_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || strchr("/?#@[]", s.at[i]))
			return "is not a host name; write a name alone, without port or scheme";
	return s.len < 256 ? NULL : "is longer than a host name can be";
}

static const char *const versions[] = { "1.2", "1.3", NULL };
static const char *const unknown_names[] = { "default", "refuse", NULL };
static const char *const client_certificates[] = { "off", "optional", "required", NULL };

#define AT(member) offsetof(struct tls_pair_options, member)
/* clang-format off */
static const struct conf_field pair_fields[] = {
	{"cert", CONF_STRING, AT(cert), .example = "/etc/larder/tls/shop.example.pem",
	 .check = check_file,
	 .doc = "PEM file of the certificate, then of those that lead up to the authority's."},
	{"key", CONF_STRING, AT(key), .example = "/etc/larder/tls/shop.example.key",
	 .check = check_file,
	 .doc = "PEM file of its private key, without a password: RSA, EC or Ed25519."},
};
/* clang-format on */
static const struct conf_table pair_table = {
	"a certificate",
	sizeof(struct tls_pair_options),
	pair_fields,
	COUNT_OF(pair_fields),
};
#undef AT

#define AT(member) offsetof(struct tls_options, member)
/* clang-format off */
static const struct conf_field fields[] = {
	{"certificates", CONF_SECTIONS, AT(certificates), 0, 100000, "[]", .table = &pair_table,
	 .doc = "Certificates of https listeners; the name that a client asks for chooses. The first "
		"is the default. An EC and an RSA one may stand for the same name: the client's "
		"offer decides."},
	{"unknown-name", CONF_WORD, AT(unknown_name), .fallback = "default", .words = unknown_names,
	 .doc = "What a client sees that asks for a name of no certificate, or for none: the default "
		"certificate, or a refusal."},
	{"min-version", CONF_WORD, AT(min_version), .fallback = "1.2", .words = versions,
	 .doc = "The oldest TLS that is spoken."},
	{"ciphers", CONF_STRING, AT(ciphers), .fallback = "",
	 .doc = "Cipher suites of TLS 1.2 as OpenSSL writes them; empty = Mozilla's intermediate list."},
	{"alpn", CONF_STRINGS, AT(alpn), 0, 2, "[h2, http/1.1]", .check = check_protocol,
	 .doc = "Protocols offered to clients, the preferred one first."},
	{"handshake-timeout", CONF_DURATION, AT(handshake_ms), 100, CONF_HOURS(1), "10s",
	 .doc = "From a connection's first moment to the end of its handshake."},
	{"tickets", CONF_BOOL, AT(tickets), .fallback = "true",
	 .doc = "Whether clients may resume a session, which spares both sides most of a handshake."},
	{"ticket-rotation", CONF_DURATION, AT(ticket_rotation_ms), CONF_SECONDS(60), CONF_DAYS(7),
	 "12h",
	 .doc = "How long a key seals tickets. It opens them for two rotations more, then is gone."},
	{"ticket-keys", CONF_STRING, AT(ticket_keys), .fallback = "",
	 .doc = "File of one to three ticket keys that several nodes share, newest first, one a line, "
		"as `openssl rand -hex 80` writes them. Who writes it rotates them. Empty = keys of "
		"this process."},
	{"early-data", CONF_BOOL, AT(early_data), .fallback = "false",
	 .doc = "Whether a request may come with the first flight of a resumed session (0-RTT). Such "
		"a session can be resumed once, at this process. Needs tickets; not together with "
		"client-certificate."},
	{"client-certificate", CONF_WORD, AT(client_certificate), .fallback = "off",
	 .words = client_certificates,
	 .doc = "Whether clients are asked for a certificate, and must have one. One that client-ca "
		"does not vouch for fails the handshake, also when it is optional."},
	{"client-ca", CONF_STRING, AT(client_ca), .fallback = "",
	 .doc = "PEM file of the authorities that sign clients' certificates."},
	{"client-crl", CONF_STRING, AT(client_crl), .fallback = "",
	 .doc = "PEM file of revocation lists, one from each authority of a client's chain: without "
		"a current one nobody is let in. Empty = revocation is not checked."},
};
/* clang-format on */
const struct conf_table tls_options_table = {
	"tls",
	sizeof(struct tls_options),
	fields,
	COUNT_OF(fields),
};
#undef AT

#define AT(member) offsetof(struct tls_client_options, member)
/* clang-format off */
static const struct conf_field client_fields[] = {
	{"verify", CONF_BOOL, AT(verify), .fallback = "true",
	 .doc = "Whether the origin's certificate must be trusted and speak for its name. Without "
		"that, who stands in the way can read and change everything."},
	{"ca", CONF_STRING, AT(ca), .fallback = "",
	 .doc = "PEM file of the certificates to trust; empty = the system's authorities."},
	{"server-name", CONF_STRING, AT(server_name), .fallback = "", .check = check_name,
	 .doc = "The name to ask the origin for and to check; empty = the host of its address."},
	{"cert", CONF_STRING, AT(cert), .fallback = "",
	 .doc = "PEM file of a certificate that says who we are, with its chain; empty = none."},
	{"key", CONF_STRING, AT(key), .fallback = "",
	 .doc = "PEM file of that certificate's private key, without a password."},
	{"min-version", CONF_WORD, AT(min_version), .fallback = "1.2", .words = versions,
	 .doc = "The oldest TLS that is spoken."},
	{"handshake-timeout", CONF_DURATION, AT(handshake_ms), 10, CONF_HOURS(1), "5s",
	 .doc = "From the connection to the end of its handshake."},
};
/* clang-format on */
const struct conf_table tls_client_options_table = {
	"tls to an origin",
	sizeof(struct tls_client_options),
	client_fields,
	COUNT_OF(client_fields),
};
