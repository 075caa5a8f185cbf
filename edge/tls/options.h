/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator says of TLS: as a server, to clients, and as a client, to origins. */
#pragma once

#include "edge/conf/field.h"

enum tls_version { TLS_VERSION_12, TLS_VERSION_13 };
enum tls_unknown_name { TLS_UNKNOWN_DEFAULT, TLS_UNKNOWN_REFUSE };
enum tls_client_certificate { TLS_CLIENT_OFF, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };

/* A certificate with its chain, and the private key, as PEM files. */
struct tls_pair_options {
	struct slice cert;
	struct slice key;
};

struct tls_options {
	struct conf_list certificates; /* struct tls_pair_options; the first is the default */
	int unknown_name;              /* enum tls_unknown_name */
	int min_version;               /* enum tls_version */
	struct slice ciphers;          /* TLS 1.2; empty = Mozilla's intermediate list */
	struct conf_strings alpn;      /* "h2", "http/1.1", in order of preference */
	int64_t handshake_ms;          /* from the connection to the end of its handshake */
	bool tickets;                  /* resumption (RFC 8446 2.2) */
	int64_t ticket_rotation_ms; /* a new key each; a key opens tickets for two rotations more */
	struct slice ticket_keys;   /* file shared between nodes; empty = keys of this process */
	bool early_data;            /* 0-RTT (RFC 8446 2.3) */
	int client_certificate;     /* enum tls_client_certificate */
	struct slice client_ca;     /* PEM file of the CAs that sign clients' certificates */
	struct slice client_crl;    /* PEM file of revocation lists; empty = none */
};

/* To an origin. */
struct tls_client_options {
	bool verify;              /* the origin's certificate and name */
	struct slice ca;          /* PEM file of CAs; empty = the system's */
	struct slice server_name; /* for SNI and the name check; empty = the address's host */
	struct slice cert, key;   /* our own certificate, as PEM files; empty = none */
	int min_version;          /* enum tls_version */
	int64_t handshake_ms;
};

extern const struct conf_table tls_options_table;
extern const struct conf_table tls_client_options_table;
