/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/pool.c"

#include "client.h"

/* A listener that accepts by itself, as far as its queue goes: enough for connections that say
 * nothing. */
static struct rig rig;
static struct pool pool;
static int door;
static unsigned ready;

static void on_user_ready(UNUSED void *user, UNUSED int events)
{
	ready++;
	ev_break(rig.loop.ev, EVBREAK_ALL);
}

static void open_all(void) ON_LOOP
{
	struct address a = { .v4.sin_family = AF_INET };
	socklen_t len = sizeof(a.v4);
	a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	door = socket(AF_INET, SOCK_STREAM, 0);
	must(bind(door, &a.any, len) == 0 && listen(door, 16) == 0);
	must(getsockname(door, &a.any, &len) == 0);
	rig_open(&rig);
	rig.options.idle_connections = 2;
	rig_start(&rig);
	pool_init(&pool, &rig.loop, &rig.options, &rig.meters);
	pool_list(&pool, &a);
	ready = 0;
}

static void close_all(void) ON_LOOP
{
	pool_unlist(&pool);
	CU_ASSERT(pool_is_free(&pool));
	rig_close(&rig);
	close(door);
}

static struct pooled *connect_one(void) ON_LOOP
{
	struct pooled *c = NULL;
	CU_ASSERT_EQUAL_FATAL(pool_connect(&pool, on_user_ready, &rig, &c), ERR_NONE);
	conn_watch(&c->conn, EV_WRITE);
	loop_run(&rig.loop);
	CU_ASSERT_EQUAL(conn_connected(&c->conn), ERR_NONE);
	conn_watch(&c->conn, EV_READ);
	return c;
}

static void test_newest_first(void)
{
	role_loop();
	open_all();
	struct pooled *a = connect_one(), *b = connect_one(), *c = connect_one();
	struct pooled *was_a = a, *was_b = b;
	CU_ASSERT_EQUAL(pool.used_count, 3);
	CU_ASSERT_EQUAL(ready, 3);
	pool_keep(&a);
	pool_keep(&b);
	pool_keep(&c); /* one too many */
	CU_ASSERT_PTR_NULL(c);
	CU_ASSERT_EQUAL(pool.used_count, 0);
	CU_ASSERT_EQUAL(pool.kept_count, 2);
	b = pool_take(&pool, on_user_ready, &rig);
	a = pool_take(&pool, on_user_ready, &rig);
	CU_ASSERT(a == was_a && b == was_b);
	CU_ASSERT_PTR_NULL(pool_take(&pool, on_user_ready, &rig));
	pool_close(&a);
	pool_close(&b);
	pool_close(&b);
	close_all();
}

static void test_unlisted(void)
{
	role_loop();
	open_all();
	struct pooled *kept = connect_one(), *used = connect_one();
	pool_keep(&kept);
	pool_unlist(&pool);
	CU_ASSERT_EQUAL(pool.kept_count, 0);
	CU_ASSERT_FALSE(pool_is_free(&pool));
	pool_keep(&used);
	CU_ASSERT(pool_is_free(&pool));
	close_all();
}

/* Dead ones are passed over when they are taken, a live one behind them is found. */
static void test_take_passes_over(void)
{
	role_loop();
	open_all();
	struct pooled *live = connect_one(), *dead = connect_one();
	int fds[2] = { accept(door, NULL, NULL), accept(door, NULL, NULL) };
	struct pooled *was_live = live;
	pool_keep(&live);
	pool_keep(&dead);
	close(fds[1]);
	live = pool_take(&pool, on_user_ready, &rig);
	CU_ASSERT_PTR_EQUAL(live, was_live);
	CU_ASSERT_EQUAL(pool.kept_count, 0);
	pool_close(&live);
	close(fds[0]);
	close_all();
}

static void test_idle(void)
{
	role_loop();
	open_all();
	rig.options.idle_ms = 20;
	struct pooled *c = connect_one();
	pool_keep(&c);
	RIG_UNTIL(&rig, pool.kept_count == 0);
	CU_ASSERT_EQUAL(pool.kept_count, 0);
	close_all();
}

static void test_refused(void)
{
	role_loop();
	open_all();
	struct address a = { .v4.sin_family = AF_INET, .v4.sin_port = htons(closed_port()) };
	a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pool_unlist(&pool);
	pool_list(&pool, &a);
	struct pooled *c = NULL;
	enum err e = pool_connect(&pool, on_user_ready, &rig, &c);
	if (e == ERR_NONE) {
		conn_watch(&c->conn, EV_WRITE);
		loop_run(&rig.loop);
		e = conn_connected(&c->conn);
	}
	CU_ASSERT_EQUAL(e, ERR_ORIGIN_CONNECT);
	pool_close(&c);
	close_all();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "newest first", test_newest_first },
		{ "unlisted", test_unlisted },
		{ "take passes over", test_take_passes_over },
		{ "idle", test_idle },
		{ "refused", test_refused },
		CU_TEST_INFO_NULL,
	};
	return run_tests("pool", tests);
}
