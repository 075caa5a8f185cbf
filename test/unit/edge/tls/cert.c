/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/cert.c"

#include "made.h"

static char why[CERT_WHY_BYTES];

static enum err load(const char *cert, const char *key, struct cert **ret)
{
	const struct tls_pair_options pair = { slice_str(made_path(cert)),
		slice_str(made_path(key)) };
	*ret = NULL;
	enum err e = cert_load(&pair, ret, why);
	CU_ASSERT_EQUAL(ERR_peek_error(), 0); /* what is left is taken for the next call's */
	return e;
}

static struct cert *load_made(struct recipe r)
{
	struct cert *c;
	made_pair("made", r);
	CU_ASSERT_EQUAL_FATAL(load("made.pem", "made.key", &c), ERR_NONE);
	return c;
}

/* RFC 6125 6.4.3 and 9110 4.3.4 */
static void test_speaks_for(void)
{
	static const struct {
		const char *host;
		bool does;
	} rows[] = {
		{ "shop.example", true },
		{ "www.shop.example", false },
		{ "a.img.example", true },
		{ "xn--bcher-kva.img.example", true },
		{ "a.b.img.example", false },
		{ "img.example", false },
		{ ".img.example", false },
		{ "*.img.example", false },
		{ "xn--bcher-kva.example", true },
		{ "bcher.example", false },
		{ "upper.example", true },
		{ "dotted.example", true },
		{ "fa.example", false }, /* "f*.example" is no name that we match */
		{ "192.0.2.1", true },
		{ "192.0.2.2", false },
		{ "198.51.100.7", false }, /* an address as a DNS name */
		{ "1.0.2.1", false },
		{ "2001:db8::1", true },
		{ "[2001:db8::1]", true },
		{ "2001:db8:0:0::1", true },
		{ "2001:db8::2", false },
		{ "common.example", false },
		{ "", false },
		{ "[]", false },
		{ "[", false },
	};
	struct cert *c = load_made((struct recipe){ .cn = "common.example",
	    .names =
		"DNS:shop.example,DNS:*.img.example,DNS:xn--bcher-kva.example,DNS:UPPER.Example,"
		"DNS:dotted.example.,DNS:f*.example,IP:192.0.2.1,IP:2001:db8::1,DNS:198.51.100.7,"
		"DNS:*.0.2.1,DNS:*,email:someone@shop.example,DNS:*." });
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		bool does = cert_speaks_for(c, slice_str(rows[i].host));
		if (does != rows[i].does)
			printf("\n  %s\n", rows[i].host);
		CU_ASSERT_EQUAL(does, rows[i].does);
	}
	cert_unref(&c);
}

/* RFC 6125 6.4.4 */
static void test_common_name(void)
{
	struct cert *c = load_made((struct recipe){ .cn = "Common.Example" });
	CU_ASSERT(cert_speaks_for(c, SL("common.example")));
	CU_ASSERT_STRING_EQUAL(c->subject, "common.example");
	cert_unref(&c);
	c = load_made((struct recipe){ .cn = "common.example", .names = "email:a@b.example" });
	CU_ASSERT_FALSE(cert_speaks_for(c, SL("common.example")));
	CU_ASSERT_EQUAL(c->name_count, 0);
	cert_unref(&c);
	c = load_made((struct recipe){ .cn = NULL });
	CU_ASSERT_EQUAL(c->name_count, 0);
	CU_ASSERT_FALSE(cert_speaks_for(c, SL("")));
	cert_unref(&c);
}

/* "shop.example\0.evil.example" must not stand for shop.example, nor for anything. */
static void test_nul(void)
{
	static const char evil[] = "shop.example\0.evil.example";
	ASN1_STRING *text = ASN1_STRING_new();
	ASN1_STRING_set(text, evil, sizeof(evil) - 1);
	struct slice name;
	struct cert c = { .names = &name };
	arena_init(&c.texts, 1024);
	CU_ASSERT_EQUAL(add_host_name(&c, text), ERR_NONE);
	CU_ASSERT_EQUAL(c.name_count, 0);
	arena_fini(&c.texts);
	ASN1_STRING_free(text);
}

static void test_facts(void)
{
	struct made made = made_of(
	    (struct recipe){ .cn = "a", .names = "DNS:shop.example", .to_day = 3 });
	made_write("facts", &made);
	struct cert *c;
	CU_ASSERT_EQUAL_FATAL(load("facts.pem", "facts.key", &c), ERR_NONE);
	struct wall now = wall_now(), then = wall_add(now, 4 * (int64_t)DAY_MS);
	CU_ASSERT_EQUAL(cert_days_left(c, wall_add(now, -60000)), 3);
	CU_ASSERT_EQUAL(cert_days_left(c, wall_add(now, 60000)), 2);
	CU_ASSERT_EQUAL(cert_days_left(c, then), -2);
	CU_ASSERT_EQUAL(cert_days_left(c, wall_add(c->not_after, 1)), -1);
	CU_ASSERT_EQUAL(cert_days_left(c, c->not_after), 0);
	CU_ASSERT_EQUAL(c->not_after.ms - c->not_before.ms, 4 * (int64_t)DAY_MS);
	CU_ASSERT_STRING_EQUAL(c->subject, "shop.example");
	CU_ASSERT_STRING_EQUAL(c->path, made_path("facts.pem"));
	CU_ASSERT_EQUAL(c->key_type, EVP_PKEY_EC);
	CU_ASSERT_EQUAL(strlen(c->fingerprint), 64);
	unsigned char digest[32];
	char first[3];
	X509_digest(made.cert, EVP_sha256(), digest, NULL);
	snprintf(first, sizeof(first), "%02x", digest[0]);
	CU_ASSERT_NSTRING_EQUAL(c->fingerprint, first, 2);
	struct cert *again = cert_ref(c);
	cert_unref(&c);
	CU_ASSERT_EQUAL(again->name_count, 1);
	cert_unref(&again);
	cert_unref(&again);
	made_free(&made);
}

