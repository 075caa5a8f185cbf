/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/cold.c"

#include <dirent.h>
#include <ftw.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "edge/loop/loop.h"
#include "test/unit/cache/samples.h"

static char dir[64];
static struct loop home;

/* ---- a store and loads that wait ---- */

static int remove_entry(const char *path, UNUSED const struct stat *st, UNUSED int type,
    UNUSED struct FTW *ftw)
{
	return remove(path);
}

static void remove_dir(void)
{
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void fresh_dir(void)
{
	if (dir[0])
		remove_dir();
	snprintf(dir, sizeof(dir), "/tmp/larder-cold-XXXXXX");
	must(mkdtemp(dir) != NULL);
}

static struct cold *open_store(uint64_t size, enum admission admission)
{
	struct cold *c = NULL;
	char why[256] = "";
	struct cold_options o = { dir, size, admission };
	if (cold_open(&o, &c, why, sizeof(why)))
		fprintf(stderr, "%s\n", why);
	must(c != NULL);
	return c;
}

struct wait {
	struct cold_load load;
	struct mail start;
	struct cold *cold;
	sem_t done;
	struct object *object;
};

static void on_test_loaded(struct cold_load *load, struct object *object)
{
	struct wait *w = CONTAINER_OF(load, struct wait, load);
	w->object = object;
	sem_post(&w->done);
}

static void on_start(struct mail *m)
{
	role_loop();
	struct wait *w = CONTAINER_OF(m, struct wait, start);
	if (!cold_load(w->cold, &w->load))
		sem_post(&w->done);
}

/* Loads a sample; waits until its body has ended, too. */
static struct object *load_key(struct cold *c, struct key key)
{
	struct wait w = { .cold = c };
	w.load.hash = key.hash;
	w.load.key = key.text;
	w.load.home = &home;
	w.load.loaded = on_test_loaded;
	sem_init(&w.done, 0, 0);
	mail_init(&w.start, on_start);
	mail_post(&home, &w.start);
	while (sem_wait(&w.done) != 0)
		;
	sem_destroy(&w.done);
	while (w.object && w.object->body && flow_state(w.object->body) == FLOW_FILLING)
		usleep(100);
	return w.object;
}

static struct object *load(struct cold *c, uint64_t n)
{
	char text[48];
	return load_key(c, sample_key(n, text));
}

enum found { NOTHING, WHOLE, WRONG };

static enum found check_stored(struct cold *c, uint64_t n, uint64_t bytes)
{
	struct object *o = load(c, n);
	enum found found = !o ? NOTHING : is_sample(o, n, bytes) ? WHOLE : WRONG;
	object_unref(&o);
	return found;
}

/* Until the writer has dealt with all that is queued. */
static void settle(struct cold *c)
{
	while (meter_read(&c->store.meters.queue_bytes) > 0)
		usleep(500);
}

static bool store_sample(struct cold *c, uint64_t n, uint64_t bytes)
{
	struct object *o = sample_object(n, bytes);
	bool queued = cold_store(c, o, false);
	object_unref(&o);
	return queued;
}

static void store_patiently(struct cold *c, uint64_t n, uint64_t bytes)
{
	while (!store_sample(c, n, bytes))
		usleep(1000);
}

/* ---- tests ---- */

static const uint64_t sizes[] = { 0, 1, 4096, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1,
	5 * CHUNK_BYTES + 77 };

static void test_store_load_restart(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	struct hash_secret secret = cold_secret(c);
	uint32_t epoch = cold_epoch(c);
	CU_ASSERT_EQUAL(cold_probe(c, sample_hash(0)), COLD_ABSENT);
	for (uint64_t n = 0; n < COUNT_OF(sizes); n++)
		CU_ASSERT(store_sample(c, n, sizes[n]));
	settle(c);
	for (int life = 0; life < 3; life++) {
		for (uint64_t n = 0; n < COUNT_OF(sizes); n++) {
			CU_ASSERT_EQUAL(check_stored(c, n, sizes[n]), WHOLE);
			CU_ASSERT_EQUAL(cold_probe(c, sample_hash(n)), COLD_PRESENT);
		}
		CU_ASSERT_EQUAL(check_stored(c, 99, 0), NOTHING);
		CU_ASSERT_EQUAL(cold_state(c), COLD_OK);
		cold_close(&c);
		c = open_store(GIB, ADMIT_ALWAYS);
		CU_ASSERT(memcmp(&secret, &c->store.ledger.secret, sizeof(secret)) == 0);
		CU_ASSERT(cold_epoch(c) > epoch);
		epoch = cold_epoch(c);
	}
	/* The same hash with another key's text is not it. */
	struct object *o = load_key(c, (struct key){ SL("http://other/"), sample_hash(2) });
	CU_ASSERT_PTR_NULL(o);
	cold_close(&c);
}

static void test_locked(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS), *second = NULL;
	char why[256];
	struct cold_options o = { dir, GIB, ADMIT_ALWAYS };
	CU_ASSERT_EQUAL(cold_open(&o, &second, why, sizeof(why)), ERR_STORE_LOCKED);
	CU_ASSERT(strstr(why, dir) != NULL);
	cold_close(&c);
	o.path = "/proc/nowhere/store";
	CU_ASSERT_EQUAL(cold_open(&o, &second, why, sizeof(why)), ERR_STORE_IO);
}

