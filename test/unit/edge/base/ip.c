/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/ip.c"

#include "test/unit/edge/http/kit.h"

static void test_text(void)
{
	static const struct {
		const char *text, *printed; /* NULL: no address */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "2001:DB8:0::1", "2001:db8::1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "192.0.2.01", NULL },
		{ "[::1]", NULL },
		{ "::1%lo", NULL },
		{ "", NULL },
		{ "unknown", NULL },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000", NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ip ip;
		char text[IP_TEXT_MAX];
		bool valid = ip_parse(slice_str(rows[i].text), &ip);
		CHECK(rows[i].text, valid == (rows[i].printed != NULL));
		if (valid && rows[i].printed)
			CHECK_SLICE(
			    rows[i].text, slice_of(text, ip_print(ip, text)), rows[i].printed);
	}
}

static void test_blocks(void)
{
	static const struct {
		const char *block, *inside, *outside;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
		{ "192.0.2.0/23", "192.0.3.255", "192.0.4.0" },
		{ "192.0.2.7", "192.0.2.7", "192.0.2.6" },
		{ "0.0.0.0/0", "255.1.2.3", "2001:db8::1" },
		{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1" },
		{ "::1", "::1", "::2" },
		{ "::/0", "2001:db8::1", NULL },
		{ "10.0.0.0/8", "::ffff:10.1.1.1", "::10.1.1.1" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ip_block block;
		struct ip ip;
		CHECK(rows[i].block, ip_block_parse(slice_str(rows[i].block), &block));
		CHECK(
		    rows[i].block, ip_parse(slice_str(rows[i].inside), &ip) && ip_is_in(ip, block));
		if (rows[i].outside)
			CHECK(rows[i].block,
			    ip_parse(slice_str(rows[i].outside), &ip) && !ip_is_in(ip, block));
	}
	static const char *const bad[] = { "10.0.0.0/33", "::/129", "10.0.0.0/", "/8", "10/8",
		"x" };
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct ip_block block;
		CHECK(bad[i], !ip_block_parse(slice_str(bad[i]), &block));
	}
}

static void test_sockets(void)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr other = { .sa_family = AF_UNIX };
	struct ip from_socket, from_text;
	v4.sin_addr.s_addr = htonl(0xc0000201);
	v6.sin6_addr = in6addr_loopback;
	CU_ASSERT_TRUE(ip_of_sockaddr((const struct sockaddr *)&v4, &from_socket));
	CU_ASSERT_TRUE(ip_parse(SL("192.0.2.1"), &from_text));
	CU_ASSERT_EQUAL(memcmp(&from_socket, &from_text, sizeof(from_text)), 0);
	CU_ASSERT_TRUE(ip_of_sockaddr((const struct sockaddr *)&v6, &from_socket));
	CU_ASSERT_TRUE(ip_parse(SL("::1"), &from_text));
	CU_ASSERT_EQUAL(memcmp(&from_socket, &from_text, sizeof(from_text)), 0);
	CU_ASSERT_FALSE(ip_of_sockaddr(&other, &from_socket));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "text", test_text },
		{ "blocks", test_blocks },
		{ "sockets", test_sockets },
		CU_TEST_INFO_NULL,
	};
	return kit_run("http/ip", tests);
}
