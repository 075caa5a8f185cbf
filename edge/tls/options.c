/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/options.h"

/* ---- checks ---- */

static const char *check_file(struct slice s)
{
	return s.len > 0 ? NULL : "is no file; write the path of a PEM file";
}

/* What OpenSSL's cipher lists are made of; whether a name is known is for OpenSSL to say. */
static const char *check_ciphers(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.at[i]);
		if (!is_digit(c) && (c < 'a' || c > 'z') && !strchr(":-_+!@=,. ", c))
			return "is not a list of ciphers; write one as openssl ciphers takes it";
	}
	return NULL;
}

static const char *check_protocol(struct slice s)
{
	return slice_eq(s, SL("h2")) || slice_eq(s, SL("http/1.1"))
	    ? NULL
	    : "is not a protocol that Larder speaks; write h2 or http/1.1";
}

static const char *check_server_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || strchr(":/?#@[]*", s.at[i]))
			return "is not a server's name; write it without a port: app.example";
	return NULL;
}

static const char *const unknown_names[] = { "default", "refuse", NULL };
static const char *const versions[] = { "1.2", "1.3", NULL };
static const char *const client_certificates[] = { "off", "optional", "required", NULL };

/* ---- to clients ---- */

#define AT(member) offsetof(struct tls_pair_options, member)
/* clang-format off */
static const struct conf_field pair_fields[] = {
	{"cert", CONF_STRING, AT(cert), .example = "/etc/larder/shop.pem", .check = check_file,
	 .doc = "PEM file of the certificate, followed by those that lead from it to its CA's root."},
	{"key", CONF_STRING, AT(key), .example = "/etc/larder/shop.key", .check = check_file,
	 .doc = "PEM file of its private key, without a password."},
};
/* clang-format on */
static const struct conf_table pair_table = {
	.name = "a certificate",
	.struct_bytes = sizeof(struct tls_pair_options),
	.fields = pair_fields,
	.count = COUNT_OF(pair_fields),
};
#undef AT

#define AT(member) offsetof(struct tls_options, member)
/* clang-format off */
static const struct conf_field server_fields[] = {
	{"certificates", CONF_SECTIONS, AT(certificates), 0, 10000, "[]", .table = &pair_table,
	 .example = "[{cert: /etc/larder/shop.pem, key: /etc/larder/shop.key}]",
	 .doc = "Certificates with their keys, chosen by the name that a client asks for; the first is "
		"the default. For one name, an ECDSA and an RSA one may stand side by side."},
	{"unknown-name", CONF_WORD, AT(unknown_name), .fallback = "default", .words = unknown_names,
	 .doc = "What a client gets that asks for a name without a certificate, or for none: the "
		"default certificate, or no connection."},
	{"min-version", CONF_WORD, AT(min_version), .fallback = "1.2", .words = versions,
	 .doc = "The oldest TLS that is spoken. 1.3 shuts out clients from before 2018."},
	{"ciphers", CONF_STRING, AT(ciphers), .fallback = "", .check = check_ciphers,
	 .doc = "Ciphers of TLS 1.2, as OpenSSL writes them; empty = Mozilla's intermediate list. "
		"Those of TLS 1.3 are all good and not chosen from."},
	{"alpn", CONF_STRINGS, AT(alpn), 1, 2, "[h2, http/1.1]", .check = check_protocol,
	 .doc = "Protocols offered, the preferred one first: h2 is HTTP/2."},
	{"handshake-timeout", CONF_DURATION, AT(handshake_ms), 100, CONF_HOURS(1), "10s",
	 .doc = "From the connection to the end of its handshake; a slower client is cut off."},
	{"tickets", CONF_BOOL, AT(tickets), .fallback = "true",
	 .doc = "Lets clients resume a session, which spares both sides most of the handshake."},
	{"ticket-rotation", CONF_DURATION, AT(ticket_rotation_ms), CONF_SECONDS(60), CONF_DAYS(7),
	 "12h",
	 .doc = "How often the key that seals tickets is changed. A key opens tickets for two rotations "
		"more; until then it can open what was recorded under TLS 1.2."},
	{"ticket-keys", CONF_STRING, AT(ticket_keys), .fallback = "",
	 .doc = "File of ticket keys that several nodes share, so that a session resumes on each of "
		"them; empty = keys of this process, which nobody else has."},
	{"early-data", CONF_BOOL, AT(early_data), .fallback = "false",
	 .doc = "Takes the requests that a returning client sends within its first packet (0-RTT). "
		"Whoever records them can send them again, so only safe methods are served from it."},
	{"client-certificate", CONF_WORD, AT(client_certificate), .fallback = "off",
	 .words = client_certificates,
	 .doc = "Whether clients are asked for a certificate, and whether those without a valid one get "
		"no connection. security.client-certificate says which routes need one."},
	{"client-ca", CONF_STRING, AT(client_ca), .fallback = "",
	 .doc = "PEM file of the CAs that sign clients' certificates."},
	{"client-crl", CONF_STRING, AT(client_crl), .fallback = "",
	 .doc = "PEM file of these CAs' revocation lists; empty = none is looked at."},
};
/* clang-format on */
const struct conf_table tls_options_table = {
	.name = "tls",
	.struct_bytes = sizeof(struct tls_options),
	.fields = server_fields,
	.count = COUNT_OF(server_fields),
};
#undef AT

/* ---- to origins ---- */

#define AT(member) offsetof(struct tls_client_options, member)
/* clang-format off */
static const struct conf_field client_fields[] = {
	{"verify", CONF_BOOL, AT(verify), .fallback = "true",
	 .doc = "Whether the origin must show a certificate that a CA vouches for, with its name. "
		"Without that anybody on the way can read and change everything."},
	{"ca", CONF_STRING, AT(ca), .fallback = "",
	 .doc = "PEM file of the CAs that vouch for it; empty = the system's."},
	{"server-name", CONF_STRING, AT(server_name), .fallback = "", .check = check_server_name,
	 .doc = "The name that it is asked for (SNI) and that its certificate must have; empty = the "
		"host of the address."},
	{"cert", CONF_STRING, AT(cert), .fallback = "",
	 .doc = "PEM file of the certificate that Larder shows to it; empty = none."},
	{"key", CONF_STRING, AT(key), .fallback = "",
	 .doc = "PEM file of that certificate's private key."},
	{"min-version", CONF_WORD, AT(min_version), .fallback = "1.2", .words = versions,
	 .doc = "The oldest TLS that is spoken."},
	{"handshake-timeout", CONF_DURATION, AT(handshake_ms), 10, CONF_HOURS(1), "5s",
	 .doc = "For the handshake with one address; then the next address is tried."},
};
/* clang-format on */
const struct conf_table tls_client_options_table = {
	.name = "tls",
	.struct_bytes = sizeof(struct tls_client_options),
	.fields = client_fields,
	.count = COUNT_OF(client_fields),
};
#undef AT
