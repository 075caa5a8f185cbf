/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory: what objects cost in RAM, in either tier, and how soon a store serves after a start.
 *
 *	memory hot      resident bytes of an object in the hot tier; and of a tier that churns
 *	memory cold     bytes of RAM for each object on disk
 *	memory open     from the start of the opening to the first object, after a stop and a kill
 *	memory          all of them
 *
 * Each measurement runs in a process of its own, forked while this one is small.
 */
#include <getopt.h>
#include <malloc.h>
#include <math.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bench/kit/chance.h"
#include "tools/bench/kit/report.h"
#include "tools/bench/kit/self.h"
#include "tools/bench/kit/shelf.h"
#include "tools/bench/kit/spread.h"
#include "tools/bench/kit/spy.h"

enum { BODY_BYTES = 1024, HOT_OBJECTS = 200000, STORE_GIB = 4, PROBES = 1000, NAP_US = 500 };

struct options {
	char dir[256];
	uint64_t cold_objects;
	uint64_t churn_budget;
	unsigned churn_turns;
};

/* Shared with the process that measures. */
struct result {
	double rss, objects, table, slack, counted, texts;      /* hot: bytes an object */
	double churn_rss, churn_heap, churn_counted;            /* bytes in all */
	double filters, index, readers, memtables, block_cache; /* cold: bytes in all */
	double opened_rss, probed_rss;                          /* over that before the opening */
	double disk, present;
	double opened_ms, first_ms, found; /* opening; found: of PROBES */
	double found_last;                 /* of those stored in the moments before a kill */
	_Atomic uint64_t progress;
};

struct bench {
	struct options options;
	struct result *result;
	struct report report;
};

typedef void measure_f(const struct options *, struct result *);

/* Forks a process that measures. */
static pid_t spawn(struct bench *b, measure_f *measure)
{
	fflush(NULL);
	*b->result = (struct result){ 0 };
	pid_t pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		measure(&b->options, b->result);
		_exit(0);
	}
	return pid;
}

static const struct result *run(struct bench *b, measure_f *measure)
{
	int status = 0;
	waitpid(spawn(b, measure), &status, 0);
	if (status != 0) {
		fprintf(stderr, "bench: a measuring process failed\n");
		exit(1);
	}
	return b->result;
}

/* ---- the hot tier ---- */

static const struct hash_secret secret = { "memory bench" };

/* What malloc has given out. */
static uint64_t heap_bytes(void)
{
	struct mallinfo2 heap = mallinfo2();
	return heap.uordblks + heap.hblkhd;
}

static void put(struct hot *hot, struct object *o)
{
	hot_put(hot, o);
	object_unref(&o);
}

static void measure_hot(UNUSED const struct options *options, struct result *result)
{
	static struct object *objects[HOT_OBJECTS];
	struct hot *hot = hot_new(4 * GIB, NULL, NULL);
	must(hot != NULL);
	memset(objects, 1, sizeof(objects)); /* resident before it counts */
	/* What is made once is not an object's. */
	put(hot, goods_object(secret, HOT_OBJECTS, BODY_BYTES));
	uint64_t rss = self_rss_bytes(), heap = heap_bytes();
	for (uint64_t n = 0; n < HOT_OBJECTS; n++)
		objects[n] = goods_object(secret, n, BODY_BYTES);
	uint64_t with_objects = heap_bytes();
	result->texts = (double)(objects[0]->key.len + objects[0]->head.len);
	for (uint64_t n = 0; n < HOT_OBJECTS; n++)
		put(hot, objects[n]);
	uint64_t with_table = heap_bytes();
	result->rss = (double)(self_rss_bytes() - rss) / HOT_OBJECTS;
	result->objects = (double)(with_objects - heap) / HOT_OBJECTS;
	result->table = (double)(with_table - with_objects) / HOT_OBJECTS;
	result->slack = result->rss - result->objects - result->table;
	result->counted = (double)meter_read(&hot_meters(hot)->bytes) / (HOT_OBJECTS + 1);
	must(meter_read(&hot_meters(hot)->objects) == HOT_OBJECTS + 1);
	hot_free(&hot);
}

