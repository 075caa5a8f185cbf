/* SPDX-License-Identifier: Apache-2.0 */
/* The admin listener on a loop of its own, asked over a real socket. */
#include "edge/admin/admin.c"

#include <CUnit/Basic.h>
#include <jansson.h>
#include <sys/stat.h>

static char folder[] = "/tmp/larder-test-XXXXXX";
static char path[64], address[80];

/* Stands for the server: what admin asks its owner. */
static struct {
	struct loop loop;
	struct metrics metrics;
	struct admin admin;
	struct mail stop, answer;
	struct admin_reload *asked;
	_Atomic enum admin_what what;
	_Atomic(const char *) unready;
	_Atomic bool is_slow, is_bad;
	_Atomic enum err failed;
	char why[256];
} house;

static const char *unready(UNUSED void *owner)
{
	return house.unready;
}

static void dump(UNUSED void *owner, struct buf *to)
{
	buf_add(to, SL("workers: 4\n"));
}

static void answer_reload(UNUSED struct mail *m)
{
	role_loop();
	if (!house.asked)
		return;
	struct slice errors = SL("a.yaml:1:2: no such key\na.yaml:3:4: \"x\" is no size\n");
	admin_reloaded(&house.asked, !house.is_bad, house.is_bad ? errors : SLICE_NONE);
}

static void certs(UNUSED void *owner, struct buf *to)
{
	buf_add(to, SL("{\"certificates\":[]}\n"));
}

static void reload(UNUSED void *owner, enum admin_what what, struct admin_reload *asked)
{
	house.what = what;
	if (house.asked)
		answer_reload(NULL); /* the one before has waited long enough */
	house.asked = asked;
	if (house.is_slow)
		mail_post(&house.loop, &house.answer);
	else
		answer_reload(NULL);
}

static void start(struct loop *loop, UNUSED void *arg)
{
	role_loop();
	static const struct entrance plain;
	static const struct proxies nobody;
	struct admin_options options = {
		.access = { .entrance = &plain, .allow = &nobody },
		.address = slice_str(address),
		.metrics = &house.metrics,
		.unready = unready,
		.dump = dump,
		.certs = certs,
		.reload = reload,
	};
	house.failed = admin_start(&house.admin, loop, &options, house.why, sizeof(house.why));
}

static void on_stop(UNUSED struct mail *m)
{
	role_loop();
	admin_stop(&house.admin);
	loop_stop(&house.loop);
}

static int connect_house(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	for (int i = 0; i < 1000; i++, usleep(1000))
		if (connect(fd, (struct sockaddr *)(void *)&un, sizeof(un)) == 0)
			return fd;
	CU_FAIL_FATAL("nobody listens");
	return -1;
}

/* Sends a request of one line and fields; gives back the whole answer until the next call. */
static const char *ask(const char *line, const char *fields)
{
	static char text[256 * 1024];
	int fd = connect_house();
	dprintf(fd, "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", line, fields);
	size_t len = 0;
	for (ssize_t n; (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0;)
		len += (size_t)n;
	text[len] = '\0';
	close(fd);
	return text;
}

static unsigned status_of(const char *answer)
{
	return strlen(answer) > 9 ? (unsigned)atoi(answer + 9) : 0;
}

static const char *body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");
	return end ? end + 4 : "";
}

static bool has_problem(const char *answer, int status, const char *detail)
{
	int told = 0;
	const char *why = "", *title = "";
	json_t *problem = json_loads(body_of(answer), 0, NULL);
	json_unpack(problem, "{s:i,s:s,s?s}", "status", &told, "title", &title, "detail", &why);
	bool ok = told == status && status_of(answer) == (unsigned)status && *title &&
	    strcmp(why, detail) == 0 &&
	    strstr(answer, "Content-Type: application/problem+json\r\n");
	json_decref(problem);
	return ok;
}

static void test_health(void)
{
	const char *answer = ask("GET /healthz", "");
	CU_ASSERT_EQUAL(status_of(answer), 200);
	CU_ASSERT_STRING_EQUAL(body_of(answer), "ok\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\nDate: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\nCache-Control: no-store\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\nContent-Length: 3\r\n"));
	answer = ask("HEAD /healthz", "");
	CU_ASSERT_EQUAL(status_of(answer), 200);
	CU_ASSERT_STRING_EQUAL(body_of(answer), "");
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\nContent-Length: 3\r\n"));
}

static void test_readiness(void)
{
	house.unready = "draining";
	CU_ASSERT(has_problem(ask("GET /readyz", ""), 503, "not ready: draining"));
	CU_ASSERT_EQUAL(status_of(ask("GET /healthz", "")), 200);
	house.unready = NULL;
	const char *answer = ask("GET /readyz", "");
	CU_ASSERT_EQUAL(status_of(answer), 200);
	CU_ASSERT_STRING_EQUAL(body_of(answer), "{\"ready\":true}\n");
}

static void test_metrics(void)
{
	const char *answer = ask("GET /metrics", "");
	CU_ASSERT_EQUAL(status_of(answer), 200);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "larder_build_info{version=\"test\"} 1\n"));
	answer = ask("GET /v1/stat?x=1&prefix=build_&prefix=nothing", "");
	json_t *all = json_loads(body_of(answer), 0, NULL);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(all, "series")), 1);
	json_decref(all);
}

static void test_config(void)
{
	const char *answer = ask("GET /v1/config", "");
	CU_ASSERT_STRING_EQUAL(body_of(answer), "workers: 4\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Content-Type: application/yaml\r\n"));
}

