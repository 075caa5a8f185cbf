/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: the cold tier during churn.
 *
 *	store [options]      objects come until three times the store's size was written
 *
 * The first two thirds come as fast as the store takes them, the last at a pace; a Zipf(0.9) reader
 * is at work all the time, one load after another. Each byte that is read is checked.
 */
#include <getopt.h>
#include <math.h>
#include <unistd.h>

#include "tools/bench/kit/chance.h"
#include "tools/bench/kit/report.h"
#include "tools/bench/kit/self.h"
#include "tools/bench/kit/shelf.h"
#include "tools/bench/kit/spread.h"
#include "tools/bench/kit/spy.h"

enum {
	READERS_MAX = 256,
	SAMPLES_MAX = 8192,
	SAMPLE_MS = 50,
	WATCH_US = 100,
	FEW_OBJECTS = 1000,
	LARGEST_SHARE = 16,
	NAP_US = 200
};
enum phase { PHASE_FULL, PHASE_PACED, PHASES };

static const char *const phase_names[PHASES] = { "full speed", "paced" };

struct options {
	uint64_t budget_bytes;
	char dir[256];
	unsigned writers, readers;
	uint64_t pace_bytes; /* a second */
	double skew;
	bool is_json;
};

/* What the reader met in one phase. */
struct reads {
	uint64_t outcomes[FETCH_WRONG + 1];
	uint64_t bytes;
	struct spread probe, first;
};

/* What the writers did in one phase. */
struct writes {
	uint64_t objects, bytes, waits;
	double seconds, cpu_s;
	uint64_t disk_bytes;  /* written by the process */
	struct spread put;    /* the call */
	struct spread stored; /* from the call until the record was written. Of some objects */
};

/* Files of the store; live: what RocksDB counts of its tables, the rest waits to be deleted. */
struct disk_sample {
	int64_t ms;
	uint64_t bytes, tables, live, logs;
};

/* An object that is watched until it is stored. */
struct watched {
	_Atomic bool is_set;
	uint64_t after; /* it is stored once so many are */
	int64_t begun_ns;
};

struct bench {
	/* fixed */
	struct options options;
	struct shelf shelf;
	struct zipf zipf;
	uint64_t largest_bytes;
	int64_t begun_ns;
	/* atomic */
	_Atomic uint64_t next;      /* number */
	_Atomic uint64_t given;     /* body bytes that numbers were given out for */
	_Atomic uint64_t phase_end; /* where `given` ends the phase */
	_Atomic enum phase phase;
	_Atomic bool is_over;
	/* under lock */
	struct lock lock;
	struct writes writes[PHASES]; /* stored: the sampler's */
	/* the first writer sets it, the sampler clears it */
	struct watched watched;
	/* loop */
	struct fetch fetches[READERS_MAX];
	unsigned reading; /* readers that have not ended */
	struct mail go;
	struct chance chance;
	struct reads reads[PHASES];
	_Atomic bool readers_ended;
	/* sampler */
	bool has_readers;
	size_t sample_count;
	struct disk_sample samples[SAMPLES_MAX];
};

/* ---- writing ---- */

/* Offers an object until it is taken; returns how often the store's queue was full. */
static uint64_t offer(struct bench *b, uint64_t number, uint64_t bytes, struct spread *put)
{
	struct object *o = goods_object(cache_secret(&b->shelf.cache), number, bytes);
	uint64_t waits = 0;
	int64_t begin = now_ns();
	while (!cold_store(b->shelf.cache.cold, o, true)) {
		usleep(NAP_US);
		waits++;
		begin = now_ns();
	}
	spread_add(put, now_ns() - begin);
	object_unref(&o);
	return waits;
}

/* One after another is watched. With more than one writer, others may be stored before it. */
static void watch(struct bench *b, uint64_t number)
{
	struct watched *w = &b->watched;
	if (b->options.writers > 1 || atomic_load(&w->is_set))
		return;
	w->after = number + 1;
	w->begun_ns = now_ns();
	atomic_store(&w->is_set, true);
}

