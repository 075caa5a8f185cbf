/* SPDX-License-Identifier: Apache-2.0 */
/* Files of tokens: what they say, what is wrong with them, and rates. */
#include "edge/admin/token.c"

#include <CUnit/Basic.h>

static char folder[] = "/tmp/larder-test-XXXXXX";
static char path[64];
static struct conf_errors errors;

/* The hash of a token as its line has it. Good until the next but one. */
static const char *hash_of(const char *token)
{
	static char hex[2][65];
	static unsigned turn;
	char *to = hex[turn++ % 2];
	unsigned char sum[32];
	SHA256((const unsigned char *)token, strlen(token), sum);
	for (size_t i = 0; i < 32; i++)
		snprintf(to + 2 * i, 3, "%02x", sum[i]);
	return to;
}

static struct tokens *load(const char *text, size_t len, const struct tokens *before)
{
	FILE *file = fopen(path, "we");
	CU_ASSERT_EQUAL(fwrite(text, 1, len, file), len);
	fclose(file);
	conf_errors_fini(&errors);
	conf_errors_init(&errors);
	return tokens_load(slice_str(path), before, &errors);
}

static struct tokens *load_text(const char *text)
{
	return load(text, strlen(text), NULL);
}

static bool has_told(const char *what)
{
	return slice_find_slice(buf_slice(&errors.text), slice_str(what)) < errors.text.len;
}

