/* SPDX-License-Identifier: Apache-2.0 */
/* A socket stands for the service manager; three loops for Larder. */
#include "edge/settings/notify.c"

#include <CUnit/Basic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/larder-test-XXXXXX";
static char path[64];
static int manager;

/* What the manager was told next; "" when nothing comes in time. Until the next call. */
static const char *told(int timeout_ms)
{
	static char text[512];
	struct timeval wait = { .tv_usec = timeout_ms * 1000 };
	setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	ssize_t len = recv(manager, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static void test_states(void)
{
	notify_ready();
	CU_ASSERT_STRING_EQUAL(told(100), "READY=1");
	notify_reloading();
	CU_ASSERT_EQUAL(strncmp(told(100), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	notify_status("%d workers", 4);
	CU_ASSERT_STRING_EQUAL(told(100), "STATUS=4 workers");
	notify_stopping();
	CU_ASSERT_STRING_EQUAL(told(100), "STOPPING=1");
}

static struct loop control, workers[2];
static struct watchdog watchdog;
static struct mail stop, stuck, stop_worker[2];
static _Atomic bool is_stuck;

static void on_worker_stop(struct mail *m)
{
	role_loop();
	loop_stop(&workers[m - stop_worker]);
}

static void on_stop(UNUSED struct mail *m)
{
	role_loop();
	watchdog_stop(&watchdog);
	loop_stop(&control);
}

/* A loop that hangs. */
static void on_stuck(UNUSED struct mail *m)
{
	while (is_stuck)
		usleep(1000);
}

static void start_nothing(UNUSED struct loop *loop, UNUSED void *arg)
{
}

static void start_control(struct loop *loop, UNUSED void *arg)
{
	role_loop();
	struct loop *const all[] = { &workers[0], &workers[1] };
	watchdog_start(&watchdog, loop, all, COUNT_OF(all));
}

static void start_loops(void)
{
	mail_init(&stop, on_stop);
	mail_init(&stuck, on_stuck);
	for (unsigned i = 0; i < 2; i++) {
		mail_init(&stop_worker[i], on_worker_stop);
		CU_ASSERT_EQUAL(loop_init(&workers[i], "worker", i, NULL), ERR_NONE);
		CU_ASSERT_EQUAL(loop_spawn(&workers[i], start_nothing, NULL), ERR_NONE);
	}
	CU_ASSERT_EQUAL(loop_init(&control, "control", 2, NULL), ERR_NONE);
	CU_ASSERT_EQUAL(loop_spawn(&control, start_control, NULL), ERR_NONE);
}

static void stop_loops(void)
{
	mail_post(&control, &stop);
	loop_join(&control);
	for (unsigned i = 0; i < 2; i++) {
		mail_post(&workers[i], &stop_worker[i]);
		loop_join(&workers[i]);
		loop_fini(&workers[i]);
	}
	loop_fini(&control);
	watchdog_fini(&watchdog);
}

static void test_watchdog(void)
{
	setenv("WATCHDOG_USEC", "90000", 1);
	start_loops();
	for (int i = 0; i < 3; i++)
		CU_ASSERT_STRING_EQUAL(told(1000), "WATCHDOG=1");
	is_stuck = true;
	mail_post(&workers[1], &stuck);
	/* At most one round that was answered before may still be told. */
	told(50);
	CU_ASSERT_STRING_EQUAL(told(200), "");
	is_stuck = false;
	CU_ASSERT_STRING_EQUAL(told(1000), "WATCHDOG=1");
	stop_loops();
	unsetenv("WATCHDOG_USEC");
}

static void test_nobody_asks(void)
{
	start_loops();
	CU_ASSERT_STRING_EQUAL(told(100), "");
	stop_loops();
}

static int open_manager(void)
{
	snprintf(path, sizeof(path), "%s/notify", mkdtemp(folder));
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	setenv("NOTIFY_SOCKET", path, 1);
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	return bind(manager, (const struct sockaddr *)(const void *)&un, sizeof(un));
}

static int close_manager(void)
{
	close(manager);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "states", test_states },
		{ "the watchdog, and a loop that hangs", test_watchdog },
		{ "no watchdog asked for", test_nobody_asks },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "settings/notify", open_manager, close_manager, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
