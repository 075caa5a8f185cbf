/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/names.c"

#include "made.h"

enum { MANY = 10000 };

static struct cert cert_of(int key_type, struct slice *names, size_t count)
{
	return (struct cert){ .key_type = key_type, .names = names, .name_count = count };
}

static void test_order(void)
{
	struct slice a[] = { SL("b.example"), SL("*.example"), SL("b.example") };
	struct slice b[] = { SL("a.example"), SL("b.example") };
	struct cert one = cert_of(EVP_PKEY_EC, a, 3), two = cert_of(EVP_PKEY_RSA, b, 2);
	struct cert three = cert_of(EVP_PKEY_RSA, b, 2), four = cert_of(EVP_PKEY_ED25519, NULL, 0);
	struct cert *all[] = { &one, &two, &three, &four };
	struct tls_names *names;
	CU_ASSERT_EQUAL_FATAL(tls_names_new(all, 4, &names), ERR_NONE);
	CU_ASSERT_EQUAL(names->count, 3);
	const struct tls_named *found = tls_names_find(names, SL("b.example"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	CU_ASSERT_PTR_EQUAL(found->certs[NAME_EC], &one);
	CU_ASSERT_PTR_EQUAL(found->certs[NAME_RSA], &two);
	CU_ASSERT_PTR_NULL(found->certs[NAME_ED25519]);
	CU_ASSERT_EQUAL(memcmp(found->certs, names->fallback.certs, sizeof(found->certs)), 0);
	found = tls_names_find(names, SL("c.example"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	CU_ASSERT_PTR_NULL(found->certs[NAME_RSA]);
	CU_ASSERT_PTR_NULL(tls_names_find(names, SL("a.b.example")));
	CU_ASSERT_PTR_NULL(tls_names_find(names, SL("example")));
	CU_ASSERT_PTR_NULL(tls_names_find(names, SL(".example")));
	CU_ASSERT_PTR_NULL(tls_names_find(names, SLICE_NONE));
	tls_names_free(&names);
	CU_ASSERT_PTR_NULL(names);
	tls_names_free(&names);
	/* A default without a name stands alone. */
	struct cert *turned[] = { &four, &one };
	CU_ASSERT_EQUAL_FATAL(tls_names_new(turned, 2, &names), ERR_NONE);
	CU_ASSERT_PTR_EQUAL(names->fallback.certs[NAME_ED25519], &four);
	CU_ASSERT_PTR_NULL(names->fallback.certs[NAME_EC]);
	tls_names_free(&names);
	CU_ASSERT_EQUAL_FATAL(tls_names_new(turned, 1, &names), ERR_NONE);
	CU_ASSERT_PTR_NULL(tls_names_find(names, SL("b.example")));
	tls_names_free(&names);
}

/* Ten thousand certificates, each found; a linear search would take a thousand times as long. */
static void test_many(void)
{
	static struct cert certs[MANY], *all[MANY];
	static struct slice texts[MANY];
	static char room[MANY][32];
	struct tls_names *names;
	for (unsigned i = 0; i < MANY; i++) {
		int len = snprintf(
		    room[i], 32, "%sn%u.example", i % 2 ? "*." : "", i * 7919 % MANY);
		texts[i] = slice_of(room[i], (size_t)len);
		certs[i] = cert_of(EVP_PKEY_EC, &texts[i], 1);
		all[i] = &certs[i];
	}
	CU_ASSERT_EQUAL_FATAL(tls_names_new(all, MANY, &names), ERR_NONE);
	CU_ASSERT_EQUAL(names->count, MANY);
	unsigned wrong = 0;
	struct mono start = mono_now();
	for (unsigned round = 0; round < 100; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			if (i % 2)
				room[i][0] = 'a';
			const struct tls_named *found = tls_names_find(names, texts[i]);
			wrong += i % 2 == 0 && (!found || found->certs[NAME_EC] != &certs[i]);
			if (i % 2)
				room[i][0] = '*';
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(mono_ms_since(start, mono_now()) < 20000);
	CU_ASSERT_PTR_EQUAL(
	    tls_names_find(names, SL("x.n7919.example"))->certs[NAME_EC], &certs[1]);
	tls_names_free(&names);
}

static void test_name_of(void)
{
	static const struct {
		const char *asked, *name;
	} rows[] = {
		{ "shop.example", "shop.example" },
		{ "SHOP.example.", "shop.example" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "a_b.example", "a_b.example" },
		{ "2001:db8::1", "2001:db8::1" },
		{ NULL, "" },
		{ "", "" },
		{ ".", "" },
		{ "*.example", "" },
		{ "a b", "" },
		{ "b\xc3\xbc"
		  "cher.example",
		    "" },
	};
	char room[NAME_ROOM], longest[NAME_ROOM + 1];
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CU_ASSERT(slice_eq(tls_name_of(rows[i].asked, room), slice_str(rows[i].name)));
	memset(longest, 'a', sizeof(longest));
	longest[NAME_ROOM] = '\0';
	CU_ASSERT_EQUAL(tls_name_of(longest, room).len, 0);
	longest[NAME_ROOM - 1] = '\0';
	CU_ASSERT_EQUAL(tls_name_of(longest, room).len, NAME_ROOM - 1);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "order", test_order },
		{ "many", test_many },
		{ "name of", test_name_of },
		CU_TEST_INFO_NULL,
	};
	return run_tests("names", tests);
}
