/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: lines, openings after a crash, and everything that must not go unnoticed. */
#include "purge/audit.c"

#include <CUnit/Basic.h>

static char folder[] = "/tmp/larder-test-XXXXXX";
static char path[64], why[256];
static struct audit_verdict verdict;

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static struct audit *open_log(void)
{
	why[0] = '\0';
	struct audit *a = audit_open(path, why, sizeof(why));
	CU_ASSERT_PTR_NOT_NULL(a);
	return a;
}

/* A log of three lines, closed. */
static void write_three(void)
{
	role_worker();
	unlink(path);
	struct audit *a = open_log();
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"ci\",\"seq\":1")), ERR_NONE);
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"ci\",\"seq\":2")), ERR_NONE);
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"unix:uid=0\",\"seq\":3")), ERR_NONE);
	audit_close(&a);
	CU_ASSERT_PTR_NULL(a);
}

static size_t read_log(char *to, size_t room)
{
	FILE *file = fopen(path, "re");
	size_t len = fread(to, 1, room - 1, file);
	to[len] = '\0';
	fclose(file);
	return len;
}

static void write_log(const char *text, size_t len)
{
	FILE *file = fopen(path, "we");
	CU_ASSERT_EQUAL(fwrite(text, 1, len, file), len);
	fclose(file);
}

static bool verify(const char *anchor)
{
	CU_ASSERT_TRUE(audit_verify(path, anchor, &verdict));
	return verdict.is_whole && verdict.has_anchor;
}

/* The first byte of the n-th line, from 0. */
static char *line_at(char *text, unsigned n)
{
	while (n--)
		text = strchr(text, '\n') + 1;
	return text;
}

static void test_lines(void)
{
	char text[4096];
	write_three();
	read_log(text, sizeof(text));
	CU_ASSERT_TRUE(strncmp(text, "{\"prev\":\"" ZEROS "\",\"line\":1,\"at\":\"2", 90) == 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "Z\",\"who\":\"ci\",\"seq\":1}\n"));
	CU_ASSERT_TRUE(verify(NULL));
	CU_ASSERT_EQUAL(verdict.lines, 3);
	/* By hand: the hash of the first line is the second's prev. */
	char hash[AUDIT_HEX + 1];
	char *second = line_at(text, 1);
	hash_line(slice_of(text, (size_t)(second - text) - 1), hash);
	CU_ASSERT_TRUE(strncmp(second + strlen("{\"prev\":\""), hash, AUDIT_HEX) == 0);
}

static void test_opened_again(void)
{
	role_worker();
	write_three();
	struct audit *a = open_log();
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"x\"")), ERR_NONE);
	CU_ASSERT_EQUAL(meter_read(&audit_meters(a)->lines), 1);
	audit_close(&a);
	CU_ASSERT_TRUE(verify(NULL));
	CU_ASSERT_EQUAL(verdict.lines, 4);
}

static void test_one_process(void)
{
	write_three();
	struct audit *a = open_log();
	struct audit *second = audit_open(path, why, sizeof(why));
	CU_ASSERT_PTR_NULL(second);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "another process has it"));
	audit_close(&a);
}

/* However much of the last line a crash has left. */
static void test_torn(void)
{
	role_worker();
	char text[4096];
	write_three();
	size_t len = read_log(text, sizeof(text));
	size_t third = (size_t)(line_at(text, 2) - text);
	for (size_t kept = third + 1; kept < len; kept += 7) {
		write_log(text, kept);
		CU_ASSERT_FALSE(verify(NULL));
		CU_ASSERT_EQUAL(verdict.lines, 2);
		CU_ASSERT_PTR_NOT_NULL(strstr(verdict.why, "torn"));
		struct audit *a = open_log();
		CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"again\"")), ERR_NONE);
		audit_close(&a);
		CU_ASSERT_TRUE(verify(NULL));
		CU_ASSERT_EQUAL(verdict.lines, 3);
	}
}

