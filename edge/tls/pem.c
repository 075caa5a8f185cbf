/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

enum err why_conf(struct why why, const char *fmt, ...)
{
	bool is_memory = ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
	va_list args;
	va_start(args, fmt);
	vsnprintf(why.at, why.room, fmt, args);
	va_end(args);
	ERR_clear_error();
	return is_memory ? ERR_NO_MEMORY : ERR_CONF;
}

const char *why_openssl(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());
	return text ? text : "no reason given";
}

static enum err open_file(struct slice path, BIO **ret, struct why why)
{
	char text[PATH_MAX];
	if (path.len >= sizeof(text) || slice_find(path, '\0') < path.len)
		return why_conf(why, "%.*s: not the path of a file", SLICE_ARG(path));
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(path));
	errno = 0;
	*ret = BIO_new_file(text, "re");
	if (*ret)
		return ERR_NONE;
	const char *error = errno ? strerror(errno) : why_openssl();
	return why_conf(why, "%s: cannot be read: %s", text, error);
}

/* What made the reading of objects stop: the end of the file, or something wrong. */
static enum err at_end(struct slice path, int count, const char *noun, struct why why)
{
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return why_conf(why, "%.*s: %s %d of it is damaged (%s); write the file anew",
		    SLICE_ARG(path), noun, count + 1, why_openssl());
	if (count == 0)
		return why_conf(
		    why, "%.*s: no %s in it; write it there as PEM", SLICE_ARG(path), noun);
	return ERR_NONE;
}

enum err pem_certificates(struct slice path, STACK_OF(X509) * *ret, struct why why)
{
	BIO *file = NULL;
	enum err e = open_file(path, &file, why);
	if (e)
		return e;
	STACK_OF(X509) *all = sk_X509_new_null();
	X509 *one = NULL;
	while (all && (one = PEM_read_bio_X509(file, NULL, NULL, NULL)) && sk_X509_push(all, one))
		one = NULL;
	X509_free(one); /* that found no room */
	bool is_short = !all || one;
	e = is_short ? ERR_NO_MEMORY : at_end(path, sk_X509_num(all), "certificate", why);
	BIO_free(file);
	ERR_clear_error();
	if (e)
		sk_X509_pop_free(all, X509_free);
	else
		*ret = all;
	return e;
}

enum err pem_lists(struct slice path, STACK_OF(X509_CRL) * *ret, struct why why)
{
	BIO *file = NULL;
	enum err e = open_file(path, &file, why);
	if (e)
		return e;
	STACK_OF(X509_CRL) *all = sk_X509_CRL_new_null();
	X509_CRL *one = NULL;
	while (all && (one = PEM_read_bio_X509_CRL(file, NULL, NULL, NULL)) &&
	    sk_X509_CRL_push(all, one))
		one = NULL;
	X509_CRL_free(one);
	bool is_short = !all || one;
	e = is_short ? ERR_NO_MEMORY : at_end(path, sk_X509_CRL_num(all), "revocation list", why);
	BIO_free(file);
	ERR_clear_error();
	if (e)
		sk_X509_CRL_pop_free(all, X509_CRL_free);
	else
		*ret = all;
	return e;
}

/* Nobody is asked: a server starts by itself. */
static int on_password(UNUSED char *to, UNUSED int room, UNUSED int is_writing, void *ret_was_asked)
{
	*(bool *)ret_was_asked = true;
	return -1;
}

enum err pem_key(struct slice path, EVP_PKEY **ret, struct why why)
{
	BIO *file = NULL;
	enum err e = open_file(path, &file, why);
	if (e)
		return e;
	bool was_asked = false;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, on_password, &was_asked);
	BIO_free(file);
	if (was_asked)
		e = why_conf(why,
		    "%.*s: the key is behind a password; take it off: openssl pkey -in %.*s",
		    SLICE_ARG(path), SLICE_ARG(path));
	else if (!key)
		e = why_conf(why, "%.*s: no private key that can be read (%s); write it as PEM",
		    SLICE_ARG(path), why_openssl());
	ERR_clear_error(); /* blocks of other kinds that were passed over */
	if (e)
		EVP_PKEY_free(key);
	else
		*ret = key;
	return e;
}
