/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificates stand for a name: a sorted array, asked for the name as it is and then for its
 * wildcard, so that ten thousand names cost two searches of fourteen steps. One name has at most
 * one certificate of each kind of key; of several the first in the operator's order counts.
 */
#pragma once

#include "edge/tls/cert.h"

enum name_kind { NAME_EC, NAME_RSA, NAME_ED25519, NAME_KINDS };
enum { NAME_ROOM = 256 };

/* A name and who speaks for it. */
struct tls_named {
	struct slice name;
	const struct cert *certs[NAME_KINDS]; /* NULL = none of that kind */
};

struct tls_names {
	struct tls_named fallback; /* the first certificate, and those of its first name */
	size_t count;
	struct tls_named at[]; /* sorted by name */
};

/* Makes the index of certificates, at least one. own: tls_names_free; the certificates stay the
 * caller's and must outlive it. fail: ERR_NO_MEMORY. */
enum err tls_names_new(struct cert *const *certs, size_t count, struct tls_names **ret);
/* Who speaks for a host as tls_name_of gives it; NULL = nobody. */
const struct tls_named *tls_names_find(const struct tls_names *, struct slice host);
void tls_names_free(struct tls_names **);

/* A name that a client asked for, in lower case, without a final dot. Empty when there is none, or
 * none that a host can have. asked: NULL = none. rfc: 6066 3. */
struct slice tls_name_of(const char *asked, char room[NAME_ROOM]);
