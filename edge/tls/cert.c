/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/cert.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "edge/base/ip.h"
#include "edge/tls/pem.h"

enum { TEXTS_BYTES = MIB, NAME_BYTES = 253, DAY_MS = 86400000 };

/* ---- names ---- */

/* Adds a name of the certificate, in lower case. */
static enum err add_name(struct cert *c, struct slice name)
{
	char *copy = arena_bytes(&c->texts, name.len);
	if (!copy)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < name.len; i++)
		copy[i] = ascii_lower(name.at[i]);
	c->names[c->name_count++] = slice_of(copy, name.len);
	return ERR_NONE;
}

/*
 * Whether a name is one that a host can have, or a wildcard for such names: what has other bytes (a
 * NUL, for one) or looks like an address must match nothing.
 */
static bool is_host_name(struct slice s)
{
	struct ip ip;
	if (slice_starts(s, SL("*.")))
		s = slice_from(s, 2);
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.at[i]);
		if (!is_digit(c) && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.')
			return false;
	}
	return s.len > 0 && s.len <= NAME_BYTES && s.at[0] != '.' && !ip_parse(s, &ip);
}

static enum err add_host_name(struct cert *c, const ASN1_STRING *text)
{
	struct slice name = slice_of(
	    (const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
	if (slice_ends(name, SL(".")))
		name.len--;
	return is_host_name(name) ? add_name(c, name) : ERR_NONE;
}

static enum err add_address(struct cert *c, const ASN1_OCTET_STRING *octets)
{
	struct ip ip = { .bytes = { [10] = 0xff, [11] = 0xff } };
	size_t len = (size_t)ASN1_STRING_length(octets);
	char text[IP_TEXT_MAX];
	if (len != 4 && len != 16)
		return ERR_NONE;
	memcpy(ip.bytes + 16 - len, ASN1_STRING_get0_data(octets), len);
	return add_name(c, slice_of(text, ip_print(ip, text)));
}

static enum err add_alternatives(struct cert *c, const GENERAL_NAMES *all)
{
	int count = sk_GENERAL_NAME_num(all);
	enum err e = ERR_NONE;
	c->names = arena_alloc(&c->texts, (size_t)count * sizeof(*c->names));
	if (!c->names)
		return ERR_NO_MEMORY;
	for (int i = 0; i < count && !e; i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);
		if (one->type == GEN_DNS)
			e = add_host_name(c, one->d.dNSName);
		else if (one->type == GEN_IPADD)
			e = add_address(c, one->d.iPAddress);
	}
	return e;
}

/* RFC 6125 6.4.4: the common name speaks only where there is no alternative name. */
static enum err add_common_name(struct cert *c)
{
	const X509_NAME *subject = X509_get_subject_name(c->leaf);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	c->names = arena_alloc(&c->texts, sizeof(*c->names));
	if (!c->names)
		return ERR_NO_MEMORY;
	return at < 0
	    ? ERR_NONE
	    : add_host_name(c, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static enum err read_names(struct cert *c)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
	enum err e = all ? add_alternatives(c, all) : add_common_name(c);
	GENERAL_NAMES_free(all);
	struct slice first = c->name_count ? c->names[0] : SL("(no name)");
	snprintf(c->subject, sizeof(c->subject), "%.*s", SLICE_ARG(first));
	return e;
}

/* ---- the rest of the leaf ---- */

static struct wall wall_of(const ASN1_TIME *t)
{
	struct tm tm;
	if (!ASN1_TIME_to_tm(t, &tm))
		return WALL_NEVER;
	return (struct wall){ (int64_t)timegm(&tm) * 1000 };
}

static enum err read_fingerprint(struct cert *c)
{
	unsigned char digest[32];
	if (!X509_digest(c->leaf, EVP_sha256(), digest, NULL))
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(c->fingerprint + 2 * i, 3, "%02x", digest[i]);
	return ERR_NONE;
}

static enum err describe(struct cert *c)
{
	c->not_before = wall_of(X509_get0_notBefore(c->leaf));
	c->not_after = wall_of(X509_get0_notAfter(c->leaf));
	enum err e = read_fingerprint(c);
	return e ? e : read_names(c);
}

/* ---- key and certificate belong together ---- */

static enum err check_kind(struct cert *c, struct slice path, struct why why)
{
	c->key_type = EVP_PKEY_get_base_id(c->key);
	if (c->key_type == EVP_PKEY_RSA || c->key_type == EVP_PKEY_EC ||
	    c->key_type == EVP_PKEY_ED25519)
		return ERR_NONE;
	const char *kind = EVP_PKEY_get0_type_name(c->key);
	return why_conf(why, "%.*s: a key of kind %s does not serve; use EC, RSA or Ed25519",
	    SLICE_ARG(path), kind ? kind : "unknown");
}

/* A file in the wrong order is the usual reason for a key that does not match. */
static enum err check_match(struct cert *c, const struct tls_pair_options *o, struct why why)
{
	if (X509_check_private_key(c->leaf, c->key))
		return ERR_NONE;
	for (int i = 0; i < sk_X509_num(c->chain); i++)
		if (X509_check_private_key(sk_X509_value(c->chain, i), c->key))
			return why_conf(why,
			    "%.*s: the key of %.*s is of certificate %d in it; put that one first",
			    SLICE_ARG(o->cert), SLICE_ARG(o->key), i + 2);
	return why_conf(why,
	    "%.*s: the key of %.*s does not belong to it; name the two that were made together",
	    SLICE_ARG(o->cert), SLICE_ARG(o->key));
}

/* ---- life ---- */

static enum err read_files(struct cert *c, const struct tls_pair_options *o, struct why why)
{
	enum err e = pem_certificates(o->cert, &c->chain, why);
	if (e)
		return e;
	c->leaf = sk_X509_shift(c->chain);
	e = pem_key(o->key, &c->key, why);
	if (!e)
		e = check_kind(c, o->key, why);
	return e ? e : check_match(c, o, why);
}

static enum err keep_path(struct cert *c, struct slice path)
{
	c->path = arena_bytes(&c->texts, path.len + 1);
	if (!c->path)
		return ERR_NO_MEMORY;
	memcpy(c->path, path.at, path.len);
	c->path[path.len] = '\0';
	return ERR_NONE;
}

enum err cert_load(const struct tls_pair_options *o, struct cert **ret, char why[CERT_WHY_BYTES])
{
	struct cert *c = calloc(1, sizeof(*c));
	why[0] = '\0';
	if (!c)
		return ERR_NO_MEMORY;
	atomic_init(&c->refs, 1);
	arena_init(&c->texts, TEXTS_BYTES);
	enum err e = read_files(c, o, (struct why){ why, CERT_WHY_BYTES });
	if (!e)
		e = keep_path(c, o->cert);
	if (!e)
		e = describe(c);
	ERR_clear_error();
	if (e)
		cert_unref(&c);
	else
		*ret = c;
	return e;
}

struct cert *cert_ref(struct cert *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void cert_unref(struct cert **p)
{
	struct cert *c = *p;
	*p = NULL;
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->key);
	arena_fini(&c->texts);
	free(c);
}

/* ---- asking ---- */

/* RFC 6125 6.4.3: "*" stands for the whole first label and nothing else. */
static bool covers(struct slice name, struct slice host)
{
	size_t dot = slice_find(host, '.');
	if (slice_eq(name, host))
		return true;
	return slice_starts(name, SL("*.")) && dot > 0 && dot < host.len &&
	    slice_eq(slice_from(name, 1), slice_from(host, dot));
}

bool cert_speaks_for(const struct cert *c, struct slice host)
{
	struct ip ip;
	char text[IP_TEXT_MAX];
	if (slice_starts(host, SL("[")) && slice_ends(host, SL("]")))
		host = slice_of(host.at + 1, host.len - 2);
	bool is_address = ip_parse(host, &ip);
	if (is_address)
		host = slice_of(text, ip_print(ip, text));
	if (slice_find(host, '*') < host.len)
		return false;
	for (size_t i = 0; i < c->name_count; i++)
		if (is_address ? slice_eq(c->names[i], host) : covers(c->names[i], host))
			return true;
	return false;
}

int64_t cert_days_left(const struct cert *c, struct wall now)
{
	int64_t left = wall_add(c->not_after, -now.ms).ms;
	return left / DAY_MS - (left % DAY_MS < 0);
}
