/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/context.h"

#include <openssl/err.h>

/* Of a chain's certificates between leaf and authority. */
enum { CHAIN_DEPTH = 6 };

enum err context_new(const SSL_METHOD *method, int min_version, SSL_CTX **ret)
{
	char groups[] = "X25519:P-256:P-384";
	SSL_CTX *context = SSL_CTX_new(method);
	ERR_clear_error();
	if (!context)
		return ERR_NO_MEMORY;
	must(SSL_CTX_set_min_proto_version(
	    context, min_version == TLS_VERSION_13 ? TLS1_3_VERSION : TLS1_2_VERSION));
	must(SSL_CTX_set1_groups_list(context, groups));
	SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	/* The line's records leave from a pad of its own: a moving buffer, and parts, are usual. */
	SSL_CTX_set_mode(context,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_read_ahead(context, 1);
	*ret = context;
	return ERR_NONE;
}

enum err context_show(SSL_CTX *context, const struct cert *c, struct why why)
{
	if (SSL_CTX_use_cert_and_key(context, c->leaf, c->key, c->chain, 1) == 1)
		return ERR_NONE;
	return why_conf(
	    why, "%s: cannot be shown: %s; have a stronger one made", c->path, why_openssl());
}

void context_trust(SSL_CTX *context, const struct trust *trust)
{
	SSL_CTX_set1_cert_store(context, trust->store);
	SSL_CTX_set_verify_depth(context, CHAIN_DEPTH);
}
