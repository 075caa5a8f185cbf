/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/duct.c"

#include "test/unit/edge/tls/ends.h"

/* What one cannot be made to hold: answers to what a peer sends and whose answers it leaves. */
static void test_held_is_bounded(void)
{
	setup();
	struct wires w = wires_make(SOCK_STREAM, 4096);
	struct duct d;
	SSL *ssl = SSL_new(server->context);
	role_loop();
	CU_ASSERT_EQUAL_FATAL(duct_open(&d, w.ours, &local, ssl), ERR_NONE);
	int i = 0;
	for (; i < 1000 && !d.is_broken; i++) {
		duct_add(&d, body.at, 1000);
		duct_push(&d);
		CU_ASSERT_TRUE(duct_held(&d) <= HELD_BYTES);
	}
	CU_ASSERT_TRUE(d.is_broken && i > TLS_PAD_BYTES / 1000);
	CU_ASSERT_EQUAL(duct_held(&d), 0);
	SSL_free(ssl);
	duct_close(&d);
	close(w.ours);
	close(w.theirs);
	teardown();
}

/* What waits for company leaves with it, in one write and in order; alone it leaves by a flush. */
static void test_company(void)
{
	setup();
	struct wires w = wires_make(SOCK_SEQPACKET, 0);
	struct duct d;
	char got[64];
	SSL *ssl = SSL_new(server->context);
	role_loop();
	CU_ASSERT_EQUAL_FATAL(duct_open(&d, w.ours, &local, ssl), ERR_NONE);
	duct_add(&d, "ticket", 6);
	duct_hold(&d);
	CU_ASSERT_EQUAL(duct_held(&d), 6);
	duct_resume(&d);
	duct_add(&d, "answer", 6);
	CU_ASSERT_EQUAL(duct_push(&d), IO_OK);
	CU_ASSERT_EQUAL(recv(w.theirs, got, sizeof(got), 0), 12);
	CU_ASSERT_NSTRING_EQUAL(got, "ticketanswer", 12);
	duct_add(&d, "alone", 5);
	duct_hold(&d);
	duct_add(&d, "behind", 6); /* what is sealed meanwhile does not overtake it */
	CU_ASSERT_EQUAL(duct_push(&d), IO_AGAIN);
	CU_ASSERT_EQUAL(duct_flush(&d), IO_OK);
	CU_ASSERT_EQUAL(recv(w.theirs, got, sizeof(got), 0), 11);
	CU_ASSERT_NSTRING_EQUAL(got, "alonebehind", 11);
	SSL_free(ssl);
	duct_close(&d);
	close(w.ours);
	close(w.theirs);
	teardown();
}

/* A client that went while something waited for company: the wait is over, nothing is there. */
static void test_company_of_nobody(void)
{
	setup();
	struct wires w = wires_make(SOCK_STREAM, 0);
	struct duct d;
	SSL *ssl = SSL_new(server->context);
	role_loop();
	CU_ASSERT_EQUAL_FATAL(duct_open(&d, w.ours, &local, ssl), ERR_NONE);
	duct_add(&d, "ticket", 6);
	duct_hold(&d);
	close(w.theirs);
	CU_ASSERT_EQUAL(duct_flush(&d), IO_BROKEN);
	CU_ASSERT_FALSE(d.is_eager);
	duct_resume(&d);
	CU_ASSERT_EQUAL(local.pad_used, 0);
	CU_ASSERT_EQUAL(duct_held(&d), 0);
	SSL_free(ssl);
	duct_close(&d);
	close(w.ours);
	teardown();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "held is bounded", test_held_is_bounded },
		{ "company", test_company },
		{ "company of nobody", test_company_of_nobody },
		CU_TEST_INFO_NULL,
	};
	return run_with_ends("duct", 4096, tests);
}
