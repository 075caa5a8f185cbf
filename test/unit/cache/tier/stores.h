/* SPDX-License-Identifier: Apache-2.0 */
/* Stores for the cold tier's tests: in a directory of their own, with loads that wait. */
#pragma once

#include <ftw.h>
#include <semaphore.h>

#include "cache/tier/cold.h"
#include "edge/loop/loop.h"
#include "test/unit/cache/samples.h"

static char dir[64];     /* of the store */
static struct loop home; /* of the loads */

static int remove_entry(
    const char *path, UNUSED const struct stat *st, UNUSED int type, UNUSED struct FTW *ftw)
{
	return remove(path);
}

static inline void remove_dir(void)
{
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fresh_dir(void)
{
	if (dir[0])
		remove_dir();
	snprintf(dir, sizeof(dir), "/tmp/larder-cold-XXXXXX");
	must(mkdtemp(dir) != NULL);
}

static inline struct cold *open_store(uint64_t size, enum admission admission)
{
	struct cold *c = NULL;
	struct cold_options o = { .path = dir, .size_bytes = size, .admission = admission };
	must(cold_open(&o, NULL, &c) == ERR_NONE);
	must(cold_state(c) == COLD_OK);
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

/* Loads as it is told; waits until the body, if it comes to RAM, has ended, too. */
static inline struct object *load_by(struct cold *c, const struct cold_load *how)
{
	struct wait w = { .cold = c, .load = *how };
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

/* Bodies that are larger stay on disk. */
static inline struct object *load_up_to(struct cold *c, struct key key, uint64_t bytes)
{
	struct cold_load how = { .hash = key.hash, .key = key.text, .keep_up_to = bytes };
	return load_by(c, &how);
}

static inline struct object *load_key(struct cold *c, struct key key)
{
	return load_up_to(c, key, UINT64_MAX);
}

static inline struct object *load(struct cold *c, uint64_t n)
{
	char text[48];
	return load_key(c, sample_key(n, text));
}

enum found { NOTHING, WHOLE, WRONG };

static inline enum found check_stored(struct cold *c, uint64_t n, uint64_t bytes)
{
	struct object *o = load(c, n);
	enum found found = !o ? NOTHING : is_sample(o, n, bytes) ? WHOLE : WRONG;
	object_unref(&o);
	return found;
}

/* Until the writer has dealt with all that is queued. */
static inline void settle(struct cold *c)
{
	while (meter_read(&cold_meters(c)->queue_bytes) > 0)
		usleep(500);
}

static inline bool store_sample(struct cold *c, uint64_t n, uint64_t bytes)
{
	struct object *o = sample_object(n, bytes);
	bool queued = cold_store(c, o, false);
	object_unref(&o);
	return queued;
}

static inline void store_patiently(struct cold *c, uint64_t n, uint64_t bytes)
{
	while (!store_sample(c, n, bytes))
		usleep(1000);
}

static inline void start_nothing(UNUSED struct loop *loop, UNUSED void *arg)
{
}

static void on_stop(UNUSED struct mail *m)
{
	role_loop();
	loop_stop(loop_current());
}

/* Runs tests that may load. */
static inline int run_store_tests(const char *name, CU_TestInfo *tests)
{
	if (loop_init(&home, "home", 0, NULL) || loop_spawn(&home, start_nothing, NULL))
		return EXIT_FAILURE;
	int result = run_tests(name, tests);
	struct mail stop;
	mail_init(&stop, on_stop);
	mail_post(&home, &stop);
	loop_join(&home);
	loop_fini(&home);
	remove_dir();
	return result;
}