static void test_head_refresh(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_SECOND_SIGHTING);
	struct object *o = sample_object(1, 3 * CHUNK_BYTES);
	CU_ASSERT(cold_store(c, o, true));
	settle(c);
	while (!o->cold_has_head)
		usleep(100);
	/* A new head for the same body: only the record is written, and admission is not asked. */
	struct object *newer = sample_head(1);
	newer->seq = 77;
	object_share_body(newer, o);
	CU_ASSERT(cold_store(c, newer, false));
	settle(c);
	CU_ASSERT_EQUAL(meter_read(&c->store.meters.stored), 1);
	CU_ASSERT_EQUAL(meter_read(&c->store.meters.refreshed), 1);
	object_unref(&o);
	object_unref(&newer);
	o = load(c, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT_EQUAL(o->seq, 77);
	CU_ASSERT(is_sample(o, 1, 3 * CHUNK_BYTES));
	/* What was loaded is stored already. */
	CU_ASSERT(cold_store(c, o, true));
	settle(c);
	CU_ASSERT_EQUAL(meter_read(&c->store.meters.stored), 1);
	object_unref(&o);
	cold_close(&c);
}

static void test_admission(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_SECOND_SIGHTING);
	CU_ASSERT(!store_sample(c, 1, 10));
	CU_ASSERT(store_sample(c, 1, 10));
	c->admission = ADMIT_HOT;
	CU_ASSERT(!store_sample(c, 2, 10));
	CU_ASSERT(!store_sample(c, 2, 10));
	struct object *o = sample_object(2, 10);
	CU_ASSERT(cold_store(c, o, true));
	object_unref(&o);
	/* Unfinished bodies are not stored, whoever asks. */
	o = sample_head(3);
	o->body = flow_new(10, FLOW_KEEP_ALL, 0);
	CU_ASSERT(!cold_store(c, o, true));
	flow_fail(o->body, ERR_CANCELLED);
	CU_ASSERT(!cold_store(c, o, true));
	object_unref(&o);
	cold_close(&c);
}

static void show_mark(void *arg, struct cold_mark mark)
{
	struct cold_mark *sum = arg;
	sum->slot += mark.slot;
	sum->number += mark.number;
}