/* Out of its time it still loads: what that means is the caller's to say. */
static void test_time(void)
{
	struct cert *c = load_made((struct recipe){ .cn = "a", .from_day = -9, .to_day = -2 });
	CU_ASSERT_EQUAL(cert_days_left(c, wall_now()), -3);
	cert_unref(&c);
	c = load_made((struct recipe){ .cn = "a", .from_day = 2 });
	CU_ASSERT(wall_before(wall_now(), c->not_before));
	cert_unref(&c);
}

static void test_kinds(void)
{
	static const struct {
		const char *kind;
		int type;
	} rows[] = {
		{ "EC", EVP_PKEY_EC },
		{ "RSA", EVP_PKEY_RSA },
		{ "ED25519", EVP_PKEY_ED25519 },
	};
	struct cert *c;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		c = load_made((struct recipe){ .cn = "a", .kind = rows[i].kind });
		CU_ASSERT_EQUAL(c->key_type, rows[i].type);
		cert_unref(&c);
	}
	made_pair("448", (struct recipe){ .cn = "a", .kind = "ED448" });
	CU_ASSERT_EQUAL(load("448.pem", "448.key", &c), ERR_CONF);
	CU_ASSERT(says(why, "448.key: ") && says(why, "ED448") && says(why, "use EC"));
}

static void test_chain(void)
{
	struct made root = made_of((struct recipe){ .cn = "root", .is_authority = true });
	struct made leaf = made_of((struct recipe){ .cn = "leaf", .issuer = &root });
	struct cert *c;
	made_write("leaf", &leaf);
	made_write_cert("leaf.pem", &root, "a");
	CU_ASSERT_EQUAL_FATAL(load("leaf.pem", "leaf.key", &c), ERR_NONE);
	CU_ASSERT_EQUAL(sk_X509_num(c->chain), 1);
	CU_ASSERT_EQUAL(X509_cmp(c->leaf, leaf.cert), 0);
	CU_ASSERT_EQUAL(X509_cmp(sk_X509_value(c->chain, 0), root.cert), 0);
	cert_unref(&c);
	made_write_cert("turned.pem", &root, "w");
	made_write_cert("turned.pem", &leaf, "a");
	CU_ASSERT_EQUAL(load("turned.pem", "leaf.key", &c), ERR_CONF);
	CU_ASSERT(says(why, "turned.pem: the key of ") && says(why, "leaf.key") &&
	    says(why, "certificate 2"));
	made_free(&root);
	made_free(&leaf);
}

static void test_key_and_certificate_in_one_file(void)
{
	struct made made = made_of((struct recipe){ .cn = "a" });
	struct cert *c;
	made_write_key("both.pem", &made, NULL);
	made_write_cert("both.pem", &made, "a");
	CU_ASSERT_EQUAL(load("both.pem", "both.pem", &c), ERR_NONE);
	cert_unref(&c);
	made_free(&made);
}

static void test_bad_files(void)
{
	struct made one = made_of((struct recipe){ .cn = "a" }),
		    two = made_of((struct recipe){ .cn = "b" });
	made_write("one", &one);
	made_write("two", &two);
	made_write_key("locked.key", &one, "secret");
	made_write_text("empty", "");
	made_write_text(
	    "damaged.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	made_write_cert("tail.pem", &one, "w");
	FILE *file = made_file("tail.pem", "a");
	must(fputs("-----BEGIN CERTIFICATE-----\n!!\n", file) >= 0 && fclose(file) == 0);
	static const struct {
		const char *cert, *key, *says, *also;
	} rows[] = {
		{ "none.pem", "one.key", "none.pem: cannot be read: No such file", "" },
		{ "one.pem", "none.key", "none.key: cannot be read: No such file", "" },
		{ "empty", "one.key", "empty: no certificate in it", "PEM" },
		{ "one.key", "one.key", "one.key: no certificate in it", "PEM" },
		{ "one.pem", "empty", "empty: no private key", "PEM" },
		{ "one.pem", "one.pem", "one.pem: no private key", "PEM" },
		{ "damaged.pem", "one.key", "damaged.pem: certificate 1", "damaged" },
		{ "tail.pem", "one.key", "tail.pem: certificate 2", "damaged" },
		{ "one.pem", "locked.key", "locked.key: the key is behind a password", "openssl" },
		{ "one.pem", "two.key", "one.pem: the key of ", "two.key does not belong" },
		{ "", "one.key", "certificate", "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct cert *c;
		CU_ASSERT_EQUAL(load(rows[i].cert, rows[i].key, &c), ERR_CONF);
		CU_ASSERT_PTR_NULL(c);
		CU_ASSERT(says(why, rows[i].says) && says(why, rows[i].also));
	}
	const struct tls_pair_options odd = { { "a\0b", 3 }, SLICE_NONE };
	struct cert *c;
	CU_ASSERT_EQUAL(cert_load(&odd, &c, why), ERR_CONF);
	CU_ASSERT(says(why, "not the path of a file"));
	made_free(&one);
	made_free(&two);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "speaks for", test_speaks_for },
		{ "common name", test_common_name },
		{ "NUL in a name", test_nul },
		{ "facts", test_facts },
		{ "out of its time", test_time },
		{ "kinds of key", test_kinds },
		{ "chain", test_chain },
		{ "one file", test_key_and_certificate_in_one_file },
		{ "bad files", test_bad_files },
		CU_TEST_INFO_NULL,
	};
	return run_tests("cert", tests);
}
