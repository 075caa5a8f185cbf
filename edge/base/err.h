/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every failure that Larder knows, in one table: its name (as logs, metrics and Cache-Status's
 * detail show it), who is to blame, the status a client gets when the failure ends its request,
 * and one line for people.
 *
 * A failure is not an outcome: a miss, a wait, a 304 are values of their own enums. A failure is
 * not a bug either: what cannot be goes to must().
 */
#pragma once

#include "edge/base/base.h"

/* clang-format off */
#define ERRS(X) \
	X(NONE,               NOBODY,   0,   "no failure") \
	X(BAD_REQUEST,        PEER,     400, "the request is malformed") \
	X(BAD_FRAMING,        PEER,     400, "where the request's body ends is ambiguous") \
	X(BAD_HOST,           PEER,     400, "the Host field is missing, doubled or malformed") \
	X(BAD_TARGET,         PEER,     400, "the request target is malformed or disagrees with Host") \
	X(BAD_FIELD,          PEER,     400, "a field line is malformed") \
	X(METHOD_REFUSED,     PEER,     405, "the method is not served here") \
	X(HEAD_TIMEOUT,       PEER,     408, "the request head took too long") \
	X(BODY_TIMEOUT,       PEER,     408, "the request body took too long") \
	X(BODY_TOO_LARGE,     PEER,     413, "the request body is larger than allowed") \
	X(LINE_TOO_LONG,      PEER,     414, "the request line is longer than allowed") \
	X(EXPECT_UNKNOWN,     PEER,     417, "the expectation is not known") \
	X(HEAD_TOO_LARGE,     PEER,     431, "the request's fields are larger than allowed") \
	X(TOO_MANY_FIELDS,    PEER,     431, "the request has more fields than allowed") \
	X(CLIENT_GONE,        PEER,     499, "the client closed its connection") \
	X(CLIENT_STALLED,     PEER,     499, "the client stopped reading") \
	X(CODING_UNKNOWN,     PEER,     501, "the transfer coding is not known") \
	X(VERSION_UNKNOWN,    PEER,     505, "the HTTP version is not served") \
	X(ORIGIN_CONNECT,     ORIGIN,   502, "no address of the origin took a connection") \
	X(ORIGIN_CLOSED,      ORIGIN,   502, "the origin closed before its answer") \
	X(ORIGIN_TRUNCATED,   ORIGIN,   502, "the origin's answer ended early") \
	X(ORIGIN_MALFORMED,   ORIGIN,   502, "the origin's answer is malformed") \
	X(ORIGIN_HEAD_LARGE,  ORIGIN,   502, "the origin's fields are larger than allowed") \
	X(ORIGIN_RESOLVE,     ORIGIN,   502, "the origin's name has no address") \
	X(ORIGIN_CONNECT_SLOW,ORIGIN,   504, "connecting to the origin took too long") \
	X(ORIGIN_SLOW,        ORIGIN,   504, "the origin took too long") \
	X(ORIGIN_STALLED,     ORIGIN,   504, "the origin stopped in the middle of its answer") \
	X(NO_ORIGIN,          ORIGIN,   503, "the route's origin has no address") \
	X(LOOP,               PEER,     508, "the request has come through here before") \
	X(NO_ROUTE,           PEER,     404, "no route serves this host and path") \
	X(ONLY_IF_CACHED,     NOBODY,   504, "only-if-cached, and nothing usable is stored") \
	X(BUSY,               RESOURCE, 503, "too much is under way already") \
	X(NO_MEMORY,          RESOURCE, 503, "out of memory") \
	X(NO_FDS,             RESOURCE, 503, "out of file descriptors") \
	X(STORE_IO,           RESOURCE, 503, "the store's disk failed") \
	X(STORE_CORRUPT,      RESOURCE, 503, "a stored record does not check") \
	X(STORE_LOCKED,       RESOURCE, 503, "another process holds the store") \
	X(SYSTEM,             RESOURCE, 500, "a system call failed") \
	X(CANCELLED,          NOBODY,   503, "given up by its owner") \
	X(SHUTDOWN,           NOBODY,   503, "Larder is stopping") \
	X(CONF,               CONFIG,   500, "the configuration is not valid")
/* clang-format on */

/* clang-format off */
enum [[nodiscard]] err {
#define X(name, blame, status, text) ERR_##name,
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

/* The status that answers a request which ends with this failure. */
uint16_t err_status(enum err);

enum err_blame err_blame(enum err);
