/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/conn.c"

#include <CUnit/Basic.h>

static struct loop loop;
static int calls;

static void on_ready(UNUSED struct conn *c, UNUSED int events)
{
	calls++;
}

static void turn(void) ON_LOOP
{
	for (int i = 0; i < 3; i++)
		ev_run(loop.ev, EVRUN_NOWAIT);
}

/* Two ends; ours gets the lowest free number. */
static void ends(int *ours, int *theirs)
{
	int fd[2];
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	*ours = fd[0];
	*theirs = fd[1];
}

/* A connection that changes hands is heard, whoever had its descriptor's number before. */
static void test_move_of_a_used_number(void)
{
	struct conn old, before, after;
	int ours, theirs, again, peer;
	role_loop();
	CU_ASSERT_EQUAL_FATAL(loop_init(&loop, "test", 0, NULL), ERR_NONE);
	ends(&ours, &theirs);
	conn_open(&old, &loop, ours, on_ready);
	conn_watch(&old, EV_READ);
	turn(); /* the kernel watches it now */
	conn_close(&old);
	ends(&again, &peer); /* within the round: libev has not looked yet */
	CU_ASSERT_EQUAL_FATAL(again, ours);
	conn_open(&before, &loop, again, on_ready);
	conn_move(&after, &before, on_ready);
	CU_ASSERT_FALSE(conn_is_open(&before));
	conn_watch(&after, EV_READ);
	turn();
	CU_ASSERT_EQUAL(calls, 0);
	CU_ASSERT_EQUAL(write(peer, "x", 1), 1);
	turn();
	CU_ASSERT_TRUE(calls > 0);
	conn_close(&after);
	close(theirs);
	close(peer);
	loop_fini(&loop);
}

/* One that is moved while it is watched is heard by its new owner alone. */
static void test_move_while_watched(void)
{
	struct conn before, after;
	int ours, theirs;
	role_loop();
	calls = 0;
	CU_ASSERT_EQUAL_FATAL(loop_init(&loop, "test", 0, NULL), ERR_NONE);
	ends(&ours, &theirs);
	conn_open(&before, &loop, ours, on_ready);
	conn_watch(&before, EV_READ);
	turn();
	conn_move(&after, &before, on_ready);
	CU_ASSERT_EQUAL(write(theirs, "x", 1), 1);
	turn();
	CU_ASSERT_EQUAL(calls, 0); /* nobody has asked yet */
	conn_watch(&after, EV_READ);
	turn();
	CU_ASSERT_TRUE(calls > 0);
	conn_close(&after);
	close(theirs);
	loop_fini(&loop);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "move of a used number", test_move_of_a_used_number },
		{ "move while watched", test_move_while_watched },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "loop/conn", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL };
	must(CU_initialize_registry() == CUE_SUCCESS && CU_register_suites(suites) == CUE_SUCCESS);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures > 0;
}