static void test_torn_first(void)
{
	role_worker();
	char text[4096];
	write_three();
	read_log(text, sizeof(text));
	size_t first = (size_t)(line_at(text, 1) - text);
	for (size_t kept = 0; kept < first; kept += 5) {
		write_log(text, kept);
		struct audit *a = open_log();
		CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"again\"")), ERR_NONE);
		audit_close(&a);
		CU_ASSERT_TRUE(verify(NULL));
		CU_ASSERT_EQUAL(verdict.lines, 1);
	}
}

static void check_found(const char *text, size_t len, unsigned good)
{
	write_log(text, len);
	CU_ASSERT_FALSE(verify(NULL));
	CU_ASSERT_EQUAL(verdict.lines, good);
}

static void test_changed(void)
{
	char text[4096], other[4096];
	write_three();
	size_t len = read_log(text, sizeof(text));
	size_t third = (size_t)(line_at(text, 2) - text);
	/* Any byte of a line that another follows: it is found there or at the next one. */
	for (size_t i = 0; i < third; i++) {
		memcpy(other, text, len);
		other[i] ^= 1;
		write_log(other, len);
		CU_ASSERT_FALSE(verify(NULL));
		CU_ASSERT_TRUE(verdict.lines <= 2);
	}
	memcpy(other, text, len);
	*(strstr(other, "\"who\":\"ci\"") + 7) = 'x';
	check_found(other, len, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(verdict.why, "changed"));
}

static void test_removed_and_moved(void)
{
	char text[4096], other[4096];
	write_three();
	size_t len = read_log(text, sizeof(text));
	size_t second = (size_t)(line_at(text, 1) - text);
	size_t third = (size_t)(line_at(text, 2) - text);
	/* without the first */
	check_found(text + second, len - second, 0);
	/* without the second */
	memcpy(other, text, second);
	memcpy(other + second, text + third, len - third);
	check_found(other, second + len - third, 1);
	/* the last two the other way round */
	memcpy(other + second + len - third, text + second, third - second);
	check_found(other, len, 1);
	/* the second twice */
	memcpy(other, text, third);
	memcpy(other + third, text + second, third - second);
	check_found(other, third + third - second, 2);
}

/* What the chain alone cannot tell, a hash that somebody kept does. */
static void test_anchor(void)
{
	role_worker();
	char text[4096], head[AUDIT_HEX + 1];
	write_three();
	CU_ASSERT_TRUE(verify(NULL));
	memcpy(head, verdict.head, sizeof(head));
	CU_ASSERT_TRUE(verify(head));
	struct audit *a = open_log();
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"x\"")), ERR_NONE);
	audit_close(&a);
	CU_ASSERT_TRUE(verify(head));
	read_log(text, sizeof(text));
	write_log(text, (size_t)(line_at(text, 2) - text));
	CU_ASSERT_TRUE(verify(NULL));
	CU_ASSERT_FALSE(verify(head));
	CU_ASSERT_TRUE(verdict.is_whole);
}

static void test_refused_lines(void)
{
	role_worker();
	write_three();
	struct audit *a = open_log();
	char *large = malloc(AUDIT_LINE_BYTES);
	memset(large, 'x', AUDIT_LINE_BYTES);
	CU_ASSERT_EQUAL(audit_append(a, SLICE_NONE), ERR_BAD_ORDER);
	CU_ASSERT_EQUAL(audit_append(a, SL("\"a\":1\n")), ERR_BAD_ORDER);
	CU_ASSERT_EQUAL(audit_append(a, slice_of(large, AUDIT_LINE_BYTES)), ERR_BAD_ORDER);
	/* The largest one, and after it another opening. */
	memcpy(large, "\"a\":\"", 5);
	large[AUDIT_LINE_BYTES - HEAD_BYTES - 1] = '"';
	CU_ASSERT_EQUAL(audit_append(a, slice_of(large, AUDIT_LINE_BYTES - HEAD_BYTES)), ERR_NONE);
	audit_close(&a);
	a = open_log();
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"x\"")), ERR_NONE);
	audit_close(&a);
	CU_ASSERT_TRUE(verify(NULL));
	CU_ASSERT_EQUAL(verdict.lines, 5);
	free(large);
}

