/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/trust.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>

/* ---- a file of the operator's ---- */

static bool add_authority(struct trust *t, X509 *ca, EVP_MD_CTX *sum)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(ca));
	if (!name || !sk_X509_NAME_push(t->names, name)) {
		X509_NAME_free(name);
		return false;
	}
	return X509_STORE_add_cert(t->store, ca) && X509_digest(ca, EVP_sha256(), digest, &len) &&
	    EVP_DigestUpdate(sum, digest, len);
}

static enum err add_authorities(struct trust *t, struct slice path, EVP_MD_CTX *sum, struct why why)
{
	STACK_OF(X509) * all;
	enum err e = pem_certificates(path, &all, why);
	if (e)
		return e;
	bool well = true;
	for (int i = 0; i < sk_X509_num(all) && well; i++)
		well = add_authority(t, sk_X509_value(all, i), sum);
	sk_X509_pop_free(all, X509_free);
	return well ? ERR_NONE : ERR_NO_MEMORY;
}

static bool add_list(struct trust *t, X509_CRL *list, EVP_MD_CTX *sum)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;
	return X509_STORE_add_crl(t->store, list) &&
	    X509_CRL_digest(list, EVP_sha256(), digest, &len) && EVP_DigestUpdate(sum, digest, len);
}

static enum err add_lists(struct trust *t, struct slice path, EVP_MD_CTX *sum, struct why why)
{
	STACK_OF(X509_CRL) * all;
	if (path.len == 0)
		return ERR_NONE;
	enum err e = pem_lists(path, &all, why);
	if (e)
		return e;
	bool well = X509_STORE_set_flags(
	    t->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	for (int i = 0; i < sk_X509_CRL_num(all) && well; i++)
		well = add_list(t, sk_X509_CRL_value(all, i), sum);
	sk_X509_CRL_pop_free(all, X509_CRL_free);
	return well ? ERR_NONE : ERR_NO_MEMORY;
}

static enum err fill(
    struct trust *t, struct slice ca, struct slice crl, EVP_MD_CTX *sum, struct why why)
{
	if (!EVP_DigestInit_ex2(sum, EVP_sha256(), NULL) ||
	    !X509_STORE_set_flags(t->store, X509_V_FLAG_PARTIAL_CHAIN))
		return ERR_NO_MEMORY;
	enum err e = add_authorities(t, ca, sum, why);
	if (!e)
		e = add_lists(t, crl, sum, why);
	if (!e && !EVP_DigestFinal_ex(sum, t->digest, NULL))
		e = ERR_NO_MEMORY;
	return e;
}

enum err trust_read(struct slice ca, struct slice crl, struct trust *ret, struct why why)
{
	struct trust t = { X509_STORE_new(), sk_X509_NAME_new_null(), { 0 } };
	EVP_MD_CTX *sum = EVP_MD_CTX_new();
	enum err e = t.store && t.names && sum ? fill(&t, ca, crl, sum, why) : ERR_NO_MEMORY;
	EVP_MD_CTX_free(sum);
	ERR_clear_error();
	if (e)
		trust_fini(&t);
	else
		*ret = t;
	return e;
}

void trust_fini(struct trust *t)
{
	X509_STORE_free(t->store);
	sk_X509_NAME_pop_free(t->names, X509_NAME_free);
	*t = (struct trust){ 0 };
}

/* ---- the system's ---- */

/* What was read last, and what its file was like then. */
static struct {
	struct lock lock;
	X509_STORE *store;
	struct stat about;
} system_trust = { .lock = { PTHREAD_MUTEX_INITIALIZER } };

/*
 * The bundle, as one file. OpenSSL's own default may be a folder, in which it looks at each
 * verification, on a loop. The places are those of Debian, Fedora, and OpenSSL as built.
 */
static const char *find_bundle(struct stat *ret)
{
	const char *places[] = {
		secure_getenv(X509_get_default_cert_file_env()),
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem",
		X509_get_default_cert_file(),
	};
	for (size_t i = 0; i < COUNT_OF(places); i++)
		if (places[i] && stat(places[i], ret) == 0)
			return places[i];
	return NULL;
}

static bool is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static enum err read_system_locked(const char *path, const struct stat *about, struct why why)
{
	struct trust fresh;
	if (system_trust.store && is_unchanged(&system_trust.about, about))
		return ERR_NONE;
	enum err e = trust_read(slice_str(path), SLICE_NONE, &fresh, why);
	if (e)
		return e;
	X509_STORE_free(system_trust.store);
	system_trust.store = fresh.store;
	system_trust.about = *about;
	fresh.store = NULL;
	trust_fini(&fresh);
	return ERR_NONE;
}

enum err trust_system(struct trust *ret, struct why why)
{
	struct stat about;
	const char *path = find_bundle(&about);
	if (!path)
		return why_conf(why,
		    "the system has no file of authorities; install ca-certificates or name a ca");
	lock_take(&system_trust.lock);
	enum err e = read_system_locked(path, &about, why);
	if (!e) {
		*ret = (struct trust){ .store = system_trust.store };
		X509_STORE_up_ref(system_trust.store);
	}
	lock_drop(&system_trust.lock);
	return e;
}
