/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a route asks of the connection that a request comes by, and the fields by which its answers
 * keep browsers safe. Added to what the origin says, never over it.
 */
#pragma once

#include "edge/base/buf.h"
#include "edge/conf/field.h"
#include "edge/http/msg.h"

enum https_policy {
	HTTPS_ANY,
	HTTPS_REDIRECT, /* http is sent to https by 308 */
	HTTPS_REQUIRE,  /* http is refused with 403 */
};
enum certificate_policy {
	CERTIFICATE_IGNORE,  /* the origin does not learn of it */
	CERTIFICATE_FORWARD, /* in Client-Cert, if there is one (RFC 9440) */
	CERTIFICATE_REQUIRE, /* and without one: 403 */
};

struct security {
	int https;           /* enum https_policy */
	uint64_t https_port; /* that a redirect names; 443 is not written */
	int64_t hsts_ms;     /* Strict-Transport-Security's max-age; 0 = the field is not sent */
	bool hsts_subdomains;
	bool hsts_preload;
	bool headers;           /* the default set of security fields */
	int client_certificate; /* enum certificate_policy */
};

extern const struct conf_table security_table;

/* Appends the field lines that an answer lacks. is_secure: it goes out over TLS (RFC 6797 7.2: HSTS
 * over TLS only). fields: what the answer has already. */
void security_lines(const struct security *, bool is_secure, const struct fields *, struct buf *);
