/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/health.c"

#include <sys/mount.h>

#include "test/unit/cache/tier/stores.h"

static void test_lanes(void)
{
	struct health h = { 0 };
	CU_ASSERT(health_may(&h, HEALTH_READS) && health_is_well(&h, HEALTH_READS));
	health_tell(&h, HEALTH_WRITES, TROUBLE_IO, "for the test");
	CU_ASSERT(!health_may(&h, HEALTH_WRITES) && !health_is_well(&h, HEALTH_WRITES));
	CU_ASSERT(health_may(&h, HEALTH_READS));
	/* Its time has come: one may try, and it is well when that worked. */
	h.retry_at_us[HEALTH_WRITES] = mono_now().us;
	CU_ASSERT(health_may(&h, HEALTH_WRITES) && !health_is_well(&h, HEALTH_WRITES));
	health_tell(&h, HEALTH_WRITES, TROUBLE_NONE, "");
	CU_ASSERT(health_may(&h, HEALTH_WRITES) && health_is_well(&h, HEALTH_WRITES));
}

static void fill_disk(const char *path)
{
	FILE *f = fopen(path, "w");
	must(f != NULL);
	static const char block[64 * 1024];
	while (fwrite(block, sizeof(block), 1, f) == 1)
		;
	fclose(f);
}

static void test_full_disk(void)
{
	fresh_dir();
	if (mount("larder-test", dir, "tmpfs", 0, "size=96m") != 0) {
		printf("(skipped: mounting a tmpfs takes root) ");
		return;
	}
	struct cold *c = open_store(80 * MIB, ADMIT_ALWAYS);
	for (uint64_t n = 0; n < 20; n++)
		store_patiently(c, n, 100000);
	settle(c);
	char path[96];
	snprintf(path, sizeof(path), "%s/ballast", dir);
	fill_disk(path);
	uint64_t n = 20;
	while (cold_state(c) == COLD_OK && n < 2000)
		store_sample(c, n++, 100000);
	CU_ASSERT_EQUAL(cold_state(c), COLD_READ_ONLY);
	/* The thread that saw the trouble shows it next. */
	for (int i = 0; i < 1000 && meter_read(&cold_meters(c)->state) != COLD_READ_ONLY; i++)
		usleep(1000);
	CU_ASSERT_EQUAL(meter_read(&cold_meters(c)->state), COLD_READ_ONLY);
	/* Reading goes on; what is to be forgotten is not found, though it cannot be written. */
	CU_ASSERT_EQUAL(check_stored(c, 3, 100000), WHOLE);
	cold_forget(c, sample_hash(4));
	CU_ASSERT_EQUAL(check_stored(c, 4, 100000), NOTHING);
	CU_ASSERT(!store_sample(c, n, 100000));
	unlink(path);
	for (int i = 0; i < 150 && cold_state(c) != COLD_OK; i++)
		usleep(100000);
	CU_ASSERT_EQUAL(cold_state(c), COLD_OK);
	store_patiently(c, 5000, 100000);
	settle(c);
	CU_ASSERT_EQUAL(check_stored(c, 5000, 100000), WHOLE);
	CU_ASSERT_EQUAL(check_stored(c, 3, 100000), WHOLE);
	for (int i = 0; i < 50 && meter_read(&cold_meters(c)->forgotten) == 0; i++)
		usleep(100000);
	CU_ASSERT_EQUAL(check_stored(c, 4, 100000), NOTHING);
	/* Closing and opening on a full disk: it works or it fails, and breaks nothing. */
	fill_disk(path);
	store_sample(c, 5001, 100000);
	cold_close(&c);
	struct cold_options o = { .path = dir, .size_bytes = 80 * MIB, .admission = ADMIT_ALWAYS };
	CU_ASSERT_EQUAL(cold_open(&o, NULL, &c), ERR_NONE);
	CU_ASSERT(cold_state(c) == COLD_OK || strcmp(cold_why(c), "full") == 0);
	cold_close(&c);
	unlink(path);
	c = open_store(80 * MIB, ADMIT_ALWAYS);
	CU_ASSERT_EQUAL(check_stored(c, 3, 100000), WHOLE);
	cold_close(&c);
	umount(dir);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "lanes", test_lanes },
		{ "a full disk", test_full_disk },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("tier/health", tests);
}
