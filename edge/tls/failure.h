/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a handshake failed, from what OpenSSL left in its error queue: which kind, and one line for
 * people that says whose fault it is.
 */
#pragma once

#include <openssl/ssl.h>

#include "edge/base/slice.h"
#include "edge/tls/local.h"

/* Which of RFC 9209's TLS errors a failed handshake with an origin is. */
enum tls_failure {
	TLS_FAILED_PROTOCOL,
	TLS_FAILED_CERTIFICATE, /* not trusted, not for this name, expired */
	TLS_FAILED_ALERT,       /* the peer refused with an alert */
	TLS_FAILED_CLOSED,
};

enum { FAILURE_BYTES = 256 };

/* The kind of the failure in the queue; an empty queue: the peer has gone. Writes a line about
 * it; of certificates failure_of_certificate knows more. */
enum tls_failure failure_judge(char text[FAILURE_BYTES]);
/* Writes what is wrong with a certificate of an origin. name: that it should speak for. */
void failure_of_certificate(X509_STORE_CTX *, const char *name, char text[FAILURE_BYTES]);
/* Counts a client's failed handshake by the failure in the queue. True when the client spoke
 * plain HTTP. */
bool failure_count(const SSL *, struct tls_meters *);
