/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/deliver.c"

#include "edge/loop/loop.h"
#include "test/unit/cache/samples.h"

enum { WINDOW = 100000 };

static struct loop home;

static void nothing(UNUSED struct mail *m)
{
}

/* A body that only passes through RAM, and its one reader. */
static void begin_passing(struct delivery *d, struct object **ret_object) ON_LOOP
{
	CU_ASSERT_EQUAL_FATAL(loop_init(&home, "test", 0, NULL), ERR_NONE);
	struct object *o = sample_head(1);
	o->body = flow_new(FLOW_LENGTH_UNKNOWN, 0, WINDOW);
	*d = (struct delivery){ 0 };
	mail_init(&d->wake, nothing);
	mail_init(&d->leave, nothing);
	list_init(&d->reader.link);
	CU_ASSERT_TRUE_FATAL(delivery_begin(d, o, NULL, NULL, &home));
	*ret_object = o;
}

static enum source_state take(struct delivery *d)
{
	struct iovec iov[8];
	int n;
	enum source_state state;
	while ((state = d->source.peek(&d->source, iov, 8, &n)) == SOURCE_MORE)
		for (int i = 0; i < n; i++)
			d->source.advance(&d->source, iov[i].iov_len);
	return state;
}

/* The letter to leave may come when the reader has taken all there was and waits for more. Nobody else
 * tells it that it stands elsewhere now. */
static void test_leaving_wakes_who_waits(void)
{
	role_loop();
	struct delivery d;
	struct object *o;
	begin_passing(&d, &o);
	static const char bytes[1000];
	CU_ASSERT_EQUAL(flow_write(o->body, slice_of(bytes, sizeof(bytes))), ERR_NONE);
	CU_ASSERT_EQUAL(take(&d), SOURCE_WAIT);
	CU_ASSERT_FALSE(mail_is_posted(&d.wake));
	delivery_leave(&d);
	CU_ASSERT_TRUE(mail_is_posted(&d.wake));
	/* It is not on disk either. */
	CU_ASSERT_EQUAL(take(&d), SOURCE_FAIL);
	delivery_end(&d);
	flow_fail(o->body, ERR_ORIGIN_TRUNCATED);
	object_unref(&o);
	loop_fini(&home);
}

/* One that has gone, or has all, is not woken. */
static void test_leaving_late(void)
{
	role_loop();
	struct delivery d;
	struct object *o;
	begin_passing(&d, &o);
	flow_finish(o->body, SLICE_NONE);
	CU_ASSERT_EQUAL(take(&d), SOURCE_END);
	delivery_leave(&d);
	CU_ASSERT_FALSE(mail_is_posted(&d.wake));
	delivery_end(&d);
	delivery_leave(&d);
	CU_ASSERT_FALSE(mail_is_posted(&d.wake));
	object_unref(&o);
	loop_fini(&home);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("deliver", NULL, NULL);
	CU_ADD_TEST(suite, test_leaving_wakes_who_waits);
	CU_ADD_TEST(suite, test_leaving_late);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