static void test_forget(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	char text[48];
	struct object *marker = object_new(OBJECT_VARY, sample_key(9, text), SLICE_NONE,
	    SL("accept"), SLICE_NONE, 2);
	for (uint32_t i = 0; i < 2; i++) {
		marker->variants[i] = sample_hash(i);
		CU_ASSERT(store_sample(c, i, 100));
	}
	CU_ASSERT(store_sample(c, 5, 100));
	CU_ASSERT(cold_store(c, marker, false));
	settle(c);
	struct object *again = load(c, 9);
	CU_ASSERT_PTR_NOT_NULL_FATAL(again);
	CU_ASSERT_EQUAL(again->variant_count, 2);
	object_unref(&again);
	/* At once for who asks, and for all variants as soon as it is written. */
	cold_invalidate(c, sample_hash(9), (struct cold_mark){ 0xfffe, 42 });
	CU_ASSERT_EQUAL(cold_probe(c, sample_hash(9)), COLD_ABSENT);
	CU_ASSERT_EQUAL(check_stored(c, 9, 0), NOTHING);
	while (meter_read(&c->store.meters.forgotten) == 0)
		usleep(100);
	for (uint32_t i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(check_stored(c, i, 100), NOTHING);
	CU_ASSERT_EQUAL(check_stored(c, 5, 100), WHOLE);
	cold_forget(c, sample_hash(5));
	cold_close(&c);
	c = open_store(GIB, ADMIT_ALWAYS);
	CU_ASSERT_EQUAL(check_stored(c, 5, 100), NOTHING);
	struct cold_mark sum = { 0 };
	CU_ASSERT_EQUAL(cold_marks(c, show_mark, &sum), ERR_NONE);
	CU_ASSERT(sum.slot == 0xfffe && sum.number == 42);
	/* And stored again it is found again. */
	CU_ASSERT(store_sample(c, 5, 100));
	settle(c);
	CU_ASSERT_EQUAL(check_stored(c, 5, 100), WHOLE);
	object_unref(&marker);
	cold_close(&c);
}

/* Bytes of all files in the store's directory. */
static uint64_t dir_bytes(void)
{
	uint64_t sum = 0;
	DIR *d = opendir(dir);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		struct stat st;
		if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	}
	closedir(d);
	return sum;
}

/* Writes `count` samples of that size into a store of 64 MiB; returns the most it took on disk. */
static uint64_t overfill(struct cold *c, uint64_t count, uint64_t bytes, uint64_t stride)
{
	uint64_t most = 0;
	for (uint64_t n = 0; n < count; n++) {
		store_patiently(c, n, bytes);
		if (n % stride == 0)
			most = max_u64(most, dir_bytes());
	}
	settle(c);
	return max_u64(most, dir_bytes());
}

