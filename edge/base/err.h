/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every failure that Larder knows, in one table: its name (as logs, metrics and Cache-Status's
 * detail show it), who is to blame, the status a client gets when the failure ends its request,
 * the error type that Proxy-Status gives it (RFC 9209 2.3; empty = none) and one line for people.
 *
 * A failure is not an outcome: a miss, a wait, a 304 are values of their own enums. A failure is
 * not a bug either: what cannot be goes to must().
 */
#pragma once

#include "edge/base/base.h"

/* clang-format off */
#define ERRS(X) \
	X(NONE,               NOBODY,   0, "", "no failure") \
	X(BAD_REQUEST,        PEER,     400, "", "the request is malformed") \
	X(BAD_FRAMING,        PEER,     400, "", "where the request's body ends is ambiguous") \
	X(BAD_HOST,           PEER,     400, "", "the Host field is missing, doubled or malformed") \
	X(BAD_TARGET,         PEER,     400, "", "the request target is malformed or disagrees with Host") \
	X(BAD_FIELD,          PEER,     400, "", "a field line is malformed") \
	X(METHOD_REFUSED,     PEER,     405, "", "the method is not served here") \
	X(CERT_REQUIRED,      PEER,     403, "", "a client certificate is required here") \
	X(PURGE_REFUSED,      PEER,     403, "", "purging is not allowed from this address") \
	X(HTTPS_REQUIRED,     PEER,     403, "", "this is served over https alone") \
	X(HEAD_TIMEOUT,       PEER,     408, "", "the request head took too long") \
	X(BODY_TIMEOUT,       PEER,     408, "", "the request body took too long") \
	X(BODY_TOO_LARGE,     PEER,     413, "", "the request body is larger than allowed") \
	X(LINE_TOO_LONG,      PEER,     414, "", "the request line is longer than allowed") \
	X(MISDIRECTED,        PEER,     421, "", "this connection is not for that host") \
	X(TOO_MANY_TAGS,      PEER,     422, "", "a purge of more than 10,000 tags: send it in parts") \
	X(BAD_PATTERN,        PEER,     422, "", "the expression or pattern cannot be read") \
	X(TOO_EARLY,          PEER,     425, "", "not to be answered from early data") \
	X(EXPECT_UNKNOWN,     PEER,     417, "", "the expectation is not known") \
	X(HEAD_TOO_LARGE,     PEER,     431, "", "the request's fields are larger than allowed") \
	X(TOO_MANY_FIELDS,    PEER,     431, "", "the request has more fields than allowed") \
	X(CLIENT_GONE,        PEER,     499, "", "the client closed its connection") \
	X(CLIENT_STALLED,     PEER,     499, "", "the client stopped reading") \
	X(CLIENT_ABUSE,       PEER,     400, "", "the client abuses the protocol") \
	X(TUNNEL_IDLE,        NOBODY,   408, "", "neither side of the tunnel sent a byte for too long") \
	X(CODING_UNKNOWN,     PEER,     501, "", "the transfer coding is not known") \
	X(PROTOCOL_UNKNOWN,   PEER,     501, "", "the protocol to switch to is not served") \
	X(VERSION_UNKNOWN,    PEER,     505, "", "the HTTP version is not served") \
	X(ORIGIN_CONNECT,     ORIGIN,   502, "connection_refused", "no address of the origin took a connection") \
	X(ORIGIN_CLOSED,      ORIGIN,   502, "connection_terminated", "the origin closed before its answer") \
	X(ORIGIN_TRUNCATED,   ORIGIN,   502, "http_response_incomplete", "the origin's answer ended early") \
	X(ORIGIN_MALFORMED,   ORIGIN,   502, "http_protocol_error", "the origin's answer is malformed") \
	X(ORIGIN_HEAD_LARGE,  ORIGIN,   502, "http_response_header_section_size", "the origin's fields are larger than allowed") \
	X(ORIGIN_RESOLVE,     ORIGIN,   502, "dns_error", "the origin's name has no address") \
	X(ORIGIN_TLS,         ORIGIN,   502, "tls_protocol_error", "TLS with the origin failed") \
	X(ORIGIN_CERT,        ORIGIN,   502, "tls_certificate_error", "the origin's certificate is not trusted") \
	X(ORIGIN_ALERT,       ORIGIN,   502, "tls_alert_received", "the origin refused TLS") \
	X(ORIGIN_CONNECT_SLOW,ORIGIN,   504, "connection_timeout", "connecting to the origin took too long") \
	X(ORIGIN_SLOW,        ORIGIN,   504, "http_response_timeout", "the origin took too long") \
	X(ORIGIN_STALLED,     ORIGIN,   504, "connection_read_timeout", "the origin stopped in the middle of its answer") \
	X(NO_ORIGIN,          ORIGIN,   503, "destination_unavailable", "the route's origin has no address") \
	X(LOOP,               PEER,     508, "proxy_loop_detected", "the request has come through here before") \
	X(NO_ROUTE,           PEER,     404, "destination_not_found", "no route serves this host and path") \
	X(ONLY_IF_CACHED,     NOBODY,   504, "", "only-if-cached, and nothing usable is stored") \
	X(BUSY,               RESOURCE, 503, "connection_limit_reached", "too much is under way already") \
	X(NO_MEMORY,          RESOURCE, 503, "proxy_internal_error", "out of memory") \
	X(NO_FDS,             RESOURCE, 503, "proxy_internal_error", "out of file descriptors") \
	X(STORE_IO,           RESOURCE, 503, "", "the store's disk failed") \
	X(STORE_CORRUPT,      RESOURCE, 503, "", "a stored record does not check") \
	X(STORE_LOCKED,       RESOURCE, 503, "", "another process holds the store") \
	X(STORE_NEWER,        RESOURCE, 503, "", "a newer program wrote the store") \
	X(SYSTEM,             RESOURCE, 500, "proxy_internal_error", "a system call failed") \
	X(CANCELLED,          NOBODY,   503, "", "given up by its owner") \
	X(SHUTDOWN,           NOBODY,   503, "", "Larder is stopping") \
	X(BAD_ORDER,          PEER,     422, "", "what was asked for makes no sense") \
	X(CONF,               CONFIG,   500, "", "the configuration is not valid")
/* clang-format on */

/* clang-format off */
enum [[nodiscard]] err {
#define X(name, blame, status, proxy_error, text) ERR_##name,
	ERRS(X)
#undef X
	ERR_COUNT
};
/* clang-format on */

enum err_blame { BLAME_NOBODY, BLAME_PEER, BLAME_ORIGIN, BLAME_RESOURCE, BLAME_CONFIG };

/* The failure's name in lower case with hyphens: a token fit for a label. Static. */
const char *err_name(enum err);

/* One line for people. Static. */
const char *err_text(enum err);

/* The error type of Proxy-Status; empty when the failure has none. Static. rfc: 9209 2.3. */
const char *err_proxy_error(enum err);

/* The status that answers a request which ends with this failure. */
uint16_t err_status(enum err);

enum err_blame err_blame(enum err);