static void test_no_log_of_ours(void)
{
	static const char *const others[] = { "root:x:0:0\n", "\n", "{}\n", "{\"prev\":\"00\"}\n",
		"hello" };
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		write_log(others[i], strlen(others[i]));
		CU_ASSERT_PTR_NULL(audit_open(path, why, sizeof(why)));
		CU_ASSERT_PTR_NOT_NULL(strstr(why, "none of an audit log's"));
		CU_ASSERT_FALSE(verify(NULL));
		char text[64];
		CU_ASSERT_EQUAL(read_log(text, sizeof(text)), strlen(others[i]));
	}
	CU_ASSERT_PTR_NULL(audit_open(folder, why, sizeof(why)));
	CU_ASSERT_PTR_NULL(audit_open("/nonexistent/audit", why, sizeof(why)));
	CU_ASSERT_FALSE(audit_verify("/nonexistent/audit", NULL, &verdict));
}

/* A disk that is full takes part of a line; it is taken back, and the next one follows. */
static void test_full_disk(void)
{
	role_worker();
	write_three();
	struct audit *a = open_log();
	int good = a->fd;
	a->fd = open("/dev/full", O_RDWR);
	lock_take(&a->lock);
	CU_ASSERT_FALSE(write_all(a->fd, SL("x")));
	CU_ASSERT_FALSE(is_fit_locked(a)); /* and it is noticed that this is not the file */
	lock_drop(&a->lock);
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"x\"")), ERR_STORE_IO);
	CU_ASSERT_EQUAL(meter_read(&audit_meters(a)->failures), 1);
	close(a->fd);
	a->fd = good;
	CU_ASSERT_EQUAL(write(good, "{\"prev\"", 7), 7); /* what a failure could leave */
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"y\"")), ERR_NONE);
	audit_close(&a);
	CU_ASSERT_TRUE(verify(NULL));
	CU_ASSERT_EQUAL(verdict.lines, 4);
}

static void test_taken_away(void)
{
	role_worker();
	write_three();
	struct audit *a = open_log();
	unlink(path);
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"x\"")), ERR_STORE_IO);
	write_log("", 0);
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"x\"")), ERR_STORE_IO);
	audit_close(&a);
	write_three();
	a = open_log();
	CU_ASSERT_EQUAL(truncate(path, 10), 0);
	CU_ASSERT_EQUAL(audit_append(a, SL("\"who\":\"x\"")), ERR_STORE_IO);
	audit_close(&a);
}

enum { THREADS = 4, EACH = 25 };

static void *append_many(void *arg)
{
	role_worker();
	for (int i = 0; i < EACH; i++)
		CU_ASSERT_EQUAL(audit_append(arg, SL("\"who\":\"t\"")), ERR_NONE);
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];
	write_three();
	struct audit *a = open_log();
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, append_many, a);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	audit_close(&a);
	CU_ASSERT_TRUE(verify(NULL));
	CU_ASSERT_EQUAL(verdict.lines, 3 + THREADS * EACH);
}

static int set_up(void)
{
	role_worker();
	log_set_level(LOG_LEVEL_ERROR);
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/audit", folder);
	return 0;
}

static int clean_up(void)
{
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("audit", set_up, clean_up);
	CU_add_test(s, "lines", test_lines);
	CU_add_test(s, "opened again", test_opened_again);
	CU_add_test(s, "one process", test_one_process);
	CU_add_test(s, "torn", test_torn);
	CU_add_test(s, "torn first line", test_torn_first);
	CU_add_test(s, "changed", test_changed);
	CU_add_test(s, "removed and moved", test_removed_and_moved);
	CU_add_test(s, "anchor", test_anchor);
	CU_add_test(s, "refused lines", test_refused_lines);
	CU_add_test(s, "no log of ours", test_no_log_of_ours);
	CU_add_test(s, "full disk", test_full_disk);
	CU_add_test(s, "taken away", test_taken_away);
	CU_add_test(s, "threads", test_threads);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures() + (CU_get_error() != CUE_SUCCESS);
	CU_cleanup_registry();
	return failures != 0;
}
