/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/pump.c"

#include "cache/tier/cold.c"
#include "test/unit/cache/tier/stores.h"

enum { BIG = 6 * 1024 * 1024, BIGS = 4, SMALL = 900 * 1024, KEPT = 265 };

static void put(struct cold *c, uint64_t n, uint64_t bytes, uint8_t tenant)
{
	bool is_queued = false;
	while (!is_queued) {
		struct object *o = sample_object(n, bytes);
		o->tenant = tenant;
		is_queued = cold_store(c, o, true);
		object_unref(&o);
		if (!is_queued)
			usleep(1000);
	}
}

/* An object whose body stays on disk; NULL: it is not there. */
static struct object *look_up(struct cold *c, uint64_t n)
{
	char text[48];
	return load_up_to(c, sample_key(n, text), 0);
}

static struct {
	struct mail go;
	sem_t done;
	struct object *object;
	struct flow_reader reader;
	bool is_attached;
} client;

static void on_go(UNUSED struct mail *m)
{
	role_loop();
	client.is_attached = object_attach(client.object, 0, UINT64_MAX, &client.reader, &home);
	sem_post(&client.done);
}

static bool attach(struct object *o)
{
	client.object = o;
	sem_init(&client.done, 0, 0);
	mail_init(&client.go, on_go);
	mail_post(&home, &client.go);
	while (sem_wait(&client.done) != 0)
		;
	sem_destroy(&client.done);
	return client.is_attached;
}

/* ---- the store ends ---- */

/* Takes what there is of a flow. */
static void take_all(struct flow_reader *r)
{
	struct iovec iov[8];
	enum flow_state state;
	for (int n; (n = flow_peek(r, iov, COUNT_OF(iov), UINT64_MAX, &state)) > 0;) {
		uint64_t bytes = 0;
		for (int i = 0; i < n; i++)
			bytes += iov[i].iov_len;
		flow_advance(r, bytes);
	}
}

static uint64_t filled(struct spool *s)
{
	lock_take(&s->lock);
	uint64_t bytes = s->filled;
	lock_drop(&s->lock);
	return bytes;
}

static bool is_awaited(struct spool *s)
{
	lock_take(&s->lock);
	struct list *first = s->readers.next;
	bool is = first != &s->readers && LIST_OF(first, struct spool_reader, link)->waits;
	lock_drop(&s->lock);
	return is;
}

/* A reader waits for more of a body on its way when the store closes: it hears of the end. */
static void test_close(void)
{
	static char bytes[CHUNK_BYTES];
	for (int round = 0; round < 4; round++) {
		fresh_dir();
		struct cold *c = open_store(256 * MIB, ADMIT_ALWAYS);
		struct object *o = sample_head(1);
		o->body = flow_new(16 * CHUNK_BYTES, 0, 1 * MIB);
		CU_ASSERT_FATAL(cold_spool(c, o, UINT64_MAX));
		for (int i = 0; i < 2; i++)
			CU_ASSERT_EQUAL(
			    flow_write(o->body, slice_of(bytes, sizeof(bytes))), ERR_NONE);
		for (int i = 0; i < 5000 && filled(o->spool) < 2 * CHUNK_BYTES; i++)
			usleep(1000);
		struct flow_reader reader;
		CU_ASSERT_FATAL(pump_start(o->spool, o->hash.lo, 0, UINT64_MAX, &reader, &home));
		for (int i = 0; i < 5000 && !is_awaited(o->spool); i++) {
			take_all(&reader);
			usleep(1000);
		}
		CU_ASSERT(is_awaited(o->spool));
		flow_detach(&reader);
		flow_fail(o->body, ERR_SHUTDOWN);
		object_unref(&o);
		cold_close(&c);
	}
}

/* ---- the store becomes another one ---- */

/* And is open. */
static bool has_one_log(struct store *s)
{
	if (!gate_enter(&s->gate))
		return false;
	bool is = s->ledger.log_count == 1;
	gate_leave(&s->gate);
	return is;
}

/* Its database has no log of that tenant: what is still in RAM of such an object is a miss. */
static void test_another_directory(void)
{
	char away[sizeof(dir) + 8];
	fresh_dir();
	struct cold *c = open_store(256 * MIB, ADMIT_ALWAYS);
	put(c, 1, BIG, tenant_of(SL("a")));
	settle(c);
	struct object *o = NULL;
	for (int i = 0; i < 500 && !(o = look_up(c, 1)); i++)
		usleep(10000);
	CU_ASSERT_FATAL(o && o->spool);
	CU_ASSERT_EQUAL(ledger_log_of(o->spool->extents[0].first), 1);
	snprintf(away, sizeof(away), "%s-away", dir);
	must(rename(dir, away) == 0);
	for (int i = 0; i < 1500 && !has_one_log(&c->store); i++)
		usleep(10000);
	CU_ASSERT(has_one_log(&c->store));
	CU_ASSERT(object_is_broken(o));
	CU_ASSERT_FALSE(attach(o));
	struct rocks_value value;
	struct slice bytes;
	role_worker();
	CU_ASSERT_EQUAL(
	    store_chunk(&c->store, o->spool->extents[0].first, o->hash.lo, 0, &value, &bytes),
	    ERR_STORE_IO);
	object_unref(&o);
	cold_close(&c);
	remove_dir();
	snprintf(dir, sizeof(dir), "%.*s", (int)strlen(away), away);
}

/* ---- who reads slowly, and who has a part guaranteed ---- */

/* How many of a tenant's objects are found after others wrote while some read nothing. */
static unsigned kept_beside(unsigned readers)
{
	static struct flow_reader reader[BIGS];
	struct shares shares;
	uint8_t tenant = tenant_of(SL("a"));
	fresh_dir();
	struct cold *c = open_store(256 * MIB, ADMIT_ALWAYS);
	for (unsigned i = 0; i < TENANTS; i++)
		shares.of[i] = (struct share){ 0, 1 };
	shares.of[tenant] = (struct share){ 0.95, 1 };
	cold_set_shares(c, &shares);
	for (uint64_t n = 0; n < BIGS; n++)
		put(c, n, BIG, 0);
	for (uint64_t n = 0; n < KEPT; n++) {
		if (n == KEPT * 3 / 4) {
			settle(c);
			for (unsigned i = 0; i < readers; i++) {
				struct object *o = look_up(c, i);
				CU_ASSERT_FATAL(o != NULL);
				CU_ASSERT(pump_start(
				    o->spool, o->hash.lo, 0, UINT64_MAX, &reader[i], &home));
				object_unref(&o);
			}
		}
		put(c, 1000 + n, SMALL, tenant);
	}
	for (uint64_t n = 0; n < 60; n++) {
		put(c, 5000 + n, SMALL, 0);
		settle(c);
		usleep(10000);
	}
	unsigned kept = 0;
	for (uint64_t n = 0; n < KEPT; n++) {
		struct object *o = look_up(c, 1000 + n);
		kept += o != NULL;
		object_unref(&o);
	}
	for (unsigned i = 0; i < readers; i++)
		flow_detach(&reader[i]);
	cold_close(&c);
	return kept;
}

static void test_guaranteed(void)
{
	unsigned without = kept_beside(0), with = kept_beside(BIGS);
	printf("(%u kept, beside readers %u) ", without, with);
	CU_ASSERT(without > KEPT * 3 / 4);
	CU_ASSERT(with >= without - without / 20);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "closing", test_close },
		{ "another directory", test_another_directory },
		{ "beside a guaranteed part", test_guaranteed },
		CU_TEST_INFO_NULL,
	};
	return run_store_tests("tier/pump", tests);
}