static void test_eviction(void)
{
	enum { SIZE_MIB = 64, OBJECT = 600 * 1024, COUNT = 500 };
	fresh_dir();
	struct cold *c = open_store(SIZE_MIB * MIB, ADMIT_ALWAYS);
	uint64_t most = overfill(c, COUNT, OBJECT, 10);
	printf("(store of %d MiB, %d MiB written: at most %" PRIu64 " MiB) ", SIZE_MIB,
	    OBJECT / 1024 * COUNT / 1024, most / MIB);
	CU_ASSERT(most < (SIZE_MIB + 16) * MIB);
	unsigned whole = 0, wrong = 0;
	for (uint64_t n = 0; n < COUNT; n++) {
		enum found found = check_stored(c, n, OBJECT);
		whole += found == WHOLE;
		wrong += found == WRONG;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(whole > 50);
	/* The newest are there, the oldest are not. */
	CU_ASSERT_EQUAL(check_stored(c, COUNT - 1, OBJECT), WHOLE);
	CU_ASSERT_EQUAL(check_stored(c, 0, OBJECT), NOTHING);
	CU_ASSERT(meter_read(&c->store.meters.evicted) > 100 * MIB);
	cold_close(&c);
	c = open_store(SIZE_MIB * MIB, ADMIT_ALWAYS);
	CU_ASSERT_EQUAL(check_stored(c, COUNT - 1, OBJECT), WHOLE);
	CU_ASSERT_EQUAL(check_stored(c, 0, OBJECT), NOTHING);
	cold_close(&c);
}

/* Where metadata is most of it: no body file may be left to evict, and the size still holds. */
static void test_eviction_of_heads(void)
{
	fresh_dir();
	struct cold *c = open_store(16 * MIB, ADMIT_ALWAYS);
	uint64_t most = overfill(c, 400000, 0, 20000);
	printf("(store of 16 MiB, 110 MiB of heads: at most %" PRIu64 " MiB) ", most / MIB);
	CU_ASSERT(most < 32 * MIB);
	CU_ASSERT_EQUAL(check_stored(c, 399999, 0), WHOLE);
	CU_ASSERT_EQUAL(check_stored(c, 0, 0), NOTHING);
	cold_close(&c);
}

/* A reader of many chunks goes on while its files are evicted. */
static void test_load_during_eviction(void)
{
	fresh_dir();
	struct cold *c = open_store(64 * MIB, ADMIT_ALWAYS);
	unsigned wrong = 0, whole = 0;
	for (uint64_t n = 0; n < 300; n++) {
		store_patiently(c, n, 900 * 1024);
		/* The queue holds some 70 of them, the store as many before those. */
		if (n < 130)
			continue;
		enum found found = check_stored(c, n - 130 + n % 60, 900 * 1024);
		whole += found == WHOLE;
		wrong += found == WRONG;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(whole > 20);
	cold_close(&c);
}

/* A chunk that is not what was stored: the load gives nothing, and the object is forgotten. */
static void test_damaged_chunk(void)
{
	fresh_dir();
	struct cold *c = open_store(GIB, ADMIT_ALWAYS);
	for (uint64_t n = 1; n < 3; n++) {
		struct object *o = sample_object(n, n * CHUNK_BYTES);
		CU_ASSERT(cold_store(c, o, false));
		while (!o->cold_has_head)
			usleep(100);
		/* The last chunk is changed in one byte, behind the writer's back. */
		struct rocks_id id = rocks_id_of(o->cold_first + n - 1);
		struct rocks_value value;
		struct rocks_batch *batch = rocks_batch_new();
		enum err err;
		must(rocks_get(c->store.rocks, ROCKS_BODY, KEY_SLICE(id), false, &value, &err) ==
		    ROCKS_FOUND);
		struct slice parts[] = { slice_first(value.bytes, value.bytes.len - 1), SL("#") };
		rocks_batch_put(batch, c->store.rocks, ROCKS_BODY, KEY_SLICE(id), parts, 2);
		rocks_unpin(&value);
		must(rocks_write(c->store.rocks, batch, ROCKS_UNLOGGED) == ERR_NONE);
		rocks_batch_free(&batch);
		object_unref(&o);
		/* Of one chunk it is a miss, of two its flow fails after the first. */
		o = load(c, n);
		CU_ASSERT(!o || (n == 2 && flow_state(o->body) == FLOW_FAILED));
		object_unref(&o);
		while (meter_read(&c->store.meters.forgotten) < n)
			usleep(100);
		CU_ASSERT_EQUAL(cold_probe(c, sample_hash(n)), COLD_ABSENT);
	}
	CU_ASSERT_EQUAL(cold_state(c), COLD_OK);
	cold_close(&c);
}

/* ---- kill -9 ---- */

enum { KILLS = 20, KILL_OBJECTS = 100000, KILL_STORE_MIB = 256 };

static uint64_t kill_bytes(uint64_t n)
{
	return sample_hash(n).lo % (2 * CHUNK_BYTES);
}

/* Runs in a process of its own until it is killed: stores without end, from `n` on. */
static int child(const char *path, uint64_t n)
{
	snprintf(dir, sizeof(dir), "%s", path);
	struct cold *c = open_store(KILL_STORE_MIB * MIB, ADMIT_ALWAYS);
	for (;; n++) {
		store_patiently(c, n % KILL_OBJECTS, kill_bytes(n % KILL_OBJECTS));
		if (write(STDOUT_FILENO, &n, sizeof(n)) < 0)
			return EXIT_FAILURE;
	}
}

/* RocksDB's threads do not survive a fork, so the child is a new program. */
static uint64_t run_and_kill(unsigned cycle, uint64_t from)
{
	int ends[2];
	must(pipe(ends) == 0);
	char number[32];
	snprintf(number, sizeof(number), "%" PRIu64, from);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		execl("/proc/self/exe", "cold", "child", dir, number, NULL);
		_exit(127);
	}
	close(ends[1]);
	uint64_t last = from, seen;
	unsigned goal = 80 + cycle * 17;
	for (unsigned i = 0; i < goal && read(ends[0], &seen, sizeof(seen)) == sizeof(seen); i++)
		last = seen;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	return last + 1;
}

static void test_kill(void)
{
	fresh_dir();
	uint64_t next = 0;
	unsigned whole = 0, wrong = 0, lost = 0;
	for (unsigned cycle = 0; cycle < KILLS; cycle++) {
		uint64_t from = next;
		next = run_and_kill(cycle, from);
		struct cold *c = open_store(KILL_STORE_MIB * MIB, ADMIT_ALWAYS);
		for (uint64_t n = from > 300 ? from - 300 : 0; n < next + 50; n++) {
			enum found found = check_stored(c, n, kill_bytes(n));
			whole += found == WHOLE;
			wrong += found == WRONG;
			lost += found == NOTHING;
		}
		cold_close(&c);
	}
	printf("(%d kills: %u whole, %u lost, %u torn) ", KILLS, whole, lost, wrong);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(whole > 500);
}

/* ---- a full disk ---- */

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
	CU_ASSERT_EQUAL(meter_read(&c->store.meters.state), COLD_READ_ONLY);
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
	for (int i = 0; i < 50 && meter_read(&c->store.meters.forgotten) == 0; i++)
		usleep(100000);
	CU_ASSERT_EQUAL(check_stored(c, 4, 100000), NOTHING);
	/* Closing and opening on a full disk: it works or it fails, and breaks nothing. */
	fill_disk(path);
	store_sample(c, 5001, 100000);
	cold_close(&c);
	char why[256] = "";
	struct cold_options o = { dir, 80 * MIB, ADMIT_ALWAYS };
	enum err err = cold_open(&o, &c, why, sizeof(why));
	CU_ASSERT(err == ERR_NONE || err == ERR_STORE_IO);
	cold_close(&c);
	unlink(path);
	c = open_store(80 * MIB, ADMIT_ALWAYS);
	CU_ASSERT_EQUAL(check_stored(c, 3, 100000), WHOLE);
	cold_close(&c);
	umount(dir);
}

