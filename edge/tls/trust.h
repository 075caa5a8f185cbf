/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose signature counts: authorities from a file or the system's, and their revocation lists. All
 * is read when it is made; a loop that verifies looks into no file.
 */
#pragma once

#include <openssl/x509.h>

#include "edge/tls/pem.h"

struct trust {
	X509_STORE *store;
	STACK_OF(X509_NAME) *
	    names; /* of the authorities, for clients to choose by; NULL = system's */
	unsigned char digest[32]; /* of all that was read: who trusts alike has the same */
};

/*
 * Trusts the certificates of a file, each by itself: a chain may end at an intermediate one, if
 * that is in the file. crl: a file of revocation lists for the whole chain, or empty. own:
 * trust_fini. fail: ERR_CONF, ERR_NO_MEMORY; nothing is left to free. thread: not a worker's.
 */
enum err trust_read(struct slice ca, struct slice crl, struct trust *ret, struct why);
/*
 * Trusts whom the system trusts. It is read anew when its file has changed, else shared: a thousand
 * origins do not keep a thousand copies. own, fail, thread: as trust_read.
 */
enum err trust_system(struct trust *ret, struct why);
/* Accepts a zeroed one. */
void trust_fini(struct trust *);