static void test_reload(void)
{
	for (int slow = 0; slow < 2; slow++) {
		house.is_slow = slow;
		house.is_bad = false;
		CU_ASSERT_EQUAL(status_of(ask("POST /v1/certs/reload", "Content-Length: 0\r\n")),
		    house.is_bad ? 422 : 200);
		CU_ASSERT_EQUAL(house.what, ADMIN_CERTS);
		const char *answer = ask("POST /v1/config/reload", "Content-Length: 0\r\n");
		CU_ASSERT_EQUAL(house.what, ADMIN_CONFIG);
		CU_ASSERT_EQUAL(status_of(answer), 200);
		CU_ASSERT_STRING_EQUAL(body_of(answer), "{\"reloaded\":true}\n");
		house.is_bad = true;
		answer = ask("POST /v1/config/reload", "Content-Length: 0\r\n");
		CU_ASSERT(has_problem(
		    answer, 422, "the configuration is not valid: the one in force stays"));
		json_t *problem = json_loads(body_of(answer), 0, NULL);
		json_t *errors = json_object_get(problem, "errors");
		CU_ASSERT_EQUAL(json_array_size(errors), 2);
		CU_ASSERT_STRING_EQUAL(
		    json_string_value(json_array_get(errors, 1)), "a.yaml:3:4: \"x\" is no size");
		json_decref(problem);
	}
}

static void test_refusals(void)
{
	CU_ASSERT(has_problem(ask("GET /", ""), 404, "no such endpoint"));
	CU_ASSERT(has_problem(ask("POST /metrics", "Content-Length: 0\r\n"), 405, ""));
	const char *answer = ask("GET /v1/config/reload", "");
	CU_ASSERT(has_problem(answer, 405, ""));
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\nAllow: POST\r\n"));
	answer = ask("GET /healthz", "Content-Length: 1\r\nContent-Length: 2\r\n");
	CU_ASSERT_EQUAL(status_of(answer), 400);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer, "application/problem+json"));
}

static void test_browser(void)
{
	house.is_slow = house.is_bad = false;
	static const struct {
		const char *line, *origin;
		unsigned status;
	} rows[] = {
		{ "POST /v1/config/reload", "http://evil.example", 403 },
		{ "POST /v1/config/reload", "null", 403 },
		{ "POST /v1/config/reload", "http://localhost", 200 },
		{ "GET /healthz", "http://evil.example", 200 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char fields[128];
		snprintf(
		    fields, sizeof(fields), "Content-Length: 0\r\nOrigin: %s\r\n", rows[i].origin);
		CU_ASSERT_EQUAL(status_of(ask(rows[i].line, fields)), rows[i].status);
	}
}

/* A client that does not wait for its reload: the answer finds nobody. */
static void test_client_gone(void)
{
	house.is_slow = true;
	for (int i = 0; i < 20; i++) {
		int fd = connect_house();
		struct linger now = { .l_onoff = 1 };
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		dprintf(
		    fd, "POST /v1/config/reload HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
		close(fd);
	}
	CU_ASSERT_EQUAL(status_of(ask("GET /healthz", "")), 200);
}

static void test_socket(void)
{
	struct stat is;
	struct admin second;
	char why[256] = "";
	CU_ASSERT_EQUAL(stat(path, &is), 0);
	CU_ASSERT_EQUAL(is.st_mode & 07777, SOCKET_MODE);
	/* Its owner lives: it must not be taken away from it. */
	role_loop();
	struct admin_options options = { .address = slice_str(address) };
	enum err failed = admin_start(&second, &house.loop, &options, why, sizeof(why));
	CU_ASSERT_EQUAL(failed, ERR_SYSTEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "Address already in use"));
	admin_stop(&second);
	admin_fini(&second);
	CU_ASSERT_EQUAL(stat(path, &is), 0);
	options.address = SL("nonsense");
	failed = admin_start(&second, &house.loop, &options, why, sizeof(why));
	CU_ASSERT_EQUAL(failed, ERR_CONF);
	CU_ASSERT_STRING_EQUAL(why, "nonsense: not [https://]HOST:PORT or unix:PATH");
	admin_stop(&second);
	admin_fini(&second);
}

static int open_house(void)
{
	snprintf(path, sizeof(path), "%s/admin.sock", mkdtemp(folder));
	snprintf(address, sizeof(address), "unix:%s", path);
	mail_init(&house.stop, on_stop);
	mail_init(&house.answer, answer_reload);
	metrics_init(&house.metrics, "test");
	if (loop_init(&house.loop, "control", 0, NULL) != ERR_NONE)
		return 1;
	if (loop_spawn(&house.loop, start, NULL) != ERR_NONE)
		return 1;
	close(connect_house());
	return house.failed != ERR_NONE;
}

static int close_house(void)
{
	mail_post(&house.loop, &house.stop);
	loop_join(&house.loop);
	loop_fini(&house.loop);
	metrics_fini(&house.metrics);
	return rmdir(folder);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "health", test_health },
		{ "readiness", test_readiness },
		{ "metrics and stat", test_metrics },
		{ "configuration", test_config },
		{ "reload, at once and later", test_reload },
		{ "refusals", test_refusals },
		{ "pages in a browser", test_browser },
		{ "clients that do not wait", test_client_gone },
		{ "the socket", test_socket },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "admin/admin", open_house, close_house, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
