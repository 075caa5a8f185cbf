/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper notices. Its looks are made by hand: no test waits for a second to pass. */
#include "edge/settings/keeper.c"

#include <CUnit/Basic.h>
#include <unistd.h>

static char folder[] = "/tmp/larder-test-XXXXXX";
static char cert[64], key[64], other[64];

static struct tls_pair_options pair;
static struct listen_options listens[2];
static struct settings settings = { .listen = { listens, 2 } };
static struct premises premises = { .settings = &settings };
static struct keyring keyring;
static struct metrics metrics;
static struct loop loop;
static unsigned renewed;

static void renew(UNUSED void *owner)
{
	renewed++;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

static void start(struct keeper *k)
{
	role_loop();
	renewed = 0;
	listens[0] = listens[1] = (struct listen_options){ 0 };
	listens[0].tls.certificates = (struct conf_list){ &pair, 1 };
	write_file(cert, "one");
	write_file(key, "one");
	keeper_init(k, &loop, &keyring, &metrics, renew, NULL);
	keeper_take(k, &premises);
}

static void stop(struct keeper *k)
{
	role_loop();
	keeper_stop(k);
}

static void test_changes(void)
{
	struct keeper k;
	start(&k);
	CU_ASSERT(deadline_is_set(&k.look));
	on_look(&k.look);
	on_look(&k.look);
	CU_ASSERT_EQUAL(renewed, 0);
	write_file(cert, "longer");
	on_look(&k.look);
	CU_ASSERT_EQUAL(renewed, 0); /* the key may come next */
	write_file(key, "longer");
	on_look(&k.look);
	CU_ASSERT_EQUAL(renewed, 0);
	on_look(&k.look);
	CU_ASSERT_EQUAL(renewed, 1);
	on_look(&k.look);
	CU_ASSERT_EQUAL(renewed, 1);
	/* by rename, to the same length; and gone */
	write_file(other, "longes");
	CU_ASSERT_EQUAL(rename(other, cert), 0);
	on_look(&k.look);
	on_look(&k.look);
	CU_ASSERT_EQUAL(renewed, 2);
	unlink(key);
	on_look(&k.look);
	on_look(&k.look);
	CU_ASSERT_EQUAL(renewed, 3);
	stop(&k);
}

/* What was written while the files were read is noticed. */
static void test_during_a_renewal(void)
{
	role_loop();
	struct keeper k;
	start(&k);
	keeper_look(&k);
	write_file(cert, "longer");
	keeper_take(&k, &premises);
	on_look(&k.look);
	on_look(&k.look);
	CU_ASSERT_EQUAL(renewed, 1);
	stop(&k);
}

static void test_nothing_to_keep(void)
{
	struct keeper k;
	struct settings plain = { .listen = { listens, 0 } };
	struct premises bare = { .settings = &plain };
	role_loop();
	keeper_init(&k, &loop, &keyring, &metrics, renew, NULL);
	keeper_take(&k, &bare);
	CU_ASSERT_FALSE(deadline_is_set(&k.look));
	CU_ASSERT_FALSE(deadline_is_set(&k.turn));
	CU_ASSERT_FALSE(deadline_is_set(&k.warn));
	keeper_stop(&k);
}

static void test_rotation(void)
{
	struct keeper k;
	start(&k);
	CU_ASSERT_EQUAL(rotation_ms(&premises), 0);
	CU_ASSERT_FALSE(deadline_is_set(&k.turn));
	listens[0].tls.tickets = listens[1].tls.tickets = true;
	listens[0].tls.ticket_rotation_ms = 9000;
	listens[1].tls.ticket_rotation_ms = 8000;
	CU_ASSERT_EQUAL(rotation_ms(&premises), 8000);
	listens[1].tls.ticket_keys = SL("/file");
	CU_ASSERT_EQUAL(rotation_ms(&premises), 9000);
	role_loop();
	keeper_take(&k, &premises);
	CU_ASSERT(deadline_is_set(&k.turn));
	int64_t due = k.turn.at.us;
	loop_touch(&loop);
	keeper_take(&k, &premises);
	CU_ASSERT_EQUAL(k.turn.at.us, due); /* a reload puts it off no further */
	on_turn(&k.turn);
	CU_ASSERT(k.turn.at.us > due - 1 && deadline_is_set(&k.turn));
	stop(&k);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "changes", test_changes },
		{ "during a renewal", test_during_a_renewal },
		{ "nothing to keep", test_nothing_to_keep },
		{ "rotation", test_rotation },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "settings/keeper", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (!mkdtemp(folder) || loop_init(&loop, "control", 0, NULL) != ERR_NONE)
		return EXIT_FAILURE;
	snprintf(cert, sizeof(cert), "%s/cert", folder);
	snprintf(key, sizeof(key), "%s/key", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	pair = (struct tls_pair_options){ slice_str(cert), slice_str(key) };
	metrics_init(&metrics, "test");
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	metrics_fini(&metrics);
	loop_fini(&loop);
	unlink(cert);
	unlink(key);
	rmdir(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