static void test_file(void)
{
	char text[1024];
	snprintf(text, sizeof(text),
	    "# who may purge\n\n  ci\tpurge:select,read  %s 10/s  \r\nops admin %s",
	    hash_of("larder_a"), hash_of("larder_b"));
	struct tokens *t = load_text(text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(t->count, 2);
	struct token *ci = tokens_find(t, SL("larder_a")), *ops = tokens_find(t, SL("larder_b"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(ci);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ops);
	CU_ASSERT_TRUE(slice_eq(ci->name, SL("ci")));
	CU_ASSERT_EQUAL(ci->scopes, GRANT_READ | GRANT_PURGE_SELECT);
	CU_ASSERT_EQUAL(ci->rate, 10);
	CU_ASSERT_TRUE(slice_eq(ops->name, SL("ops")));
	CU_ASSERT_EQUAL(ops->scopes, GRANT_ALL);
	CU_ASSERT_EQUAL(ops->rate, TOKEN_RATE);
	CU_ASSERT_PTR_NULL(tokens_find(t, SL("larder_c")));
	CU_ASSERT_PTR_NULL(tokens_find(t, SL("larder_")));
	CU_ASSERT_PTR_NULL(tokens_find(t, SLICE_NONE));
	/* Who reads the file cannot show what stands there. */
	CU_ASSERT_PTR_NULL(tokens_find(t, slice_str(hash_of("larder_a"))));
	tokens_unref(&t);
}

static void test_two_of_a_name(void)
{
	char text[1024];
	snprintf(text, sizeof(text), "ci read %s\nci read %s\n", hash_of("old"), hash_of("new"));
	struct tokens *t = load_text(text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_PTR_NOT_NULL(tokens_find(t, SL("old")));
	CU_ASSERT_PTR_NOT_NULL(tokens_find(t, SL("new")));
	tokens_unref(&t);
}

static void test_empty(void)
{
	struct tokens *t = load_text("# nobody\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(t->count, 0);
	CU_ASSERT_PTR_NULL(tokens_find(t, SL("x")));
	tokens_unref(&t);
}

static void test_scopes(void)
{
	unsigned got;
	CU_ASSERT_TRUE(grants_parse(SL("purge:all"), &got));
	CU_ASSERT_EQUAL(got, GRANT_PURGE_ALL | GRANT_PURGE_SELECT);
	CU_ASSERT_TRUE(grants_parse(SL("purge:select"), &got));
	CU_ASSERT_EQUAL(got, GRANT_PURGE_SELECT);
	CU_ASSERT_FALSE(grants_parse(SL(""), &got));
	CU_ASSERT_FALSE(grants_parse(SL("read,"), &got) && got != GRANT_READ);
	CU_ASSERT_FALSE(grants_parse(SL("read,,admin"), &got));
	CU_ASSERT_FALSE(grants_parse(SL("Read"), &got));
	CU_ASSERT_FALSE(grants_parse(SL("purge"), &got));
	CU_ASSERT_PTR_NULL(grant_check(SL("admin")));
	CU_ASSERT_PTR_NOT_NULL(grant_check(SL("root")));
	CU_ASSERT_STRING_EQUAL(grant_name(GRANT_PURGE_ALL), "purge:all");
}

/* Every bad line is told, with its number, and none of the file counts. */
static void test_bad_lines(void)
{
	static const struct {
		const char *line, *told;
	} cases[] = {
		{ "ci", "has no scopes" },
		{ "ci read", "has no SHA-256" },
		{ "ci read 12ab", "has no SHA-256" },
		{ "ci write HASH", "has no scopes" },
		{ "c:i read HASH", "is no name" },
		{ "ci read larder_abc", "has the token itself" },
		{ "ci read HASH 10", "has no rate" },
		{ "ci read HASH 0/s", "has no rate" },
		{ "ci read HASH 1000001/s", "has no rate" },
		{ "ci read HASH 99999999999999999999/s", "has no rate" },
		{ "ci read HASH 10/s more", "goes on" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[1024], line[300];
		const char *mark = strstr(cases[i].line, "HASH");
		snprintf(line, sizeof(line), "%.*s%s%s",
		    (int)(mark ? mark - cases[i].line : (int)strlen(cases[i].line)), cases[i].line,
		    mark ? hash_of("x") : "", mark ? mark + 4 : "");
		snprintf(text, sizeof(text), "ok read %s\n#\n%s\n", hash_of("y"), line);
		CU_ASSERT_PTR_NULL(load_text(text));
		CU_ASSERT_EQUAL(errors.count, 1);
		CU_ASSERT_TRUE(has_told(cases[i].told));
		snprintf(text, sizeof(text), "%s:3: ", path);
		CU_ASSERT_TRUE(has_told(text));
	}
}

static void test_all_told(void)
{
	char text[1024];
	snprintf(text, sizeof(text), "a\nb\nok read %s\nno read %s\n", hash_of("x"), hash_of("x"));
	CU_ASSERT_PTR_NULL(load_text(text));
	CU_ASSERT_EQUAL(errors.count, 3);
	CU_ASSERT_TRUE(has_told(":1: \"a\""));
	CU_ASSERT_TRUE(has_told(":2: \"b\""));
	CU_ASSERT_TRUE(has_told(":4: \"no\" has the hash of a line before it"));
}

/* What is larger than it may be, or no file, is refused before it costs anything. */
static void test_bounds(void)
{
	size_t len = TOKEN_FILE_BYTES + 1;
	char *text = malloc(len);
	memset(text, '\n', len);
	CU_ASSERT_PTR_NULL(load(text, len, NULL));
	CU_ASSERT_TRUE(has_told("larger than 1 MiB"));
	struct tokens *t = load(text, TOKEN_FILE_BYTES, NULL);
	CU_ASSERT_PTR_NOT_NULL(t);
	tokens_unref(&t);
	size_t used = 0;
	for (unsigned i = 0; i <= TOKENS_MAX; i++)
		used += (size_t)snprintf(text + used, len - used, "t read %064x\n", i);
	CU_ASSERT_PTR_NULL(load(text, used, NULL));
	CU_ASSERT_TRUE(has_told(":4097: "));
	free(text);
	CU_ASSERT_PTR_NULL(tokens_load(slice_str(folder), NULL, &errors));
	CU_ASSERT_PTR_NULL(tokens_load(SL("/nonexistent"), NULL, &errors));
	unlink(path);
	CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
	CU_ASSERT_PTR_NULL(tokens_load(slice_str(path), NULL, &errors));
	unlink(path);
}

static void test_rate(void)
{
	struct token t = { .rate = 10 };
	struct mono now = { INT64_C(1000) * 1000 * 1000 };
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(token_spend(&t, now), 0);
	CU_ASSERT_EQUAL(token_spend(&t, now), 100);
	now.us += 50 * 1000;
	CU_ASSERT_EQUAL(token_spend(&t, now), 50); /* a refusal costs nothing */
	now.us += 50 * 1000;
	CU_ASSERT_EQUAL(token_spend(&t, now), 0);
	CU_ASSERT_NOT_EQUAL(token_spend(&t, now), 0);
	now.us += INT64_C(3600) * 1000 * 1000; /* an hour saves up no more than a second */
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(token_spend(&t, now), 0);
	CU_ASSERT_NOT_EQUAL(token_spend(&t, now), 0);
}

/* To write the file anew is no way to a fresh rate. */
static void test_rate_goes_on(void)
{
	char text[1024];
	struct mono now = { INT64_C(1000) * 1000 * 1000 };
	snprintf(text, sizeof(text), "ci read %s 1/s\n", hash_of("x"));
	struct tokens *first = load_text(text);
	CU_ASSERT_EQUAL(token_spend(tokens_find(first, SL("x")), now), 0);
	snprintf(text, sizeof(text), "new read %s\nci read %s 1/s\n", hash_of("y"), hash_of("x"));
	struct tokens *second = load(text, strlen(text), first);
	tokens_unref(&first);
	CU_ASSERT_NOT_EQUAL(token_spend(tokens_find(second, SL("x")), now), 0);
	CU_ASSERT_EQUAL(token_spend(tokens_find(second, SL("y")), now), 0);
	tokens_unref(&second);
}

static int set_up(void)
{
	conf_errors_init(&errors);
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/tokens", folder);
	return 0;
}

static int clean_up(void)
{
	conf_errors_fini(&errors);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("token", set_up, clean_up);
	CU_add_test(s, "file", test_file);
	CU_add_test(s, "two of a name", test_two_of_a_name);
	CU_add_test(s, "empty", test_empty);
	CU_add_test(s, "scopes", test_scopes);
	CU_add_test(s, "bad lines", test_bad_lines);
	CU_add_test(s, "all told", test_all_told);
	CU_add_test(s, "bounds", test_bounds);
	CU_add_test(s, "rate", test_rate);
	CU_add_test(s, "rate goes on", test_rate_goes_on);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures() + (CU_get_error() != CUE_SUCCESS);
	CU_cleanup_registry();
	return failures != 0;
}
