/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/origin.c"

#include "client.h"

static struct rig rig;

/* Whose turn it is, by port. */
static unsigned next_port(struct mono since) ON_LOOP
{
	const struct pool *p = origin_choose(rig.origin, since);
	return p ? address_port(&p->address) : 0;
}

static void test_turns(void)
{
	role_loop();
	rig_open(&rig);
	rig_add(&rig, "127.0.0.1", 1);
	rig_add(&rig, "127.0.0.1", 2);
	rig_add(&rig, "[::1]", 3);
	rig_start(&rig);
	struct origin *o = rig.origin;
	CU_ASSERT(slice_eq(o->pools[0].text, SL("127.0.0.1:1")));
	CU_ASSERT(slice_eq(o->pools[2].text, SL("[::1]:3")));
	for (unsigned i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(next_port(rig.loop.now), i % 3 + 1);

	/* One refuses: passed over by all, and never tried again by who has seen it. */
	struct mono before = { rig.loop.now.us - 10 };
	o->pools[1].refused = rig.loop.now;
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(next_port((struct mono){ rig.loop.now.us + 1 }), i % 2 ? 3 : 1);

	/* All refuse: then it is tried again, by those who came later. */
	o->pools[0].refused = o->pools[2].refused = rig.loop.now;
	CU_ASSERT_EQUAL(next_port(before), 0);
	CU_ASSERT_NOT_EQUAL(next_port((struct mono){ rig.loop.now.us + 1 }), 0);

	/* A second later all is forgotten. */
	rig.loop.now.us += ORIGIN_PASS_OVER_MS * 1000;
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_NOT_EQUAL(next_port(rig.loop.now), next_port(rig.loop.now));
	rig_close(&rig);
}

/* What the resolver would tell: addresses 127.0.0.first and so on. */
static void tell(struct endpoint *e, unsigned first, unsigned count) ON_LOOP
{
	e->lookup.count = count;
	for (unsigned i = 0; i < count; i++) {
		char host[sizeof("127.0.0.255")];
		int len = snprintf(host, sizeof(host), "127.0.0.%u", (first + i) % 256);
		must(address_parse(slice_of(host, (size_t)len), 80, &e->lookup.addresses[i]));
	}
	on_answer(&e->lookup);
}

static bool lists(const char *text)
{
	for (unsigned i = 0; i < rig.origin->pool_count; i++) {
		const struct pool *p = &rig.origin->pools[i];
		if (p->is_listed && slice_eq(p->text, slice_str(text)))
			return true;
	}
	return false;
}

static void test_names(void)
{
	role_loop();
	rig_open(&rig);
	rig_add(&rig, "localhost", 80);
	rig_start(&rig);
	struct origin *o = rig.origin;
	tell(&o->endpoints[0], 1, 2);
	CU_ASSERT_EQUAL(o->listed_count, 2);
	CU_ASSERT_EQUAL(o->asking_count, 0);
	CU_ASSERT(lists("127.0.0.1:80") && lists("127.0.0.2:80"));

	/* One goes, one stays, one comes. */
	tell(&o->endpoints[0], 2, 2);
	CU_ASSERT_EQUAL(o->listed_count, 2);
	CU_ASSERT(!lists("127.0.0.1:80") && lists("127.0.0.2:80") && lists("127.0.0.3:80"));

	/* No answer changes nothing. */
	tell(&o->endpoints[0], 0, 0);
	CU_ASSERT_EQUAL(o->listed_count, 2);

	/* An address with a connection in use leaves no room until that closes. */
	for (unsigned i = 0; i < o->pool_count; i++)
		o->pools[i].used_count = o->pools[i].is_listed;
	tell(&o->endpoints[0], 10, LOOKUP_ADDRESSES);
	CU_ASSERT_EQUAL(o->listed_count, LOOKUP_ADDRESSES - 2);
	for (unsigned i = 0; i < o->pool_count; i++)
		o->pools[i].used_count = 0;
	tell(&o->endpoints[0], 10, LOOKUP_ADDRESSES);
	CU_ASSERT_EQUAL(o->listed_count, LOOKUP_ADDRESSES);
	rig_close(&rig);
}

/* ---- the queue, with tickets that nobody drives ---- */

static unsigned calls;

static void on_call(UNUSED struct mail *m)
{
	calls++;
}

static void ticket_init(struct ticket *t, struct mail *call)
{
	*t = (struct ticket){ .call = call };
	list_init(&t->link);
	mail_init(call, on_call);
}

static void test_queue(void)
{
	role_loop();
	rig_open(&rig);
	rig_add(&rig, "127.0.0.1", 1);
	rig.options.connections = 2;
	rig_start(&rig);
	struct origin *o = rig.origin;
	struct ticket t[4];
	struct mail mail[4];
	for (int i = 0; i < 4; i++) {
		ticket_init(&t[i], &mail[i]);
		CU_ASSERT_EQUAL(origin_admit(o, &t[i]), i < 2 ? ADMITTED : ADMIT_AFTER_TURN);
	}
	CU_ASSERT_EQUAL(origin_admit(o, &t[2]), ADMIT_AFTER_TURN);
	CU_ASSERT_EQUAL(o->waiting_count, 2);
	origin_leave(o, &t[0]);
	origin_leave(o, &t[0]);
	CU_ASSERT(t[2].is_admitted && !t[3].is_admitted);
	CU_ASSERT_EQUAL(origin_admit(o, &t[0]), ADMIT_AFTER_TURN); /* at the end */
	origin_leave(o, &t[3]);                                    /* goes from the queue */
	origin_leave(o, &t[1]);
	CU_ASSERT(t[0].is_admitted);
	calls = 0;
	rig_nap(&rig, 1);
	CU_ASSERT_EQUAL(calls, 2);
	origin_leave(o, &t[0]);
	origin_leave(o, &t[2]);
	CU_ASSERT_EQUAL(o->admitted_count, 0);
	rig_close(&rig);
}

/* Those who wait for a name go on with its first answer, or all fail with it. */
static void test_queue_for_a_name(void)
{
	role_loop();
	for (unsigned count = 0; count < 2; count++) {
		rig_open(&rig);
		rig_add(&rig, "127.0.0.1", 1);
		rig_start(&rig);
		struct origin *o = rig.origin;
		struct endpoint *e = &o->endpoints[0];
		pool_unlist(e->pools);
		o->listed_count = 0;
		o->asking_count = 1;
		e->is_asking = true;
		struct ticket t;
		struct mail mail;
		ticket_init(&t, &mail);
		CU_ASSERT_EQUAL(origin_admit(o, &t), ADMIT_AFTER_NAME);
		calls = 0;
		tell(e, 1, count);
		rig_nap(&rig, 1);
		CU_ASSERT_EQUAL(calls, 1);
		CU_ASSERT_EQUAL(origin_admit(o, &t), count ? ADMITTED : ADMIT_NO_NAME);
		origin_leave(o, &t);
		rig_close(&rig);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "turns", test_turns },
		{ "names", test_names },
		{ "queue", test_queue },
		{ "queue for a name", test_queue_for_a_name },
		CU_TEST_INFO_NULL,
	};
	return run_tests("origin", tests);
}
