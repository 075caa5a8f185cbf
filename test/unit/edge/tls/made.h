/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates, keys and revocation lists as the tests of TLS need them, made when they run and
 * written as PEM into a folder of the test's, which goes when it ends.
 */
#pragma once

#include <CUnit/Basic.h>
#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/base/slice.h"

enum { MADE_PATH_BYTES = 128, MADE_DAY_S = 86400 };

struct made {
	X509 *cert;
	EVP_PKEY *key;
};

/* What is not said is usual: a leaf with an EC key, valid since yesterday and for ten days. */
struct recipe {
	const char *cn;
	const char *names;         /* "DNS:shop.example,IP:192.0.2.1"; NULL = none */
	const char *kind;          /* "EC", "RSA", "weak", "ED25519", "ED448" */
	const struct made *issuer; /* NULL = itself */
	int from_day, to_day;
	bool is_authority;
};

static char made_folder[64];

static inline void made_open(void)
{
	snprintf(made_folder, sizeof(made_folder), "/tmp/larder-tls.XXXXXX");
	must(mkdtemp(made_folder) != NULL);
}

static inline void made_close(void)
{
	DIR *all = opendir(made_folder);
	must(all != NULL);
	for (const struct dirent *one; (one = readdir(all));)
		if (one->d_name[0] != '.')
			must(unlinkat(dirfd(all), one->d_name, 0) == 0);
	closedir(all);
	must(rmdir(made_folder) == 0);
}

/* The path of a file in the folder. Static, 64 at a time. */
static inline const char *made_path(const char *name)
{
	static char paths[64][MADE_PATH_BYTES];
	static unsigned next;
	char *path = paths[next++ % 64];
	snprintf(path, MADE_PATH_BYTES, "%s/%s", made_folder, name);
	return path;
}

static inline FILE *made_file(const char *name, const char *how)
{
	FILE *file = fopen(made_path(name), how);
	must(file != NULL);
	return file;
}

/* ---- keys ---- */

static inline EVP_PKEY *made_rsa(unsigned bits)
{
	static EVP_PKEY *kept[2]; /* they take long to make */
	EVP_PKEY **place = &kept[bits < 2048];
	if (!*place)
		*place = EVP_RSA_gen(bits);
	must(*place != NULL);
	EVP_PKEY_up_ref(*place);
	return *place;
}

static inline EVP_PKEY *made_key(const char *kind)
{
	if (!kind || strcmp(kind, "EC") == 0)
		return EVP_EC_gen("P-256");
	if (strcmp(kind, "RSA") == 0)
		return made_rsa(2048);
	if (strcmp(kind, "weak") == 0)
		return made_rsa(1024);
	return EVP_PKEY_Q_keygen(NULL, NULL, kind);
}

/* ---- certificates ---- */

static inline void made_extend(X509 *cert, const X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, (X509 *)(uintptr_t)issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must(extension && X509_add_ext(cert, extension, -1));
	X509_EXTENSION_free(extension);
}

static inline struct made made_of(struct recipe r)
{
	static long serial = 1;
	struct made made = { X509_new(), made_key(r.kind) };
	const struct made *issuer = r.issuer ? r.issuer : &made;
	X509_NAME *name = X509_get_subject_name(made.cert);
	must(made.key != NULL);
	X509_set_version(made.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made.cert), serial++);
	X509_gmtime_adj(
	    X509_getm_notBefore(made.cert), (r.from_day ? r.from_day : -1) * MADE_DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(made.cert), (r.to_day ? r.to_day : 10) * MADE_DAY_S);
	if (r.cn)
		X509_NAME_add_entry_by_txt(
		    name, "CN", MBSTRING_ASC, (const unsigned char *)r.cn, -1, -1, 0);
	X509_set_issuer_name(made.cert, X509_get_subject_name(issuer->cert));
	X509_set_pubkey(made.cert, made.key);
	if (r.is_authority)
		made_extend(made.cert, issuer->cert, NID_basic_constraints, "critical,CA:TRUE");
	if (r.names)
		made_extend(made.cert, issuer->cert, NID_subject_alt_name, r.names);
	bool has_digest = EVP_PKEY_get_base_id(issuer->key) != EVP_PKEY_ED25519 &&
	    EVP_PKEY_get_base_id(issuer->key) != EVP_PKEY_ED448;
	must(X509_sign(made.cert, issuer->key, has_digest ? EVP_sha256() : NULL) > 0);
	return made;
}

static inline void made_free(struct made *made)
{
	X509_free(made->cert);
	EVP_PKEY_free(made->key);
	*made = (struct made){ 0 };
}

/* ---- files ---- */

static inline void made_write_cert(const char *name, const struct made *made, const char *how)
{
	FILE *file = made_file(name, how);
	must(PEM_write_X509(file, made->cert));
	must(fclose(file) == 0);
}

static inline void made_write_key(const char *name, const struct made *made, const char *password)
{
	FILE *file = made_file(name, "w");
	must(PEM_write_PrivateKey(file, made->key, password ? EVP_aes_128_cbc() : NULL, NULL, 0,
	    NULL, (void *)(uintptr_t)password));
	must(fclose(file) == 0);
}

static inline void made_write_text(const char *name, const char *text)
{
	FILE *file = made_file(name, "w");
	must(fputs(text, file) >= 0);
	must(fclose(file) == 0);
}

/* NAME.pem and NAME.key */
static inline void made_write(const char *name, const struct made *made)
{
	char file[64];
	snprintf(file, sizeof(file), "%s.pem", name);
	made_write_cert(file, made, "w");
	snprintf(file, sizeof(file), "%s.key", name);
	made_write_key(file, made, NULL);
}

/* Makes and writes one that nobody needs after that. */
static inline void made_pair(const char *name, struct recipe r)
{
	struct made made = made_of(r);
	made_write(name, &made);
	made_free(&made);
}

/* Writes a list of those that an authority has revoked: one, or none. to_day: until when it
 * holds. */
static inline void made_write_list(
    const char *name, const struct made *authority, const struct made *revoked, int to_day)
{
	X509_CRL *list = X509_CRL_new();
	ASN1_TIME *from = X509_gmtime_adj(NULL, -2 * MADE_DAY_S);
	ASN1_TIME *to = X509_gmtime_adj(NULL, to_day * MADE_DAY_S);
	X509_CRL_set_version(list, 1);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(authority->cert));
	X509_CRL_set1_lastUpdate(list, from);
	X509_CRL_set1_nextUpdate(list, to);
	if (revoked) {
		X509_REVOKED *entry = X509_REVOKED_new();
		X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->cert));
		X509_REVOKED_set_revocationDate(entry, from);
		X509_CRL_add0_revoked(list, entry);
	}
	must(X509_CRL_sign(list, authority->key, EVP_sha256()) > 0);
	FILE *file = made_file(name, "w");
	must(PEM_write_X509_CRL(file, list) && fclose(file) == 0);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	X509_CRL_free(list);
}

/* ---- checks ---- */

/* A line for people: has this in it. */
static inline bool says(const char *why, const char *what)
{
	bool does = strstr(why, what) != NULL;
	if (!does)
		fprintf(stderr, "\n  \"%s\" does not say \"%s\"\n", why, what);
	return does;
}

/* Runs the tests of one file, with a folder for all of them. */
static inline int run_tests(const char *name, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = { { name, NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };
	made_open();
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	made_close();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
