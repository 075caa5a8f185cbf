/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are read back as a log shipper would: JSON by jansson, combined by its quotes. */
#include "edge/serve/access.c"

#include <CUnit/Basic.h>
#include <jansson.h>
#include <sys/resource.h>

static char folder[] = "/tmp/larder-test-XXXXXX";
static char path[64], moved[64];

/* Bytes that a client may send to break a line, a terminal or a parser. */
#define HOSTILE "/a\"b\\c\n\r\t\x1b[31m\x7f\xff\xc3\x28?q=\xe2\x82\xac"

struct bench {
	struct arena arena;
	struct address client;
	struct request request;
	struct access_entry entry;
};

static void bench_init(struct bench *b)
{
	*b = (struct bench){ 0 };
	arena_init(&b->arena, 64 * KIB);
	CU_ASSERT(address_parse(SL("192.0.2.7"), 4000, &b->client));
	b->request = (struct request){
		.method = METHOD_GET,
		.method_name = SL("GET"),
		.authority = SL("shop.example"),
		.version = 11,
	};
	CU_ASSERT(fields_put(&b->request.fields, &b->arena, FIELD_USER_AGENT, SL("u\"a\x80")));
	b->entry = (struct access_entry){
		.at = { 1700000000123 },
		.id = "0123456789abcdef",
		.client = &b->client,
		.request = &b->request,
		.target_path = SL("/cart?id=1"),
		.status = 200,
		.bytes_out = 512,
		.bytes_in = 61,
		.duration_us = 1234567,
		.result = SL("hit"),
		.reason = REASON_FRESH,
		.age_s = 7,
		.ttl_s = INT64_MIN,
		.origin_us = -1,
	};
}

static void bench_fini(struct bench *b)
{
	arena_fini(&b->arena);
}

/* The whole of a file; the caller frees. */
static char *read_all(const char *name)
{
	FILE *file = fopen(name, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	char *text = calloc(1, 256 * 1024);
	text[fread(text, 1, 256 * 1024 - 1, file)] = '\0';
	fclose(file);
	return text;
}

/* Writes one entry through a log of its own and reads the file back. */
static char *line_of(const struct bench *b, enum access_format format)
{
	unlink(path);
	struct access_log *log = access_open(path, format, MIB);
	CU_ASSERT_PTR_NOT_NULL_FATAL(log);
	access_write(log, &b->entry);
	access_close(&log);
	CU_ASSERT_PTR_NULL(log);
	char *text = read_all(path);
	CU_ASSERT_EQUAL(slice_find(slice_str(text), '\n') + 1, strlen(text));
	return text;
}

static void test_json(void)
{
	struct bench b;
	bench_init(&b);
	char *line = line_of(&b, ACCESS_JSON);
	CU_ASSERT_STRING_EQUAL(line,
	    "{\"ts\":\"2023-11-14T22:13:20.123Z\",\"id\":\"0123456789abcdef\",\"trace\":null,"
	    "\"client\":\"192.0.2.7\",\"method\":\"GET\",\"host\":\"shop.example\","
	    "\"path\":\"/cart?id=1\",\"status\":200,\"bytes\":512,\"bytes_in\":61,\"dur_ms\":1234.567,"
	    "\"cache_status\":\"hit\",\"cache_reason\":\"fresh\",\"clause\":\"RFC 9111 4.2\","
	    "\"age\":7,\"ttl\":null,\"origin\":null,\"origin_ms\":null,\"proto\":\"HTTP/1.1\","
	    "\"tls\":null,\"route\":null,\"failure\":null}\n");
	free(line);
	b.entry.failure = ERR_ORIGIN_SLOW;
	b.entry.reason = REASON_BYPASS;
	b.entry.origin = SL("192.0.2.9:80");
	b.entry.origin_us = 45;
	b.entry.tls = SL("TLSv1.3");
	b.request.version = 20;
	line = line_of(&b, ACCESS_JSON);
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"origin_ms\":0.045,"));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"failure\":\"origin-slow\"}"));
	CU_ASSERT_PTR_NULL(strstr(line, "clause"));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"proto\":\"HTTP/2.0\",\"tls\":\"TLSv1.3\","));
	free(line);
	bench_fini(&b);
}

static void test_json_hostile(void)
{
	struct bench b;
	bench_init(&b);
	b.entry.target_path = SL(HOSTILE);
	b.request.authority = SL("\",\"status\":200,\"x\":\"");
	char *line = line_of(&b, ACCESS_JSON);
	json_t *all = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(all);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(all, "path")),
	    "/a\"b\\c\n\r\t\x1b[31m\x7f\u00ff\u00c3(?q=\u20ac");
	CU_ASSERT_STRING_EQUAL(
	    json_string_value(json_object_get(all, "host")), "\",\"status\":200,\"x\":\"");
	for (const char *at = line; at[1]; at++)
		CU_ASSERT((unsigned char)*at >= 0x20 && *at != 0x7f);
	json_decref(all);
	free(line);
	bench_fini(&b);
}

static void test_combined(void)
{
	struct bench b;
	bench_init(&b);
	b.entry.target_path = SL(HOSTILE);
	char *line = line_of(&b, ACCESS_COMBINED);
	CU_ASSERT_STRING_EQUAL(line,
	    "192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "
	    "\"GET /a\\x22b\\x5Cc\\x0A\\x0D\\x09\\x1B[31m\\x7F\\xFF\\xC3(?q=\\xE2\\x82\\xAC HTTP/1.1\""
	    " 200 512 \"-\" \"u\\x22a\\x80\"\n");
	free(line);
	bench_fini(&b);
}

