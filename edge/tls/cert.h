/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate with its chain and its private key, read from files: which names it speaks for,
 * until when, and whether the two belong together. Immutable once loaded, and counted: contexts of
 * several loops show the same one.
 */
#pragma once

#include <openssl/ssl.h>

#include "edge/base/arena.h"
#include "edge/base/clock.h"
#include "edge/base/err.h"
#include "edge/tls/options.h"

enum { CERT_WHY_BYTES = 256 };

struct cert {
	_Atomic uint32_t refs;
	/* fixed after cert_load */
	struct arena texts;
	X509 *leaf;
	STACK_OF(X509) * chain; /* without the leaf; may be empty */
	EVP_PKEY *key;
	int key_type; /* EVP_PKEY_RSA, EVP_PKEY_EC, EVP_PKEY_ED25519 */
	/* Of the subject alternative names, lower case: "*.shop.example", "192.0.2.1",
	 * "2001:db8::1". The common name only when there are no alternative names at all. */
	struct slice *names;
	size_t name_count;
	struct wall not_before, not_after;
	char *path;           /* of the certificate's file */
	char fingerprint[65]; /* SHA-256, hex */
	char subject[128];    /* the first name, for people */
};

/*
 * Reads a pair. own: cert_unref. fail: ERR_CONF with one line for people in `why`: a file that
 * cannot be read, no certificate in it, a key that does not match, a key behind a password.
 * thread: not on a worker's loop, it reads files.
 */
enum err cert_load(const struct tls_pair_options *, struct cert **ret, char why[CERT_WHY_BYTES]);
struct cert *cert_ref(struct cert *);
void cert_unref(struct cert **);
/* Whether it speaks for a host: lower case, no port, no final dot; an IPv6 address may stand in
 * brackets. A wildcard stands for one label, the first. rfc: 6125 6.4, 9110 4.3.4. */
bool cert_speaks_for(const struct cert *, struct slice host);
/* Days until it expires, rounded down; negative = expired. */
int64_t cert_days_left(const struct cert *, struct wall now);
