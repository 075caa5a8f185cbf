/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/flags.c"

#include <CUnit/Basic.h>
#include <unistd.h>

enum { WORDS = 12 };

/* Reads a command line that ends with NULL; what it says goes nowhere. */
static enum flags_verdict read_words(struct flags *flags, const char *const words[WORDS])
{
	int count = 0;
	while (count < WORDS && words[count])
		count++;
	fflush(stdout);
	fflush(stderr);
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	if (!freopen("/dev/null", "we", stdout) || !freopen("/dev/null", "we", stderr))
		CU_FAIL("cannot silence");
	enum flags_verdict verdict = flags_read(flags, count, words);
	fflush(stdout);
	fflush(stderr);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	return verdict;
}

static void test_verdicts(void)
{
	static const struct {
		const char *words[WORDS];
		enum flags_verdict verdict;
		enum verb verb;
	} rows[] = {
		{ { "larder", "run" }, FLAGS_RUN, VERB_RUN },
		{ { "larder", "run", "--origin", "http://a" }, FLAGS_RUN, VERB_RUN },
		{ { "larder", "run", "--origin=http://a", "--workers=2" }, FLAGS_RUN, VERB_RUN },
		{ { "larder", "check", "-c", "a", "b", "--", "-c" }, FLAGS_RUN, VERB_CHECK },
		{ { "larder", "-t" }, FLAGS_RUN, VERB_CHECK },
		{ { "larder", "fmt", "-w", "a" }, FLAGS_RUN, VERB_FMT },
		{ { "larder", "fmt", "-" }, FLAGS_RUN, VERB_FMT },
		{ { "larder", "dump", "--defaults" }, FLAGS_RUN, VERB_DUMP },
		{ { "larder", "schema" }, FLAGS_RUN, VERB_SCHEMA },
		{ { "larder", "--version" }, FLAGS_RUN, VERB_VERSION },
		{ { "larder", "--help" }, FLAGS_DONE, 0 },
		{ { "larder", "help" }, FLAGS_DONE, 0 },
		{ { "larder", "run", "--help" }, FLAGS_DONE, 0 },
		{ { "larder", "fmt", "-h" }, FLAGS_DONE, 0 },
		{ { "larder" }, FLAGS_WRONG, 0 },
		{ { NULL }, FLAGS_WRONG, 0 },
		{ { "larder", "rnu" }, FLAGS_WRONG, 0 },
		{ { "larder", "run", "--orign", "x" }, FLAGS_WRONG, 0 },
		{ { "larder", "run", "--origin" }, FLAGS_WRONG, 0 },
		{ { "larder", "run", "--defaults" }, FLAGS_WRONG, 0 },
		{ { "larder", "fmt", "--workers", "1" }, FLAGS_WRONG, 0 },
		{ { "larder", "fmt", "--write=1" }, FLAGS_WRONG, 0 },
		{ { "larder", "schema", "file" }, FLAGS_WRONG, 0 },
		{ { "larder", "run", "--cert", "c", "--key", "k" }, FLAGS_RUN, VERB_RUN },
		{ { "larder", "run", "--cert", "c" }, FLAGS_WRONG, 0 },
		{ { "larder", "check", "--key", "k" }, FLAGS_WRONG, 0 },
		{ { "larder", "run", "--cert=c", "--cert=d", "--key=k" }, FLAGS_WRONG, 0 },
		{ { "larder", "run", "--cert", "c", "--key" }, FLAGS_WRONG, 0 },
		{ { "larder", "fmt", "--cert", "c", "--key", "k" }, FLAGS_WRONG, 0 },
		{ { "larder", "run", "--cert", "c", "--help" }, FLAGS_DONE, 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct flags flags;
		CU_ASSERT_EQUAL(read_words(&flags, rows[i].words), rows[i].verdict);
		if (rows[i].verdict == FLAGS_RUN)
			CU_ASSERT_EQUAL(flags.verb, rows[i].verb);
		flags_fini(&flags);
	}
}

static void test_files(void)
{
	static const char *const words[WORDS] = { "larder", "check", "-c", "a", "--config=b", "c",
		"--", "-d" };
	static const char *const files[] = { "a", "b", "c", "-d" };
	struct flags flags;
	CU_ASSERT_EQUAL(read_words(&flags, words), FLAGS_RUN);
	CU_ASSERT_EQUAL_FATAL(flags.file_count, COUNT_OF(files));
	for (size_t i = 0; i < COUNT_OF(files); i++)
		CU_ASSERT_STRING_EQUAL(flags.files[i], files[i]);
	flags_fini(&flags);
}

/* A flag is a key: it lands where the file's key would. */
static void test_settings(void)
{
	static const char *const words[][WORDS] = {
		{ "larder", "run", "--origin", "http://a:1", "--origin", "http://b", "--listen",
		    "http://127.0.0.1:8080", "--admin", "unix:/a b", "--store", "/say \"s\"" },
		{ "larder", "run", "--origin=http://a:1", "--hot-size", "8m", "--store-size", "1g",
		    "--workers", "2", "--workers", "3" },
		{ "larder", "run", "--origin=http://a:1", "--access-log", "off",
		    "--log-level=debug", "--name", "n1", "--user=u", "--pid-file=/p" },
	};
	struct settings *s[COUNT_OF(words)];
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		struct flags flags;
		struct conf_errors errors;
		conf_errors_init(&errors);
		CU_ASSERT_EQUAL(read_words(&flags, words[i]), FLAGS_RUN);
		s[i] = flags_settings(&flags, &errors);
		printf("%.*s", SLICE_ARG(buf_slice(&errors.text)));
		CU_ASSERT_PTR_NOT_NULL_FATAL(s[i]);
		flags_fini(&flags);
		conf_errors_fini(&errors);
	}
	const struct origin_options *origin = s[0]->origins.at;
	CU_ASSERT(origin->addresses.count == 2 && slice_eq(origin->name, SL("default")));
	CU_ASSERT(slice_eq(origin->addresses.at[1], SL("http://b")));
	CU_ASSERT(slice_eq(settings_listen_at(s[0], 0)->address, SL("http://127.0.0.1:8080")));
	CU_ASSERT(slice_eq(s[0]->admin.listen, SL("unix:/a b")));
	CU_ASSERT(slice_eq(s[0]->store.path, SL("/say \"s\"")));
	CU_ASSERT(s[1]->store.hot_bytes == 8 * MIB && s[1]->store.size_bytes == GIB);
	CU_ASSERT_EQUAL(s[1]->workers, 3);
	CU_ASSERT(slice_eq(s[2]->log.access, SL("off")) && s[2]->log.level == 3);
	CU_ASSERT(slice_eq(s[2]->name, SL("n1")) && slice_eq(s[2]->user, SL("u")));
	CU_ASSERT(slice_eq(s[2]->pid_file, SL("/p")));
	for (size_t i = 0; i < COUNT_OF(words); i++)
		settings_unref(&s[i]);
}

