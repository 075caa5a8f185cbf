/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PEM files: certificates, private keys, revocation lists. What is wrong with one is told in a line
 * for people: the file, what is wrong, what to do.
 *
 * OpenSSL leaves its complaints in a queue of the thread, where the next SSL_get_error would take
 * them for its own: why_conf empties it, and so must who fails in another way.
 */
#pragma once

#include <openssl/x509.h>

#include "edge/base/err.h"
#include "edge/base/slice.h"

/* Where a line for people goes. */
struct why {
	char *at;
	size_t room; /* with the NUL */
};

/* Writes the line. Returns ERR_CONF; ERR_NO_MEMORY when that is what OpenSSL failed of. */
enum err why_conf(struct why, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* OpenSSL's own words on its last failure on this thread. Static. */
const char *why_openssl(void);

/* Reads all certificates of a file, in its order. own: the caller frees them with the stack.
 * fail: ERR_CONF also when there is none; ERR_NO_MEMORY. thread: not a worker's. */
enum err pem_certificates(struct slice path, STACK_OF(X509) * *ret, struct why);
/* Reads all revocation lists of a file; otherwise as pem_certificates. */
enum err pem_lists(struct slice path, STACK_OF(X509_CRL) * *ret, struct why);
/* Reads the first private key of a file; one behind a password is refused. own: EVP_PKEY_free.
 * thread: not a worker's. */
enum err pem_key(struct slice path, EVP_PKEY **ret, struct why);
