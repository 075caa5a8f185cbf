/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/proxy.c"

#include "test/unit/edge/http/kit.h"

static const char *const verdicts[] = { "more", "told", "self", "bad" };

/* The verdict, and of a client "ADDRESS PORT". */
static struct slice read_text(struct slice bytes, size_t *ret_used)
{
	struct address client = { 0 };
	enum proxy_verdict verdict = proxy_read(bytes, ret_used, &client);
	char text[64] = "";
	if (verdict != PROXY_TOLD)
		return slice_str(verdicts[verdict]);
	address_print(&client, text, sizeof(text));
	return arena_printf(&arena, "%s %u", text, address_port(&client));
}

#define X33 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* long: a table */
static void test_v1(void)
{
	static const struct {
		const char *bytes, *told;
	} rows[] = {
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", "192.0.2.7 56324" },
		{ "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
		    "255.255.255.255 65535" },
		{ "PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", "2001:db8::7 1" },
		{ "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n", "192.0.2.7 0" },
		{ "PROXY UNKNOWN\r\n", "self" },
		{ "PROXY UNKNOWN ffff::1 what ever 1 2\r\n", "self" },
		/* more to come */
		{ "", "more" },
		{ "P", "more" },
		{ "PROXY", "more" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443", "more" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r", "more" },
		/* not the grammar */
		{ "GET / HTTP/1.1\r\n", "bad" },
		{ "proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n", "bad" },
		{ "PROXY  TCP4 192.0.2.7 198.51.100.1 1 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7  198.51.100.1 1 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 1 \r\n", "bad" },
		{ "PROXY TCP4\r\n", "bad" },
		{ "PROXY TCP4 \r\n", "bad" },
		{ "PROXY \r\n", "bad" },
		{ "PROXY\r\n", "bad" },
		{ "PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n", "bad" },
		{ "PROXY UNKNOWNER\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\rX", "bad" },
		{ "PROXY TCP4 192.0.2.7\n 198.51.100.1 1 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n", "bad" },
		{ "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", "bad" },
		{ "PROXY TCP6 192.0.2.7 192.0.2.8 1 2\r\n", "bad" },
		{ "PROXY TCP6 2001:db8::7%lo 2001:db8::1 1 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 x 1 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 00 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.7 198.51.100.1 1 99999999999999999999\r\n", "bad" },
		/* 107 bytes, CRLF and all, are the most */
		{ "PROXY UNKNOWN " X33 X33 "aaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "self" },
		{ "PROXY UNKNOWN " X33 X33 "aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "bad" },
		{ "PROXY UNKNOWN " X33 X33 X33, "bad" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice bytes = slice_str(rows[i].bytes);
		size_t used = 0;
		struct slice got = read_text(bytes, &used);
		CHECK_SLICE(rows[i].bytes, got, rows[i].told);
		bool is_whole = !slice_eq(got, SL("more")) && !slice_eq(got, SL("bad"));
		CHECK(rows[i].bytes, used == (is_whole ? bytes.len : 0));
	}
}

static void test_what_follows_is_left(void)
{
	static const char bytes[] = "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\nGET / HTTP/1.1\r\n";
	size_t used = 0;
	struct slice got = read_text(slice_str(bytes), &used);
	CHECK_SLICE("v1", got, "192.0.2.7 1");
	CHECK("v1", used == strlen("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n"));
	static const char tls[] = "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n\x16\x03\x01\0\n\0";
	got = read_text(slice_of(tls, sizeof(tls)), &used);
	CHECK_SLICE("v1, TLS", got, "192.0.2.7 1");
	CHECK("v1, TLS", used == strlen(tls) - 3);
	static const char nul[] = "PROXY UNKNOWN \0\r\n";
	CHECK_SLICE("a NUL", read_text(slice_of(nul, sizeof(nul) - 1), &used), "bad");
}

/* ---- version 2 ---- */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb" /* 192.0.2.7 56324 */
#define V6                                                                                         \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"                                               \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x01\0\x02"
#define ROW(name, bytes, told)                                                                     \
	{                                                                                          \
		name, { bytes, sizeof(bytes) - 1 }, told                                           \
	}

static void test_v2(void)
{
	static const struct {
		const char *name;
		struct slice bytes;
		const char *told;
	} rows[] = {
		ROW("v4", SIGNATURE "\x21\x11\0\x0c" V4, "192.0.2.7 56324"),
		ROW("v6", SIGNATURE "\x21\x21\0\x24" V6, "2001:db8::7 1"),
		ROW("local", SIGNATURE "\x20\0\0\0", "self"),
		ROW("local with an address", SIGNATURE "\x20\x11\0\x0c" V4, "self"),
		ROW("local with what is no address", SIGNATURE "\x20\x11\0\x02zz", "self"),
		ROW("unspecified", SIGNATURE "\x21\0\0\0", "self"),
		ROW("unspecified, with bytes", SIGNATURE "\x21\0\0\x03xyz", "self"),
		ROW("an extension", SIGNATURE "\x21\x11\0\x10" V4 "\x04\0\x01z", "192.0.2.7 56324"),
		ROW("an empty one", SIGNATURE "\x21\x11\0\x0f" V4 "\x04\0\0", "192.0.2.7 56324"),
		ROW("two", SIGNATURE "\x21\x11\0\x13" V4 "\x04\0\x01z\xe0\0\0", "192.0.2.7 56324"),
		/* more to come */
		ROW("signature, half", "\r\n\r\n\0\r", "more"),
		ROW("signature", SIGNATURE, "more"),
		ROW("no length", SIGNATURE "\x21\x11\0", "more"),
		ROW("no address", SIGNATURE "\x21\x11\0\x0c", "more"),
		ROW("half an address", SIGNATURE "\x21\x11\0\x0c\xc0\0\x02", "more"),
		/* refused */
		ROW("another signature", "\r\n\r\n\0\r\nQUIT\r", "bad"),
		ROW("version 1", SIGNATURE "\x11", "bad"),
		ROW("version 3", SIGNATURE "\x31", "bad"),
		ROW("command 2", SIGNATURE "\x22", "bad"),
		ROW("family 4", SIGNATURE "\x21\x41\0\x0c" V4, "bad"),
		ROW("datagrams", SIGNATURE "\x21\x12\0\x0c" V4, "bad"),
		ROW("no transport", SIGNATURE "\x21\x10\0\x0c" V4, "bad"),
		ROW("transport 3", SIGNATURE "\x21\x13\0\x0c" V4, "bad"),
		ROW("v4, too short", SIGNATURE "\x21\x11\0\x0b" V4, "bad"),
		ROW("v6, too short", SIGNATURE "\x21\x21\0\x0c" V4, "bad"),
		ROW("unix, too short", SIGNATURE "\x21\x31\0\x0c" V4, "bad"),
		ROW("half an extension", SIGNATURE "\x21\x11\0\x0d" V4 "\x04", "bad"),
		ROW("an extension over the end", SIGNATURE "\x21\x11\0\x10" V4 "\x04\0\x02z",
		    "bad"),
		ROW("a checksum of 3 bytes", SIGNATURE "\x21\x11\0\x12" V4 "\x03\0\x03zzz", "bad"),
		ROW("a wrong checksum", SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\x04zzzz", "bad"),
		ROW("4097 bytes", SIGNATURE "\x21\x11\x10\x01", "bad"),
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t used = 0;
		struct slice got = read_text(rows[i].bytes, &used);
		CHECK_SLICE(rows[i].name, got, rows[i].told);
		bool is_whole = !slice_eq(got, SL("more")) && !slice_eq(got, SL("bad"));
		CHECK(rows[i].name, used == (is_whole ? rows[i].bytes.len : 0));
	}
}

static void test_unix(void)
{
	char bytes[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
	size_t used = 0;
	CHECK_SLICE("unix", read_text(slice_of(bytes, sizeof(bytes)), &used), "self");
	CHECK("unix", used == sizeof(bytes));
}

static void test_longest(void)
{
	static char bytes[PROXY_HEAD_BYTES] = SIGNATURE "\x21\x11\x10\0" V4 "\x04\x0f\xf1";
	size_t used = 0;
	CHECK_SLICE("longest", read_text(slice_of(bytes, sizeof(bytes)), &used), "192.0.2.7 56324");
	CHECK("longest", used == sizeof(bytes));
	CHECK_SLICE("one less", read_text(slice_of(bytes, sizeof(bytes) - 1), &used), "more");
}

/* RFC 9260 A: "123456789" has this checksum; and what a sender writes, we take. */
static void test_checksum(void)
{
	char bytes[] = SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\x04\0\0\0\0";
	struct slice whole = slice_of(bytes, sizeof(bytes) - 1);
	size_t used = 0, at = whole.len - CRC_BYTES;
	CHECK("known", crc32c(SL("123456789"), SIZE_MAX - CRC_BYTES) == 0xe3069283);
	uint32_t crc = crc32c(whole, at);
	for (int i = 0; i < CRC_BYTES; i++)
		bytes[at + (size_t)i] = (char)(crc >> (24 - 8 * i));
	CHECK_SLICE("right", read_text(whole, &used), "192.0.2.7 56324");
	bytes[20]++;
	CHECK_SLICE("another address", read_text(whole, &used), "bad");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "version 1", test_v1 },
		{ "what follows is left", test_what_follows_is_left },
		{ "version 2", test_v2 },
		{ "unix", test_unix },
		{ "longest", test_longest },
		{ "checksum", test_checksum },
		CU_TEST_INFO_NULL,
	};
	return kit_run("edge/wire/proxy", tests);
}
