/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/verbs.c"

#include <CUnit/Basic.h>

enum { WORDS = 8 };

#define VALID "origins: [{name: app, addresses: [\"http://a:1\"]}]\n"

static char folder[] = "/tmp/larder-verbs.XXXXXX";
static char file[64], output[64];

static int make_folder(void)
{
	if (!mkdtemp(folder))
		return 1;
	snprintf(file, sizeof(file), "%s/f.yaml", folder);
	snprintf(output, sizeof(output), "%s/out", folder);
	return 0;
}

static int drop_folder(void)
{
	unlink(file);
	unlink(output);
	return rmdir(folder);
}

static void write_file(const char *text)
{
	FILE *f = fopen(file, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

static bool has_text(const char *path, const char *want)
{
	char got[4096] = { 0 };
	FILE *f = fopen(path, "re");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	size_t len = fread(got, 1, sizeof(got) - 1, f);
	fclose(f);
	bool same = len < sizeof(got) - 1 && strcmp(got, want) == 0;
	if (!same)
		printf("\n  got  %s\n  want %s\n", got, want);
	return same;
}

/* Runs a verb on `file`; what it prints on stdout and stderr goes to `output`. */
static enum exit_code run(const char *const words[WORDS])
{
	const char *line[WORDS + 2] = { "larder" };
	int count = 1;
	for (; words[count - 1]; count++)
		line[count] = words[count - 1];
	line[count++] = file;
	struct flags flags;
	CU_ASSERT_EQUAL(flags_read(&flags, count, line), FLAGS_RUN);
	fflush(stdout);
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	if (!freopen(output, "we", stdout))
		CU_FAIL("cannot redirect");
	dup2(STDOUT_FILENO, STDERR_FILENO);
	enum exit_code code = verb_run_offline(&flags);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	flags_fini(&flags);
	return code;
}

static void test_check(void)
{
	write_file(VALID);
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "check" }), EXIT_OK);
	CU_ASSERT(has_text(output, "valid: 1 listener, 1 origin, 1 route\n"));
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "check", "--workers", "999" }), EXIT_CONFIG);
	CU_ASSERT(has_text(output, "--workers: \"999\" is out of range; write 0 to 256\n"));
	write_file(VALID "wrokers: 2\nuser: []\n");
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "check" }), EXIT_CONFIG);
	char want[512];
	snprintf(want, sizeof(want),
	    "%s:2:1: unknown key \"wrokers\"; did you mean \"workers\"?\n"
	    "%s:3:7: \"user\" takes a string, not a list\n2 problems\n",
	    file, file);
	CU_ASSERT(has_text(output, want));
}

static void test_fmt(void)
{
	char want[128];
	snprintf(want, sizeof(want), "%s\n", file);
	write_file("a:   1 # x\n");
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "fmt" }), EXIT_OK);
	CU_ASSERT(has_text(output, "a: 1 # x\n"));
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "fmt", "-d" }), EXIT_FAILED);
	CU_ASSERT(has_text(output, want));
	CU_ASSERT_EQUAL(chmod(file, 0640), 0);
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "fmt", "-w" }), EXIT_OK);
	CU_ASSERT(has_text(file, "a: 1 # x\n"));
	struct stat st;
	CU_ASSERT(stat(file, &st) == 0 && (st.st_mode & 07777) == 0640);
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "fmt", "-d" }), EXIT_OK);
	CU_ASSERT(has_text(output, ""));
	write_file("a: [\n");
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "fmt", "-w" }), EXIT_CONFIG);
	CU_ASSERT(has_text(file, "a: [\n"));
}

static void test_dump(void)
{
	write_file(VALID "routes:\n  - {origin: nowhere}\n");
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "dump" }), EXIT_CONFIG);
	write_file(VALID);
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "dump" }), EXIT_OK);
	CU_ASSERT_EQUAL(rename(output, file), 0);
	CU_ASSERT_EQUAL(run((const char *[WORDS]){ "check" }), EXIT_OK);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "check", test_check },
		{ "fmt", test_fmt },
		{ "dump", test_dump },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "settings/verbs", make_folder, drop_folder, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
