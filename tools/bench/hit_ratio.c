/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hit_ratio: object hits of the hot tier, beside those of a plain LRU of the same bytes on the same
 * trace.
 *
 * The hot tier is the real one, with real objects; LRU is a list that counts object_bytes. Both
 * begin empty; the first fifth of the trace warms them and does not count. 'ideal' is what a cache
 * would have that always holds the most popular objects of the catalog, and knows a wonder when it
 * sees one: a bound for objects of one size, and about one for these.
 */
#include <getopt.h>

#include "cache/tier/hot.h"
#include "tools/bench/kit/chance.h"
#include "tools/bench/kit/goods.h"
#include "tools/bench/kit/report.h"

enum { CATALOG = 200000, NONE = -1, LEAST_BODY = 256, MOST_BODY = 1024 };
/* A scan asks for each object of a tenth of the catalog, once, and comes as often as that it is
 * three requests of ten. */
enum { SCAN_EVERY = 46667, SCAN_LENGTH = 20000 };

enum mix { MIX_PLAIN, MIX_WONDERS, MIX_SCANS, MIXES };
static const char *const mix_names[MIXES] = { "", ", 30 % one-hit wonders", ", 30 % scans" };

struct trace {
	const struct zipf *zipf;
	enum mix mix;
	struct chance chance;
	uint64_t at;     /* requests made */
	uint64_t wonder; /* the last one's number */
	uint64_t scan;   /* next of a scan */
};

static uint64_t trace_next(struct trace *t)
{
	uint64_t turn = t->at++ % (SCAN_EVERY + SCAN_LENGTH);
	if (t->mix == MIX_SCANS && turn >= SCAN_EVERY)
		return t->scan++ % CATALOG;
	if (t->mix == MIX_WONDERS && chance_part(&t->chance) < .3)
		return ++t->wonder;
	/* Popular objects lie anywhere in the catalog: 7919 is prime. */
	return zipf_next(t->zipf, &t->chance) * (uint64_t)7919 % CATALOG;
}

/* ---- LRU ---- */

struct place {
	uint64_t number;
	uint32_t bytes;
	int newer, older, chain; /* indices; NONE */
};

struct lru {
	uint64_t budget, bytes;
	struct place *places;
	int *table, room, used, newest, oldest, free;
};

static void lru_init(struct lru *l, uint64_t budget, int room)
{
	*l = (struct lru){ .budget = budget, .room = room, .newest = NONE, .oldest = NONE };
	l->free = NONE;
	l->places = must_alloc((size_t)room * sizeof(*l->places));
	l->table = must_alloc((size_t)room * sizeof(*l->table));
	for (int i = 0; i < room; i++)
		l->table[i] = NONE;
}

static void lru_fini(struct lru *l)
{
	free(l->places);
	free(l->table);
}

static int *lru_bucket(const struct lru *l, uint64_t number)
{
	return &l->table[chance_of(number) % (uint64_t)l->room];
}

static void lru_link(struct lru *l, int i)
{
	struct place *p = &l->places[i];
	p->newer = NONE;
	p->older = l->newest;
	*(l->newest == NONE ? &l->oldest : &l->places[l->newest].newer) = i;
	l->newest = i;
}

static void lru_unlink(struct lru *l, int i)
{
	const struct place *p = &l->places[i];
	*(p->newer == NONE ? &l->newest : &l->places[p->newer].older) = p->older;
	*(p->older == NONE ? &l->oldest : &l->places[p->older].newer) = p->newer;
}

static bool lru_get(struct lru *l, uint64_t number)
{
	int i = *lru_bucket(l, number);
	while (i != NONE && l->places[i].number != number)
		i = l->places[i].chain;
	if (i == NONE)
		return false;
	lru_unlink(l, i);
	lru_link(l, i);
	return true;
}

static void lru_evict(struct lru *l)
{
	int i = l->oldest, *at = lru_bucket(l, l->places[i].number);
	while (*at != i)
		at = &l->places[*at].chain;
	*at = l->places[i].chain;
	lru_unlink(l, i);
	l->bytes -= l->places[i].bytes;
	l->places[i].chain = l->free;
	l->free = i;
}

static void lru_put(struct lru *l, uint64_t number, uint64_t bytes)
{
	while (l->bytes + bytes > l->budget && l->oldest != NONE)
		lru_evict(l);
	int i = l->free;
	if (i == NONE)
		must((i = l->used++) < l->room);
	else
		l->free = l->places[i].chain;
	int *bucket = lru_bucket(l, number);
	l->places[i] =
	    (struct place){ .number = number, .bytes = (uint32_t)bytes, .chain = *bucket };
	*bucket = i;
	lru_link(l, i);
	l->bytes += bytes;
}

/* ---- both ---- */

static const struct hash_secret secret = { "hit ratio bench" };

/* What an answer of this number would be; wonders look like the catalog. */
static struct object *make(uint64_t number)
{
	uint64_t body = LEAST_BODY + chance_of(number) % (MOST_BODY - LEAST_BODY);
	return goods_object(secret, number, body);
}