/* Not before its time, when there is a pace. */
static void keep_pace(const struct bench *b, uint64_t bytes, int64_t begun_ns)
{
	int64_t due = begun_ns + (int64_t)((double)bytes / (double)b->options.pace_bytes * 1e9);
	int64_t early_ns = due - now_ns();
	if (early_ns > 0)
		usleep((useconds_t)(early_ns / 1000));
}

static void *work_write(void *arg)
{
	struct bench *b = arg;
	struct writes mine = { 0 };
	struct spread *put = calloc(1, sizeof(*put));
	bool is_paced = b->phase == PHASE_PACED;
	int64_t begun_ns = now_ns();
	uint64_t first = b->given;
	must(put != NULL);
	for (;;) {
		uint64_t number = b->next++;
		uint64_t bytes = goods_size(number, b->largest_bytes);
		uint64_t given = atomic_fetch_add(&b->given, bytes) + bytes;
		if (is_paced)
			keep_pace(b, given - first, begun_ns);
		mine.waits += offer(b, number, bytes, put);
		watch(b, number);
		mine.objects++;
		mine.bytes += bytes;
		if (given >= b->phase_end)
			break;
	}
	lock_take(&b->lock);
	struct writes *all = &b->writes[b->phase];
	all->objects += mine.objects;
	all->bytes += mine.bytes;
	all->waits += mine.waits;
	spread_join(&all->put, put);
	lock_drop(&b->lock);
	free(put);
	return NULL;
}

/* Writes so many bytes of bodies, and waits until the store has dealt with them. */
static void run_phase(struct bench *b, enum phase phase, uint64_t bytes)
{
	pthread_t threads[READERS_MAX];
	struct writes *w = &b->writes[phase];
	int64_t begin = now_ns();
	double cpu = self_cpu_s();
	uint64_t disk = self_written_bytes();
	b->phase = phase;
	b->phase_end = b->given + bytes;
	for (unsigned i = 0; i < b->options.writers; i++)
		must(pthread_create(&threads[i], NULL, work_write, b) == 0);
	for (unsigned i = 0; i < b->options.writers; i++)
		pthread_join(threads[i], NULL);
	while (meter_read(&cold_meters(b->shelf.cache.cold)->queue_bytes) > 0)
		usleep(NAP_US);
	w->seconds = (double)(now_ns() - begin) / 1e9;
	w->cpu_s = self_cpu_s() - cpu;
	w->disk_bytes = self_written_bytes() - disk;
}

/* ---- reading ---- */

/*
 * A number to read: of three quarters of what the store can hold, each rank always the same until
 * its object has gone out of that window and the next of its kind has come.
 */
static uint64_t pick(struct bench *b)
{
	uint64_t window = b->zipf.count;
	uint64_t stored = meter_read(&cold_meters(b->shelf.cache.cold)->stored);
	uint64_t last = stored > b->options.writers ? stored - b->options.writers : 1;
	uint64_t rank = zipf_next(&b->zipf, &b->chance);
	uint64_t place = chance_of(rank) % window;
	uint64_t number = last - last % window + place;
	if (number >= last)
		number -= number >= window ? window : number;
	return number;
}

static void count(struct bench *b, const struct fetch *f)
{
	struct reads *r = &b->reads[b->phase];
	r->outcomes[f->outcome]++;
	r->bytes += f->bytes;
	spread_add(&r->probe, f->probe_ns);
	if (f->outcome == FETCH_WHOLE)
		spread_add(&r->first, f->first_ns);
	if (f->outcome == FETCH_WRONG)
		fprintf(stderr, "bench: object %" PRIu64 " came back wrong\n", f->number);
}

static void read_on(struct bench *b, struct fetch *f) ON_LOOP
{
	while (!b->is_over) {
		if (fetch_begin(f, pick(b)))
			return;
		count(b, f);
	}
	if (--b->reading == 0)
		b->readers_ended = true;
}

static void on_fetched(struct fetch *f)
{
	role_loop();
	struct bench *b = f->owner;
	count(b, f);
	read_on(b, f);
}