static void start_nothing(UNUSED struct loop *loop, UNUSED void *arg)
{
}

static void on_stop(UNUSED struct mail *m)
{
	role_loop();
	loop_stop(loop_current());
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "child") == 0)
		return child(argv[2], strtoull(argv[3], NULL, 10));
	CU_TestInfo tests[] = {
		{ "store, load, restart", test_store_load_restart },
		{ "a store in use, a store nowhere", test_locked },
		{ "a new head for a stored body", test_head_refresh },
		{ "admission", test_admission },
		{ "forget, invalidate", test_forget },
		{ "a damaged chunk", test_damaged_chunk },
		{ "eviction keeps the size", test_eviction },
		{ "eviction of heads", test_eviction_of_heads },
		{ "loads during eviction", test_load_during_eviction },
		{ "kill -9", test_kill },
		{ "a full disk", test_full_disk },
		CU_TEST_INFO_NULL,
	};
	if (loop_init(&home, "home", 0, NULL) || loop_spawn(&home, start_nothing, NULL))
		return EXIT_FAILURE;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	int result = run_tests("tier/cold", tests);
	struct mail stop;
	mail_init(&stop, on_stop);
	mail_post(&home, &stop);
	loop_join(&home);
	loop_fini(&home);
	remove_dir();
	return result;
}