/* Whether the hot tier has it; puts it there if not. */
static bool ask_hot(struct hot *hot, uint64_t number)
{
	char text[GOODS_KEY_ROOM];
	struct key key = goods_key(secret, number, text);
	struct object *o = hot_get(hot, key.hash, key.text);
	bool is_hit = o != NULL;
	if (!o) {
		o = make(number);
		hot_put(hot, o);
	}
	object_unref(&o);
	return is_hit;
}

static bool ask_lru(struct lru *l, const uint32_t *sizes, uint64_t number)
{
	if (lru_get(l, number))
		return true;
	lru_put(l, number, sizes[number % CATALOG]);
	return false;
}

struct ratios {
	double hot, lru;
};

static struct ratios play(struct trace t, uint64_t budget, uint64_t requests, const uint32_t *sizes)
{
	struct hot *hot = hot_new(budget, NULL, NULL);
	struct lru lru;
	lru_init(&lru, budget, CATALOG);
	uint64_t hot_hits = 0, lru_hits = 0, counted = 0;
	must(hot != NULL);
	for (uint64_t i = 0; i < requests; i++) {
		uint64_t number = trace_next(&t);
		bool is_hot = ask_hot(hot, number), is_lru = ask_lru(&lru, sizes, number);
		if (i < requests / 5)
			continue;
		counted++;
		hot_hits += is_hot;
		lru_hits += is_lru;
	}
	hot_free(&hot);
	lru_fini(&lru);
	double all = (double)counted / 100;
	return (struct ratios){ (double)hot_hits / all, (double)lru_hits / all };
}

/* What each object of the catalog costs, as the hot tier's own sum says. Wonders cost LRU what the
 * object of their number modulo the catalog does: the same in the mean. */
static uint32_t *measure_sizes(uint64_t *ret_sum)
{
	uint32_t *sizes = must_alloc(CATALOG * sizeof(*sizes));
	struct hot *hot = hot_new(GIB, NULL, NULL);
	uint64_t before = 0;
	must(hot != NULL);
	for (uint64_t i = 0; i < CATALOG; i++) {
		struct object *o = make(i);
		hot_put(hot, o);
		object_unref(&o);
		uint64_t sum = meter_read(&hot_meters(hot)->bytes);
		sizes[i] = (uint32_t)(sum - before);
		before = sum;
	}
	*ret_sum = before;
	hot_free(&hot);
	return sizes;
}

/* ---- the runs ---- */

struct plan {
	uint64_t requests;
	const uint32_t *sizes;
	uint64_t sum; /* of sizes */
	struct report report;
};

static void compare(struct plan *p, const struct zipf *zipf, double skew, enum mix mix, int percent)
{
	struct trace trace = { zipf, mix, { 1 }, 0, CATALOG, 0 };
	struct ratios r = play(trace, p->sum * (uint64_t)percent / 100, p->requests, p->sizes);
	double ideal = 100 * zipf_share(zipf, CATALOG / 100 * (uint32_t)percent);
	char name[64];
	snprintf(name, sizeof(name), "Zipf %.1f, %2d %%%s", skew, percent, mix_names[mix]);
	report_figure(&p->report, r.hot, "%", "%s: hot tier", name);
	report_figure(&p->report, r.lru, "%", "%s: LRU", name);
	report_figure(&p->report, mix == MIX_PLAIN ? ideal : .7 * ideal, "%", "%s: ideal", name);
	report_figure(&p->report, r.hot - r.lru, "points", "%s: gain", name);
	if (skew == .9 && percent == 1 && mix == MIX_PLAIN)
		report_bar(&p->report, BAR_LEAST, 5);
}

static void compare_all(struct plan *p)
{
	static const double skews[] = { .7, .9, 1.1 };
	static const int percents[] = { 1, 10 };
	for (size_t i = 0; i < COUNT_OF(skews); i++) {
		struct zipf zipf;
		zipf_init(&zipf, CATALOG, skews[i]);
		for (size_t k = 0; k < COUNT_OF(percents); k++)
			for (enum mix mix = 0; mix < MIXES; mix++)
				if (mix != MIX_SCANS || skews[i] == .9)
					compare(p, &zipf, skews[i], mix, percents[k]);
		zipf_fini(&zipf);
	}
}

static int usage(void)
{
	fputs("usage: hit_ratio [-f] [-n REQUESTS] [-o json]\n"
	      "  -f   full: 5,000,000 requests a run (else 500,000, less than a minute in all)\n",
	    stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static struct plan p = { .requests = 500000 };
	report_init(&p.report, "hit_ratio");
	for (int c; (c = getopt(argc, argv, "fn:o:")) != -1;) {
		switch (c) {
		case 'f': p.requests = 5000000; break;
		case 'n': p.requests = strtoull(optarg, NULL, 10); break;
		case 'o': p.report.is_json = strcmp(optarg, "json") == 0; break;
		default: return usage();
		}
	}
	if (optind != argc || p.requests < 1000)
		return usage();
	uint32_t *sizes = measure_sizes(&p.sum);
	p.sizes = sizes;
	snprintf(p.report.about, sizeof(p.report.about),
	    "%d objects, %" PRIu64 " bytes each in the mean, %" PRIu64 " requests", CATALOG,
	    p.sum / CATALOG, p.requests);
	compare_all(&p);
	free(sizes);
	report_print(&p.report);
	report_fini(&p.report);
	return 0;
}