/* The first key belongs to the first certificate, whatever stands between them. */
static void test_certificates(void)
{
	static const char *const words[WORDS] = { "larder", "run", "--origin=http://a",
		"--listen=https://b", "--key=k \"1\"", "--cert=c 1", "--cert=c2", "--key", "k2" };
	struct flags flags;
	struct conf_errors errors;
	conf_errors_init(&errors);
	CU_ASSERT_EQUAL(read_words(&flags, words), FLAGS_RUN);
	struct settings *s = flags_settings(&flags, &errors);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	const struct conf_list *list = &settings_listen_at(s, 0)->tls.certificates;
	CU_ASSERT_EQUAL_FATAL(list->count, 2);
	const struct tls_pair_options *pairs = list->at;
	CU_ASSERT(slice_eq(pairs[0].cert, SL("c 1")) && slice_eq(pairs[0].key, SL("k \"1\"")));
	CU_ASSERT(slice_eq(pairs[1].cert, SL("c2")) && slice_eq(pairs[1].key, SL("k2")));
	settings_unref(&s);
	flags_fini(&flags);
	conf_errors_fini(&errors);
}

static void test_errors(void)
{
	static const struct {
		const char *words[WORDS];
		const char *want;
	} rows[] = {
		{ { "larder", "run", "--origin", "a:1", "--workers", "x" },
		    "--origin: \"a:1\" has no http:// or https:// in front; write http://host:port\n"
		    "--workers: \"x\" is not a number; write 0, 12 or 3000\n" },
		{ { "larder", "run", "--origin", "http://a", "--cert", "", "--key", "k" },
		    "--cert: \"\" is no file; write the path of a PEM file\n" },
		{ { "larder", "run", "-c", "/nowhere/a", "-c", "/nowhere/b" },
		    "/nowhere/a: cannot be read: No such file or directory\n"
		    "/nowhere/b: cannot be read: No such file or directory\n" },
		{ { "larder", "run", "-c", "/" }, "/: cannot be read: Is a directory\n" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct flags flags;
		struct conf_errors errors;
		conf_errors_init(&errors);
		CU_ASSERT_EQUAL(read_words(&flags, rows[i].words), FLAGS_RUN);
		CU_ASSERT_PTR_NULL(flags_settings(&flags, &errors));
		CU_ASSERT(slice_eq(buf_slice(&errors.text), slice_str(rows[i].want)));
		flags_fini(&flags);
		conf_errors_fini(&errors);
	}
}

/* Each flag that sets something sets a key that the tables know. */
static void test_table(void)
{
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const struct flag *f = &table[i];
		if (!f->open)
			continue;
		struct slice rest = slice_str(f->open);
		struct slice key = slice_take_until(&rest, ':');
		CU_ASSERT_PTR_NOT_NULL(conf_field_of(&settings_table, key));
		CU_ASSERT(f->takes && f->verbs == LOADING);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "verbs, help and usage", test_verdicts },
		{ "files", test_files },
		{ "flags are keys", test_settings },
		{ "certificates and their keys", test_certificates },
		{ "errors name the flag", test_errors },
		{ "the table of flags", test_table },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "settings/flags", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