struct churn {
	struct hot *hot;
	_Atomic uint64_t next; /* number: all threads take from it, and so end together */
	uint64_t end, largest;
};

static void *work_churn(void *arg)
{
	struct churn *c = arg;
	for (uint64_t n; (n = atomic_fetch_add(&c->next, 1)) < c->end;)
		put(c->hot, goods_object(secret, n, goods_size(n, c->largest)));
	return NULL;
}

/* Objects of all sizes come and go on two threads: what malloc cannot give back shows. */
static void measure_churn(const struct options *options, struct result *result)
{
	double mean = 16.0 * 1024 * exp(1.6 * 1.6 / 2);
	struct churn c = { .largest = options->churn_budget / 16 };
	pthread_t threads[2];
	uint64_t rss = self_rss_bytes();
	c.end = (uint64_t)((double)options->churn_budget * options->churn_turns / mean);
	c.hot = hot_new(options->churn_budget, NULL, NULL);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		must(pthread_create(&threads[i], NULL, work_churn, &c) == 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	result->churn_rss = (double)(self_rss_bytes() - rss);
	result->churn_heap = (double)heap_bytes();
	result->churn_counted = (double)meter_read(&hot_meters(c.hot)->bytes);
	hot_free(&c.hot);
}

static void report_hot(struct bench *b)
{
	struct report *r = &b->report;
	const struct result *m = run(b, measure_hot);
	report_figure(r, m->rss, "B", "hot: resident, an object of 1 KiB");
	report_bar(r, BAR_MOST, 1434);
	report_figure(r, BODY_BYTES, "B", "hot: of it body");
	report_figure(r, m->texts, "B", "hot: of it key and head");
	report_figure(r, m->rss - BODY_BYTES - m->texts, "B", "hot: overhead, all that is neither");
	report_figure(r, m->objects - BODY_BYTES - m->texts, "B",
	    "hot: of it the object's structs, and malloc's own words and rounding");
	report_figure(r, m->table, "B", "hot: of it the tier's table");
	report_figure(r, m->slack, "B", "hot: of it free in malloc, and pages begun");
	report_figure(r, (double)(sizeof(struct object)), "B", "hot: sizeof(struct object)");
	report_figure(r, (double)sizeof(struct flow), "B", "hot: sizeof(struct flow)");
	report_figure(r, (double)sizeof(struct flow_piece), "B", "hot: sizeof(struct flow_piece)");
	report_figure(r, m->counted, "B", "hot: what the tier itself counts");
	m = run(b, measure_churn);
	report_figure(r, m->churn_counted / MIB, "MiB", "hot, after churn: counted by the tier");
	report_figure(r, m->churn_rss / MIB, "MiB", "hot, after churn: resident");
	report_figure(r, m->churn_heap / MIB, "MiB", "hot, after churn: of it in use, says malloc");
	report_figure(r, m->churn_rss / m->churn_counted, "B/B",
	    "hot, after churn: resident, per byte counted");
	report_bar(r, BAR_MOST, 1.1);
}

/* ---- the cold tier ---- */

static void open_shelf(struct shelf *s, const struct options *o)
{
	shelf_open(s, o->dir, STORE_GIB * GIB, 16 * MIB);
}

static void store(struct shelf *s, uint64_t n)
{
	struct object *o = goods_object(cache_secret(&s->cache), n, BODY_BYTES);
	while (!cold_store(s->cache.cold, o, true))
		usleep(NAP_US);
	object_unref(&o);
}

static void settle(struct shelf *s)
{
	while (meter_read(&cold_meters(s->cache.cold)->queue_bytes) > 0)
		usleep(NAP_US);
}

static void fill_store(const struct options *o, struct result *result)
{
	struct shelf s;
	open_shelf(&s, o);
	for (uint64_t n = 0; n < o->cold_objects; n++)
		store(&s, n);
	settle(&s);
	result->present = (double)meter_read(&cold_meters(s.cache.cold)->stored);
	shelf_close(&s);
	result->disk = (double)folder_bytes(o->dir, "");
}

/* Every filter, index block and, as far as the block cache goes, record is looked at once. */
static void probe_all(struct shelf *s, const struct options *o)
{
	char text[GOODS_KEY_ROOM];
	for (uint64_t n = 0; n < o->cold_objects; n++)
		(void)cold_probe(
		    s->cache.cold, goods_key(cache_secret(&s->cache), n, text).hash, NULL);
	for (uint64_t i = 0; i < o->cold_objects / 10; i++)
		must(shelf_fetch(s, chance_of(i) % o->cold_objects) == FETCH_WHOLE);
}

static void measure_cold(const struct options *o, struct result *result)
{
	struct shelf s;
	uint64_t rss = self_rss_bytes();
	open_shelf(&s, o);
	result->opened_rss = (double)(self_rss_bytes() - rss);
	probe_all(&s, o);
	result->probed_rss = (double)(self_rss_bytes() - rss);
	result->filters = (double)(spy_filter_bytes("meta") + spy_filter_bytes("body"));
	/* That of the bodies is in the table readers. */
	result->index = (double)spy_index_bytes("meta");
	result->block_cache = (double)spy_number("meta", "rocksdb.block-cache-usage");
	result->memtables = (double)(spy_number("meta", "rocksdb.cur-size-all-mem-tables") +
	    spy_number("body", "rocksdb.cur-size-all-mem-tables"));
	result->readers = (double)(spy_number("meta", "rocksdb.estimate-table-readers-mem") +
	    spy_number("body", "rocksdb.estimate-table-readers-mem"));
	shelf_close(&s);
}

/* An empty store, opened and probed alike: what does not depend on the number of objects. */
static void measure_empty(const struct options *o, struct result *result)
{
	struct options empty = *o;
	struct shelf s;
	uint64_t rss = self_rss_bytes();
	open_shelf(&s, &empty);
	result->opened_rss = (double)(self_rss_bytes() - rss);
	empty.cold_objects = 0;
	probe_all(&s, &empty);
	result->probed_rss = (double)(self_rss_bytes() - rss);
	shelf_close(&s);
}

static void report_cold(struct bench *b)
{
	struct report *r = &b->report;
	double n = (double)b->options.cold_objects;
	folder_remove(b->options.dir);
	struct result empty = *run(b, measure_empty);
	folder_remove(b->options.dir);
	report_figure(r, run(b, fill_store)->disk / n, "B", "cold: on disk, an object");
	const struct result *m = run(b, measure_cold);
	report_figure(r, (m->filters + m->index + m->readers) / n, "B",
	    "cold: filters, index blocks and table readers, an object");
	report_bar(r, BAR_MOST, 16);
	report_figure(r, m->filters / n, "B", "cold: of it filters");
	report_figure(r, m->index / n, "B", "cold: of it index blocks");
	report_figure(r, m->readers / n, "B", "cold: of it table readers outside the cache");
	report_figure(r, m->block_cache / MIB, "MiB", "cold: block cache in use (bounded)");
	report_figure(r, empty.probed_rss / MIB, "MiB", "cold: resident, empty store");
	report_figure(r, m->opened_rss / MIB, "MiB", "cold: resident, opened");
	report_figure(r, m->probed_rss / MIB, "MiB", "cold: resident, all probed, a tenth loaded");
	folder_remove(b->options.dir);
}

/* ---- opening ---- */

/* Fetches numbers of a range; how many were there. What is there must be right. */
static double fetch_some(struct shelf *s, uint64_t from, uint64_t count)
{
	double found = 0;
	for (uint64_t i = 0; i < PROBES; i++) {
		enum fetch_outcome outcome = shelf_fetch(s, from + chance_of(i) % count);
		must(outcome != FETCH_WRONG);
		found += outcome == FETCH_WHOLE;
	}
	return found;
}

static void measure_opening(const struct options *o, struct result *result)
{
	struct shelf s;
	int64_t begin = now_ns();
	open_shelf(&s, o);
	result->opened_ms = (double)(now_ns() - begin) / 1e6;
	must(shelf_fetch(&s, 1) == FETCH_WHOLE);
	result->first_ms = (double)(now_ns() - begin) / 1e6;
	/* They were all there before anything was killed. */
	result->found = fetch_some(&s, 0, o->cold_objects);
	result->found_last = fetch_some(&s, o->cold_objects, o->cold_objects / 10);
	shelf_close(&s);
}

/* Stores until it is killed. */
static void store_on(const struct options *o, struct result *result)
{
	struct shelf s;
	open_shelf(&s, o);
	for (uint64_t n = o->cold_objects;; n++) {
		store(&s, n);
		result->progress = n - o->cold_objects + 1;
	}
}

static void kill_while_storing(struct bench *b)
{
	pid_t pid = spawn(b, store_on);
	/* A tenth more: in memtables, in the log and in new files. */
	while (b->result->progress < b->options.cold_objects / 10)
		usleep(NAP_US);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void report_opening(struct bench *b, const char *after, bool was_killed)
{
	struct report *r = &b->report;
	const struct result *m = run(b, measure_opening);
	report_figure(r, m->opened_ms, "ms", "open, %s: opened", after);
	report_figure(r, m->first_ms, "ms", "open, %s: first object", after);
	report_bar(r, BAR_MOST, 1000);
	report_figure(r, 100 * m->found / PROBES, "%", "open, %s: objects found and right", after);
	report_bar(r, BAR_LEAST, 100);
	if (was_killed)
		report_figure(r, 100 * m->found_last / PROBES, "%",
		    "open, %s: of the last tenth offered, found and right", after);
}

static void report_openings(struct bench *b)
{
	folder_remove(b->options.dir);
	run(b, fill_store);
	report_opening(b, "clean stop", false);
	folder_chill(b->options.dir);
	report_opening(b, "clean stop, page cache empty", false);
	kill_while_storing(b);
	report_opening(b, "kill -9", true);
	kill_while_storing(b);
	folder_chill(b->options.dir);
	report_opening(b, "kill -9, page cache empty", true);
	folder_remove(b->options.dir);
}

/* ---- all ---- */

static int usage(void)
{
	fputs("usage: memory [-f] [-n COLD_OBJECTS] [-d DIR] [-o json] [hot|cold|open]...\n"
	      "  -f       full: more churn (else less than a minute)\n"
	      "  -d DIR   where: makes and removes larder-bench.memory in it (/var/tmp)\n",
	    stderr);
	return 2;
}

static bool measure(struct bench *b, const char *what)
{
	bool is_all = strcmp(what, "all") == 0, is_known = is_all;
	static const struct {
		const char *name;
		void (*report)(struct bench *);
	} parts[] = { { "hot", report_hot }, { "cold", report_cold }, { "open", report_openings } };
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		if (!is_all && strcmp(what, parts[i].name) != 0)
			continue;
		parts[i].report(b);
		is_known = true;
	}
	return is_known;
}

int main(int argc, char **argv)
{
	static struct bench b = { .options = {
				      "/var/tmp/larder-bench.memory", 1000000, 128 * MIB, 4 } };
	struct options *o = &b.options;
	report_init(&b.report, "memory");
	for (int c; (c = getopt(argc, argv, "fn:d:o:")) != -1;) {
		switch (c) {
		case 'f': o->churn_budget = GIB, o->churn_turns = 20; break;
		case 'n': o->cold_objects = strtoull(optarg, NULL, 10); break;
		case 'd': snprintf(o->dir, sizeof(o->dir), "%s/larder-bench.memory", optarg); break;
		case 'o': b.report.is_json = strcmp(optarg, "json") == 0; break;
		default: return usage();
		}
	}
	if (o->cold_objects < 1000)
		return usage();
	b.result = mmap(
	    NULL, sizeof(*b.result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(b.result != MAP_FAILED);
	snprintf(b.report.about, sizeof(b.report.about),
	    "%d objects in the hot tier, %" PRIu64 " in a store of %d GiB in %s", HOT_OBJECTS,
	    o->cold_objects, STORE_GIB, o->dir);
	bool is_known = optind < argc || measure(&b, "all");
	for (; optind < argc; optind++)
		is_known &= measure(&b, argv[optind]);
	if (!is_known)
		return usage();
	report_print(&b.report);
	report_fini(&b.report);
	return 0;
}