/* A request that was refused before it had a head, of a client without an address. */
static void test_empty(void)
{
	struct bench b;
	bench_init(&b);
	b.request = (struct request){ 0 };
	b.entry = (struct access_entry){ .id = "x", .request = &b.request, .status = 400 };
	char *line = line_of(&b, ACCESS_JSON);
	json_t *all = json_loads(line, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(all);
	CU_ASSERT(json_is_null(json_object_get(all, "method")));
	json_decref(all);
	free(line);
	line = line_of(&b, ACCESS_COMBINED);
	CU_ASSERT_EQUAL(strncmp(line, "- - - [01/Jan/1970", 18), 0);
	free(line);
	bench_fini(&b);
}

/* The longest of everything, and each byte escaped: the line is cut, never lost or broken. */
static void test_long(void)
{
	static char much[100000];
	struct bench b;
	bench_init(&b);
	memset(much, 1, sizeof(much));
	struct slice all_of_it = slice_of(much, sizeof(much));
	b.entry.target_path = b.entry.trace = b.entry.origin = b.entry.route = all_of_it;
	b.entry.result = b.request.authority = b.request.method_name = all_of_it;
	fields_put(&b.request.fields, &b.arena, FIELD_REFERER, all_of_it);
	char *line = line_of(&b, ACCESS_JSON);
	json_t *all = json_loads(line, 0, NULL);
	CU_ASSERT_EQUAL(json_string_length(json_object_get(all, "path")), PATH_BYTES);
	json_decref(all);
	free(line);
	line = line_of(&b, ACCESS_COMBINED);
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"u\\x22a\\x80\"\n"));
	free(line);
	bench_fini(&b);
}

static void test_reopen(void)
{
	struct bench b;
	bench_init(&b);
	unlink(path);
	struct access_log *log = access_open(path, ACCESS_COMBINED, MIB);
	b.entry.target_path = SL("/before");
	access_write(log, &b.entry);
	while (meter_read(&access_meters(log)->lines) < 1)
		usleep(1000);
	CU_ASSERT_EQUAL(rename(path, moved), 0);
	access_reopen(log);
	b.entry.target_path = SL("/after");
	access_write(log, &b.entry);
	access_close(&log);
	char *old = read_all(moved), *new = read_all(path);
	CU_ASSERT(strstr(old, "/before") && !strstr(old, "/after"));
	CU_ASSERT(strstr(new, "/after") && !strstr(new, "/before"));
	free(old);
	free(new);
	struct stat is;
	stat(path, &is);
	CU_ASSERT_EQUAL(is.st_mode & 0777 & ~0640u, 0);
	unlink(moved);
	bench_fini(&b);
}

/* A pipe that nobody reads: lines are dropped and counted, nobody waits, and closing ends. */
static void test_drops(void)
{
	enum { LINES = 5000, QUEUE_BYTES = 8192 };
	struct bench b;
	bench_init(&b);
	int ends[2], out = dup(STDOUT_FILENO);
	fflush(stdout);
	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	dup2(ends[1], STDOUT_FILENO);
	struct access_log *log = access_open("-", ACCESS_JSON, QUEUE_BYTES);
	dup2(out, STDOUT_FILENO);
	for (int i = 0; i < LINES; i++)
		access_write(log, &b.entry);
	uint64_t dropped = meter_read(&access_meters(log)->dropped);
	CU_ASSERT(dropped > 0 && dropped < LINES);
	struct mono began = mono_now();
	access_close(&log);
	CU_ASSERT(mono_ms_since(began, mono_now()) < CLOSE_MS + 1000);
	close(ends[0]);
	close(ends[1]);
	close(out);
	bench_fini(&b);
}

/* A disk that is full: counted, and the line that was cut is ended before the next one. */
static void test_full_disk(void)
{
	struct bench b;
	bench_init(&b);
	unlink(path);
	struct access_log *log = access_open(path, ACCESS_JSON, MIB);
	struct rlimit before, small;
	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit){ 600, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	for (int i = 0; i < 10; i++)
		access_write(log, &b.entry);
	while (meter_read(&access_meters(log)->failed) < 1)
		usleep(1000);
	while (meter_read(&access_meters(log)->lost) < 9)
		usleep(1000);
	setrlimit(RLIMIT_FSIZE, &before);
	access_write(log, &b.entry);
	while (meter_read(&access_meters(log)->lines) < 2)
		usleep(1000);
	access_close(&log);
	char *text = read_all(path);
	struct slice rest = slice_str(text);
	int whole = 0, torn = 0;
	for (struct slice line; (line = slice_take_line(&rest)).len;) {
		json_t *all = json_loadb(line.at, line.len, 0, NULL);
		all ? whole++ : torn++;
		json_decref(all);
	}
	CU_ASSERT_EQUAL(whole, 2);
	CU_ASSERT_EQUAL(torn, 1);
	free(text);
	bench_fini(&b);
}

static void test_cannot_open(void)
{
	CU_ASSERT_PTR_NULL(access_open("/no/such/folder/log", ACCESS_JSON, MIB));
	CU_ASSERT_EQUAL(errno, ENOENT);
}

static int make_folder(void)
{
	const char *made = mkdtemp(folder);
	signal(SIGXFSZ, SIG_IGN);
	snprintf(path, sizeof(path), "%s/access.log", made);
	snprintf(moved, sizeof(moved), "%s/access.log.1", made);
	return 0;
}

static int remove_folder(void)
{
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "JSON", test_json },
		{ "hostile bytes in JSON", test_json_hostile },
		{ "combined, hostile bytes", test_combined },
		{ "nothing known", test_empty },
		{ "very long values", test_long },
		{ "reopen", test_reopen },
		{ "a pipe that nobody reads", test_drops },
		{ "a full disk", test_full_disk },
		{ "a file that cannot be", test_cannot_open },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "serve/access", make_folder, remove_folder, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
