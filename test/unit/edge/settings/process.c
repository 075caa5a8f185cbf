/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/process.c"

#include <CUnit/Basic.h>
#include <sys/wait.h>

static char folder[] = "/tmp/larder-test-XXXXXX";
static char path[64], why[256];

static void read_back(char *to, size_t room)
{
	FILE *file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	to[fread(to, 1, room - 1, file)] = '\0';
	fclose(file);
}

static void test_pid_file(void)
{
	struct pid_file file;
	char text[32], expected[32];
	CU_ASSERT_EQUAL_FATAL(pid_file_take(&file, path, why, sizeof(why)), ERR_NONE);
	read_back(text, sizeof(text));
	snprintf(expected, sizeof(expected), "%d\n", (int)getpid());
	CU_ASSERT_STRING_EQUAL(text, expected);
	pid_file_drop(&file);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
	pid_file_drop(&file);
}

static void test_pid_file_stale(void)
{
	struct pid_file file;
	char text[32];
	FILE *left = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(left);
	fputs("99999999999 left by a crash\n", left);
	fclose(left);
	CU_ASSERT_EQUAL_FATAL(pid_file_take(&file, path, why, sizeof(why)), ERR_NONE);
	read_back(text, sizeof(text));
	CU_ASSERT_EQUAL(atoi(text), getpid());
	CU_ASSERT_PTR_NULL(strstr(text, "crash"));
	pid_file_drop(&file);
}

static void test_pid_file_held(void)
{
	struct pid_file file, second;
	char expected[128];
	CU_ASSERT_EQUAL_FATAL(pid_file_take(&file, path, why, sizeof(why)), ERR_NONE);
	CU_ASSERT_EQUAL(pid_file_take(&second, path, why, sizeof(why)), ERR_SYSTEM);
	snprintf(
	    expected, sizeof(expected), "%s: another Larder runs, process %d", path, (int)getpid());
	CU_ASSERT_STRING_EQUAL(why, expected);
	pid_file_drop(&second);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	pid_file_drop(&file);
}

static void test_pid_file_nowhere(void)
{
	struct pid_file file;
	CU_ASSERT_EQUAL(pid_file_take(&file, "/no/such/folder/pid", why, sizeof(why)), ERR_SYSTEM);
	CU_ASSERT_STRING_EQUAL(why, "/no/such/folder/pid: No such file or directory");
	pid_file_drop(&file);
}

static void test_pid_file_is_no_link(void)
{
	struct pid_file file;
	CU_ASSERT_EQUAL(symlink("/etc/passwd", path), 0);
	CU_ASSERT_EQUAL(pid_file_take(&file, path, why, sizeof(why)), ERR_SYSTEM);
	unlink(path);
}

static void test_fds(void)
{
	struct rlimit limit;
	uint64_t now = process_raise_fds();
	getrlimit(RLIMIT_NOFILE, &limit);
	CU_ASSERT_EQUAL(now, limit.rlim_cur);
	CU_ASSERT_EQUAL(limit.rlim_cur, limit.rlim_max);
}

static void test_user_unknown(void)
{
	CU_ASSERT_EQUAL(process_become("no-such-user", why, sizeof(why)), ERR_CONF);
	CU_ASSERT_STRING_EQUAL(why, "user no-such-user: no such user");
}

/* In a child, as there is no way back: 0 = it went as it should. */
static int become_nobody(void)
{
	if (process_become("nobody", why, sizeof(why)) != ERR_NONE)
		return 1;
	if (getuid() == 0 || geteuid() == 0 || getegid() == 0 || setuid(0) == 0)
		return 2;
	if (process_become("nobody", why, sizeof(why)) != ERR_NONE)
		return 3;
	return process_become("root", why, sizeof(why)) == ERR_SYSTEM ? 0 : 4;
}

static void test_user(void)
{
	int status = 0;
	if (getuid() != 0 || !getpwnam("nobody"))
		return;
	pid_t child = fork();
	if (child == 0)
		_exit(become_nobody());
	waitpid(child, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
}

static int make_folder(void)
{
	snprintf(path, sizeof(path), "%s/pid", mkdtemp(folder));
	return 0;
}

static int remove_folder(void)
{
	return rmdir(folder);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "pid file", test_pid_file },
		{ "a stale pid file", test_pid_file_stale },
		{ "a pid file that is held", test_pid_file_held },
		{ "a pid file nowhere", test_pid_file_nowhere },
		{ "a pid file is no link", test_pid_file_is_no_link },
		{ "file descriptors", test_fds },
		{ "a user that is not", test_user_unknown },
		{ "becoming nobody", test_user },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "settings/process", make_folder, remove_folder, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