static void on_go(struct mail *m)
{
	role_loop();
	struct bench *b = CONTAINER_OF(m, struct bench, go);
	b->reading = b->options.readers;
	for (unsigned i = 0; i < b->options.readers; i++) {
		b->fetches[i] =
		    (struct fetch){ .shelf = &b->shelf, .done = on_fetched, .owner = b };
		read_on(b, &b->fetches[i]);
	}
}

/* ---- the disk ---- */

static void look_at_watched(struct bench *b)
{
	struct watched *w = &b->watched;
	if (!atomic_load(&w->is_set) ||
	    meter_read(&cold_meters(b->shelf.cache.cold)->stored) < w->after)
		return;
	spread_add(&b->writes[b->phase].stored, now_ns() - w->begun_ns);
	atomic_store(&w->is_set, false);
}

static void look_at_disk(struct bench *b)
{
	const char *dir = b->options.dir;
	if (b->sample_count == SAMPLES_MAX)
		return;
	b->samples[b->sample_count++] = (struct disk_sample){
		.ms = (now_ns() - b->begun_ns) / 1000000,
		.bytes = folder_bytes(dir, ""),
		.tables = folder_bytes(dir, ".sst"),
		.live = spy_number("body", "rocksdb.live-sst-files-size") +
		    spy_number("meta", "rocksdb.live-sst-files-size"),
		.logs = folder_bytes(dir, ".log"),
	};
}

/* Once there is something to read. */
static void start_readers(struct bench *b)
{
	if (b->has_readers || meter_read(&cold_meters(b->shelf.cache.cold)->stored) < FEW_OBJECTS)
		return;
	b->has_readers = true;
	mail_post(&b->shelf.loop, &b->go);
}

static void *work_sample(void *arg)
{
	struct bench *b = arg;
	for (int64_t looked_ns = 0; !b->is_over; usleep(WATCH_US)) {
		look_at_watched(b);
		start_readers(b);
		if (now_ns() - looked_ns < (int64_t)SAMPLE_MS * 1000000)
			continue;
		looked_ns = now_ns();
		look_at_disk(b);
	}
	return NULL;
}

static struct disk_sample worst_sample(const struct bench *b)
{
	struct disk_sample worst = { 0 };
	for (size_t i = 0; i < b->sample_count; i++)
		if (b->samples[i].bytes > worst.bytes)
			worst = b->samples[i];
	return worst;
}

static void report_disk(const struct bench *b, struct report *r)
{
	struct disk_sample worst = worst_sample(b);
	buf_add(&r->series, SL(",\n \"disk\": {\"unit\": \"ms, bytes\", \"samples\": ["));
	for (size_t i = 0; i < b->sample_count; i++)
		buf_addf(&r->series, "%s[%" PRIi64 ", %" PRIu64 "]", i ? ", " : "",
		    b->samples[i].ms, b->samples[i].bytes);
	buf_add(&r->series, SL("]}"));
	report_figure(r, 100 * ((double)worst.bytes / (double)b->options.budget_bytes - 1), "%",
	    "disk: most that was used, over the store's size");
	report_bar(r, BAR_MOST, 2);
	report_figure(r, (double)worst.bytes / MIB, "MiB", "disk: most that was used");
	report_figure(r, (double)worst.live / MIB, "MiB", "disk: of it tables, live");
	report_figure(r, (double)(worst.tables - min_u64(worst.live, worst.tables)) / MIB, "MiB",
	    "disk: of it tables being written or deleted");
	report_figure(r, (double)worst.logs / MIB, "MiB", "disk: of it logs");
}

/* ---- the report ---- */

