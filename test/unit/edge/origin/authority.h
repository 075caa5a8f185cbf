/* SPDX-License-Identifier: Apache-2.0 */
/* A CA that signs what a test wants signed, and the servers' side of TLS made of that. */
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "edge/base/base.h"

struct authority {
	EVP_PKEY *key;
	X509 *cert;
	char path[64]; /* of its certificate as PEM */
};

enum { DAY_S = 24 * 60 * 60 };

static inline void certificate_add(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must(e && X509_add_ext(cert, e, -1));
	X509_EXTENSION_free(e);
}

/* Signs a key. alt: "DNS:a.example,IP:127.0.0.1", or NULL for a CA. days: until it expires, may be
 * negative. issuer NULL = itself. */
static inline X509 *certificate_new(
    EVP_PKEY *key, const struct authority *issuer, const char *alt, int days)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	char common[32];
	snprintf(common, sizeof(common), "%s %ld", alt ? "leaf" : "ca", random());
	ASN1_INTEGER_set(X509_get_serialNumber(cert), random());
	X509_set_version(cert, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(cert), -10L * DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * DAY_S);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0);
	X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer->cert) : name);
	X509_set_pubkey(cert, key);
	X509 *by = issuer ? issuer->cert : cert;
	certificate_add(
	    cert, by, NID_basic_constraints, alt ? "critical,CA:FALSE" : "critical,CA:TRUE");
	if (alt)
		certificate_add(cert, by, NID_subject_alt_name, alt);
	must(X509_sign(cert, issuer ? issuer->key : key, EVP_sha256()) > 0);
	return cert;
}

static inline void authority_init(struct authority *a)
{
	a->key = EVP_EC_gen("P-256");
	a->cert = certificate_new(a->key, NULL, NULL, 10);
	snprintf(a->path, sizeof(a->path), "/tmp/larder-unit-ca-XXXXXX");
	int fd = mkstemp(a->path);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	must(file && PEM_write_X509(file, a->cert) && fclose(file) == 0);
}

static inline void authority_fini(struct authority *a)
{
	unlink(a->path);
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
}

/* A server's side that shows a certificate of this CA. own: SSL_CTX_free. */
static inline SSL_CTX *authority_serve(const struct authority *a, const char *alt, int days)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = certificate_new(key, a, alt, days);
	must(SSL_CTX_use_certificate(tls, cert) && SSL_CTX_use_PrivateKey(tls, key));
	SSL_CTX_set_session_id_context(tls, (const unsigned char *)"unit", 4);
	X509_free(cert);
	EVP_PKEY_free(key);
	return tls;
}
