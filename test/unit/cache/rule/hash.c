/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors computed by OpenSSL: openssl mac -macopt hexkey:000102...0f -macopt size:16
 * -macopt c-rounds:1 -macopt d-rounds:3 -in FILE SIPHASH, FILE being the bytes 0, 1, 2, ...
 */
#include "cache/rule/hash.c"

#include "test/unit/edge/http/kit.h"

static const char *hex(struct hash128 h)
{
	static char text[33];
	uint64_t words[2] = { htole64(h.lo), htole64(h.hi) };
	unsigned char bytes[16];
	memcpy(bytes, words, 16);
	for (size_t i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02X", bytes[i]);
	return text;
}

static void test_vectors(void)
{
	static const struct {
		size_t len;
		const char *want;
	} rows[] = {
		{ 0, "E77EBCB22788A5BEFD62DB6ADD303001" },
		{ 1, "FC6F370460D3EDA85E0573CC2B2FF063" },
		{ 7, "1084B923F2AAE0C3A62F2EC80848AB77" },
		{ 8, "AA12FEE1D5E3DAB4724F16AB35F9C799" },
		{ 9, "81DDB8042CF33994F4720E0094137C42" },
		{ 15, "C17E5505B2BD526C2921CDEC1E7E0109" },
		{ 16, "D0A8D95715518EEBB513B0F83D9E1793" },
		{ 31, "42EA961C5B3C858B17C3E550DFA79010" },
		{ 63, "4C5800E34EFE426F079F6B0AA75260AD" },
	};
	struct hash_secret secret;
	char text[64];
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	memcpy(secret.bytes, text, 16);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK_SLICE("vector",
		    slice_str(hex(hash_siphash(secret, slice_of(text, rows[i].len)))),
		    rows[i].want);
}

static void test_secret(void)
{
	/* ffeeddcc...00 */
	struct hash_secret secret, other = { { 1 } };
	for (size_t i = 0; i < 16; i++)
		secret.bytes[i] = (unsigned char)(0xff - 0x11 * i);
	struct slice text = SL("http://shop.example/a?b=c");
	struct hash128 hash = hash_siphash(secret, text);
	CHECK_SLICE("a URI", slice_str(hex(hash)), "CCF07BB45AD3CBD900A453486D4D20D5");
	CU_ASSERT_TRUE(hash128_eq(hash, hash_siphash(secret, text)));
	CU_ASSERT_FALSE(hash128_eq(hash, hash_siphash(other, text)));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "vectors", test_vectors },
		{ "secret", test_secret },
		CU_TEST_INFO_NULL,
	};
	return kit_run("rule/hash", tests);
}