static void report_writes(const struct bench *b, struct report *r, enum phase phase)
{
	const struct writes *w = &b->writes[phase];
	const char *name = phase_names[phase];
	double bytes = (double)w->bytes;
	report_figure(r, bytes / 1e6 / w->seconds, "MB/s", "put, %s", name);
	report_figure(r, (double)w->objects / w->seconds, "1/s", "put, %s: objects", name);
	report_figure(r, spread_us(&w->put, .5), "us", "put, %s: p50 of the call", name);
	report_figure(r, spread_us(&w->put, .99), "us", "put, %s: p99", name);
	report_figure(r, spread_us(&w->put, .999), "us", "put, %s: p999", name);
	report_figure(r, (double)w->put.max_ns / 1000, "us", "put, %s: longest", name);
	report_figure(r, spread_us(&w->stored, .5) / 1000, "ms", "put, %s: p50 until stored", name);
	report_figure(
	    r, spread_us(&w->stored, .99) / 1000, "ms", "put, %s: p99 until stored", name);
	report_figure(
	    r, (double)w->waits, "", "put, %s: refused for now, the queue was full", name);
	report_figure(r, (double)w->disk_bytes / bytes, "B/B",
	    "put, %s: written by the process, per body byte", name);
	report_figure(r, w->cpu_s / (bytes / GIB), "s/GiB",
	    "put, %s: processor time, readers and checks included", name);
}

static void report_reads(const struct bench *b, struct report *r, enum phase phase)
{
	const struct reads *in = &b->reads[phase];
	const char *name = phase_names[phase];
	double seconds = b->writes[phase].seconds;
	uint64_t all = 0;
	for (size_t i = 0; i < COUNT_OF(in->outcomes); i++)
		all += in->outcomes[i];
	report_figure(r, (double)in->bytes / 1e6 / seconds, "MB/s", "get, %s", name);
	report_figure(
	    r, (double)in->outcomes[FETCH_WHOLE] / seconds, "1/s", "get, %s: whole", name);
	report_figure(r, 100 * (double)in->outcomes[FETCH_ABSENT] / (double)max_u64(all, 1), "%",
	    "get, %s: absent", name);
	report_figure(r, spread_us(&in->probe, .5), "us", "get, %s: p50 of the probe", name);
	report_figure(r, spread_us(&in->probe, .99), "us", "get, %s: p99 of the probe", name);
	report_figure(r, spread_us(&in->first, .5), "us", "get, %s: p50 to the first chunk", name);
	report_figure(r, spread_us(&in->first, .99), "us", "get, %s: p99", name);
	report_figure(r, spread_us(&in->first, .999), "us", "get, %s: p999", name);
	report_figure(r, (double)in->outcomes[FETCH_REFUSED], "", "get, %s: refused", name);
}

/* Closes the store: what is still in memory goes to the disk and counts. */
static void report_amplification(struct bench *b, struct report *r, uint64_t written_before)
{
	double bytes = (double)(b->writes[PHASE_FULL].bytes + b->writes[PHASE_PACED].bytes);
	double body = (double)spy_written_bytes("body"), meta = (double)spy_written_bytes("meta");
	shelf_close(&b->shelf);
	report_figure(r, (double)(self_written_bytes() - written_before) / bytes, "B/B",
	    "written in all, closing included, per body byte");
	report_bar(r, BAR_MOST, 1.15);
	report_figure(r, body / bytes, "B/B", "before closing: body files, by RocksDB (+- 10 MB)");
	report_figure(
	    r, meta / bytes, "B/B", "before closing: record files, by RocksDB (+- 10 MB)");
}

/* The newest half of what the reader may ask for must all be there. */
static void report_loss(struct bench *b, struct report *r, uint64_t *ret_wrong)
{
	uint64_t last = b->next, tries = min_u64(b->zipf.count / 2, 2000), absent = 0;
	for (uint64_t i = 0; i < tries; i++) {
		uint64_t number = last - 1 - chance_of(i) % (b->zipf.count / 2);
		enum fetch_outcome outcome = shelf_fetch(&b->shelf, number);
		absent += outcome != FETCH_WHOLE;
		*ret_wrong += outcome == FETCH_WRONG;
	}
	report_figure(
	    r, (double)absent, "", "of %" PRIu64 " recent objects, not there afterwards", tries);
	report_bar(r, BAR_MOST, 0);
}

static uint64_t fetches_of(const struct bench *b, enum fetch_outcome outcome)
{
	return b->reads[PHASE_FULL].outcomes[outcome] + b->reads[PHASE_PACED].outcomes[outcome];
}

/* ---- the run ---- */

