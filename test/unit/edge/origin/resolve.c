/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/resolve.c"

#include "client.h"

/* A name server on the same loop: an A record or two for every name but "none.test". */
static struct {
	struct ev_io io;
	uint16_t port;
	uint8_t last; /* of 127.0.0.x, the first address */
	uint8_t count;
	uint8_t ttl_s;
	unsigned questions;
	bool is_silent;
} server;

static struct loop loop;
static struct resolver *resolver;
static struct lookup lookup;
static unsigned told;
static bool frees;

/* Reads a question, and writes its answer behind it. Returns the whole length. */
static size_t answer(uint8_t *packet, size_t len)
{
	bool is_v4 = packet[len - 3] == 1; /* QTYPE, when nothing follows the question */
	bool is_none = memmem(packet, len, "\4none", 5) != NULL;
	packet[2] |= 0x80;
	packet[3] = is_none ? 3 : 0;
	packet[7] = is_v4 && !is_none ? server.count : 0;
	for (uint8_t i = 0; i < packet[7]; i++) {
		const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, server.ttl_s, 0, 4, 127,
			0, 0, (uint8_t)(server.last + i) };
		memcpy(packet + len, record, sizeof(record));
		len += sizeof(record);
	}
	return len;
}

static void on_question(UNUSED struct ev_loop *ev, struct ev_io *io, UNUSED int events)
{
	uint8_t packet[512];
	struct address from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(io->fd, packet, 256, 0, &from.any, &from_len);
	server.questions++;
	if (len < 17 || server.is_silent)
		return;
	size_t all = answer(packet, (size_t)len);
	sendto(io->fd, packet, all, 0, &from.any, from_len);
}

static void open_all(void) ON_LOOP
{
	struct address a = { .v4.sin_family = AF_INET };
	socklen_t len = sizeof(a.v4);
	a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(loop_init(&loop, "test", 0, NULL) == ERR_NONE);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	must(bind(fd, &a.any, len) == 0 && getsockname(fd, &a.any, &len) == 0);
	memset(&server, 0, sizeof(server));
	server.last = server.count = server.ttl_s = 1;
	ev_io_init(&server.io, on_question, fd, EV_READ);
	ev_io_start(loop.ev, &server.io);
	resolver = resolver_new(&loop);
	char where[32];
	snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(a.v4.sin_port));
	must(ares_set_servers_ports_csv(resolver->channel, where) == ARES_SUCCESS);
	told = 0;
	frees = false;
}

static void close_all(void) ON_LOOP
{
	resolver_free(&resolver);
	lookup_fini(&lookup, &loop);
	ev_io_stop(loop.ev, &server.io);
	close(server.io.fd);
	loop_fini(&loop);
}

static void on_told(struct lookup *l)
{
	role_loop();
	told++;
	if (frees) {
		resolver_free(&resolver);
		lookup_fini(l, &loop);
	}
	loop_stop(&loop);
}

static bool has(unsigned at, const char *text, uint16_t port)
{
	char host[INET6_ADDRSTRLEN];
	const struct address *a = &lookup.addresses[at];
	size_t len = address_print(a, host, sizeof(host));
	return slice_eq(slice_of(host, len), slice_str(text)) && address_port(a) == port;
}

static void test_answer(void)
{
	role_loop();
	open_all();
	server.count = 2;
	server.ttl_s = 60;
	lookup_start(&lookup, resolver, SL("origin.test"), 8000, on_told);
	loop_run(&loop);
	CU_ASSERT_EQUAL(lookup.count, 2);
	CU_ASSERT(has(0, "127.0.0.1", 8000));
	CU_ASSERT(has(1, "127.0.0.2", 8000));
	CU_ASSERT_DOUBLE_EQUAL(ev_timer_remaining(loop.ev, &lookup.again), 60, 1);
	close_all();
}

static void test_asks_again(void)
{
	role_loop();
	open_all();
	lookup_start(&lookup, resolver, SL("origin.test"), 80, on_told);
	loop_run(&loop);
	CU_ASSERT(has(0, "127.0.0.1", 80));
	server.last = 7;
	loop_run(&loop);
	CU_ASSERT_EQUAL(told, 2);
	CU_ASSERT_EQUAL(lookup.count, 1);
	CU_ASSERT(has(0, "127.0.0.7", 80));
	close_all();
}

static void test_many(void)
{
	role_loop();
	open_all();
	server.count = 20;
	lookup_start(&lookup, resolver, SL("origin.test"), 80, on_told);
	loop_run(&loop);
	CU_ASSERT_EQUAL(lookup.count, LOOKUP_ADDRESSES);
	close_all();
}

static void test_none(void)
{
	role_loop();
	open_all();
	lookup_start(&lookup, resolver, SL("none.test"), 80, on_told);
	loop_run(&loop);
	CU_ASSERT_EQUAL(told, 1);
	CU_ASSERT_EQUAL(lookup.count, 0);
	CU_ASSERT_DOUBLE_EQUAL(
	    ev_timer_remaining(loop.ev, &lookup.again), (double)LOOKUP_RETRY_S, 1);
	close_all();
}

/* /etc/hosts, without a question; c-ares may answer at once. */
static void test_localhost(void)
{
	role_loop();
	open_all();
	lookup_start(&lookup, resolver, SL("localhost"), 80, on_told);
	while (told == 0)
		loop_run(&loop);
	CU_ASSERT(lookup.count > 0);
	CU_ASSERT(has(0, "127.0.0.1", 80) || has(0, "::1", 80));
	CU_ASSERT_EQUAL(server.questions, 0);
	close_all();
}

static void test_freed_by_the_answer(void)
{
	role_loop();
	open_all();
	frees = true;
	lookup_start(&lookup, resolver, SL("origin.test"), 80, on_told);
	loop_run(&loop);
	CU_ASSERT_EQUAL(told, 1);
	CU_ASSERT_PTR_NULL(resolver);
	close_all();
}

static void test_freed_while_asking(void)
{
	role_loop();
	open_all();
	server.is_silent = true;
	lookup_start(&lookup, resolver, SL("origin.test"), 80, on_told);
	ev_run(loop.ev, EVRUN_ONCE);
	CU_ASSERT(server.questions > 0);
	close_all();
	CU_ASSERT_EQUAL(told, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "answer", test_answer },
		{ "asks again", test_asks_again },
		{ "many", test_many },
		{ "none", test_none },
		{ "localhost", test_localhost },
		{ "freed by the answer", test_freed_by_the_answer },
		{ "freed while asking", test_freed_while_asking },
		CU_TEST_INFO_NULL,
	};
	return run_tests("resolve", tests);
}
