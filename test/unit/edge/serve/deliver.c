/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/deliver.c"

#include "edge/loop/loop.h"
#include "test/unit/cache/samples.h"

enum { WINDOW = 100000, SOME = 1000 };

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

static void write_some(struct object *o) ON_LOOP
{
	static const char bytes[SOME];
	CU_ASSERT_EQUAL(flow_write(o->body, slice_of(bytes, sizeof(bytes))), ERR_NONE);
}

static void end(struct delivery *d, struct object *o) ON_LOOP
{
	delivery_end(d);
	object_unref(&o);
	loop_fini(&home);
}

/* Whom the disk does not take stays in RAM to the end, and is told again. The letter may come to a
 * session that waits: nobody else tells it where it stands now. */
static void test_nowhere_to_go(void)
{
	role_loop();
	struct delivery d;
	struct object *o;
	begin_passing(&d, &o);
	write_some(o);
	CU_ASSERT_EQUAL(take(&d), SOURCE_WAIT);
	write_some(o);
	delivery_leave(&d);
	CU_ASSERT_TRUE(mail_is_posted(&d.wake));
	CU_ASSERT_EQUAL(take(&d), SOURCE_WAIT);
	CU_ASSERT_EQUAL(d.reader.offset, 2 * SOME);
	flow_shed(o->body);
	for (int i = 0; i < WINDOW / SOME; i++)
		write_some(o);
	CU_ASSERT_TRUE(flow_is_full(o->body, NULL, &home));
	CU_ASSERT_TRUE(mail_is_posted(&d.leave));
	CU_ASSERT_EQUAL(take(&d), SOURCE_WAIT);
	flow_finish(o->body, SLICE_NONE);
	CU_ASSERT_EQUAL(take(&d), SOURCE_END);
	end(&d, o);
}

/* Who has taken all there was by then stays: more may come, or the end, behind which the disk has
 * nothing. When it is behind again, it is told again. */
static void test_staying(void)
{
	role_loop();
	struct delivery d;
	struct object *o;
	begin_passing(&d, &o);
	flow_shed(o->body);
	write_some(o);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(take(&d), SOURCE_WAIT);
		delivery_leave(&d);
		CU_ASSERT_EQUAL(take(&d), SOURCE_WAIT);
		write_some(o);
	}
	CU_ASSERT_EQUAL(take(&d), SOURCE_WAIT);
	CU_ASSERT_EQUAL(d.reader.offset, 3 * SOME);
	CU_ASSERT_FALSE(mail_is_posted(&d.leave));
	for (int i = 0; i < WINDOW / SOME; i++)
		write_some(o);
	CU_ASSERT_TRUE(flow_is_full(o->body, NULL, &home));
	CU_ASSERT_TRUE(mail_is_posted(&d.leave));
	CU_ASSERT_EQUAL(take(&d), SOURCE_WAIT);
	delivery_leave(&d);
	flow_finish(o->body, SLICE_NONE);
	CU_ASSERT_EQUAL(take(&d), SOURCE_END);
	end(&d, o);
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
	end(&d, o);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("deliver", NULL, NULL);
	CU_ADD_TEST(suite, test_nowhere_to_go);
	CU_ADD_TEST(suite, test_staying);
	CU_ADD_TEST(suite, test_leaving_late);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