static void start(struct bench *b)
{
	const struct options *o = &b->options;
	folder_remove(o->dir);
	shelf_open(&b->shelf, o->dir, o->budget_bytes, 16 * MIB);
	b->largest_bytes = min_u64(o->budget_bytes / LARGEST_SHARE - 64 * KIB, 64 * MIB);
	double mean = 16.0 * 1024 * exp(1.6 * 1.6 / 2);
	zipf_init(&b->zipf, (uint32_t)((double)o->budget_bytes * .75 / mean), o->skew);
	lock_init(&b->lock);
	b->chance.at = 1u << 30;
	b->begun_ns = now_ns();
	mail_init(&b->go, on_go);
}

static uint64_t churn(struct bench *b, struct report *r)
{
	pthread_t sampler;
	uint64_t wrong = 0;
	must(pthread_create(&sampler, NULL, work_sample, b) == 0);
	run_phase(b, PHASE_FULL, 2 * b->options.budget_bytes);
	run_phase(b, PHASE_PACED, b->options.budget_bytes);
	b->is_over = true;
	while (!b->readers_ended)
		usleep(NAP_US);
	pthread_join(sampler, NULL);
	for (enum phase phase = 0; phase < PHASES; phase++) {
		report_writes(b, r, phase);
		report_reads(b, r, phase);
	}
	report_loss(b, r, &wrong);
	return wrong + fetches_of(b, FETCH_WRONG);
}

static int run(struct bench *b)
{
	struct report r;
	const struct options *o = &b->options;
	report_init(&r, "store");
	r.is_json = o->is_json;
	snprintf(r.about, sizeof(r.about),
	    "store of %" PRIu64 " MiB in %s, %u writers, %u readers, Zipf(%g), paced at %.0f MB/s",
	    o->budget_bytes / MIB, o->dir, o->writers, o->readers, o->skew,
	    (double)o->pace_bytes / 1e6);
	start(b);
	uint64_t written = self_written_bytes();
	uint64_t wrong = churn(b, &r);
	report_disk(b, &r);
	report_figure(&r, (double)fetches_of(b, FETCH_BROKEN), "", "bodies that ended early");
	report_figure(&r, (double)wrong, "", "bodies with wrong bytes");
	report_bar(&r, BAR_MOST, 0);
	report_figure(&r, (double)self_rss_bytes() / MIB, "MiB", "resident at the end");
	report_amplification(b, &r, written);
	folder_remove(o->dir);
	zipf_fini(&b->zipf);
	report_print(&r);
	report_fini(&r);
	return wrong == 0 ? 0 : 1;
}

static int usage(void)
{
	fputs("usage: store [-f] [-b MIB] [-d DIR] [-w WRITERS] [-r READERS] [-p MB/S] [-z SKEW]\n"
	      "             [-o json]\n"
	      "  -f       full: a store of 4 GiB (else 256 MiB, half a minute)\n"
	      "  -d DIR   where: makes and removes larder-bench.store in it (/var/tmp)\n",
	    stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static struct bench b = { .options = { .budget_bytes = 256 * MIB,
				      .dir = "/var/tmp/larder-bench",
				      .writers = 1,
				      .readers = 1,
				      .pace_bytes = 64 * 1000 * 1000,
				      .skew = .9 } };
	struct options *o = &b.options;
	for (int c; (c = getopt(argc, argv, "fb:d:w:r:p:z:o:")) != -1;) {
		switch (c) {
		case 'f': o->budget_bytes = 4 * GIB; break;
		case 'b': o->budget_bytes = strtoull(optarg, NULL, 10) * MIB; break;
		case 'd': snprintf(o->dir, sizeof(o->dir), "%s/larder-bench.store", optarg); break;
		case 'w': o->writers = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'r': o->readers = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'p': o->pace_bytes = strtoull(optarg, NULL, 10) * 1000 * 1000; break;
		case 'z': o->skew = strtod(optarg, NULL); break;
		case 'o': o->is_json = strcmp(optarg, "json") == 0; break;
		default: return usage();
		}
	}
	bool is_sane = o->budget_bytes >= 64 * MIB && o->writers - 1 < READERS_MAX &&
	    o->readers - 1 < READERS_MAX && o->pace_bytes > 0;
	return is_sane && optind == argc ? run(&b) : usage();
}
