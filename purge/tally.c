/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/tally.h"

enum { RETRY_MS = 5000 };

/* A pattern in force. What objects are asked by is its order's. */
struct pattern {
	struct list link;
	struct fence_pattern in_force;
	struct order *order; /* counted */
};

struct tally {
	struct list link;
	struct survey survey;
	struct tallies *all;
	uint64_t seq;            /* 0 = of a former life */
	struct order *order;     /* counted */
	struct pattern *pattern; /* NULL = none */
	bool was_counted;
	struct deadline again; /* the disk was not well */
};

struct tallies {
	/* fixed */
	struct cache *cache;
	struct loop *control;
	const struct tally_events *events;
	void *arg;
	meter *pattern_count;
	/* under lock */
	struct lock lock;
	struct list patterns;
	struct list under_way;
	struct surveyor *prompt,
	    *patient; /* NULL = the cache is not open (any more): tallies wait */
};

/* ---- life ---- */

struct tallies *tallies_new(struct cache *cache, struct loop *control,
    const struct tally_events *events, void *arg, meter *patterns)
{
	struct tallies *all = calloc(1, sizeof(*all));
	if (!all)
		return NULL;
	all->cache = cache;
	all->control = control;
	all->events = events;
	all->arg = arg;
	all->pattern_count = patterns;
	lock_init(&all->lock);
	list_init(&all->patterns);
	list_init(&all->under_way);
	return all;
}

static void free_pattern(struct pattern *p)
{
	list_drop(&p->link);
	order_unref(&p->order);
	free(p);
}

static void free_tally(struct tally *t)
{
	list_drop(&t->link);
	survey_fini(&t->survey);
	order_unref(&t->order);
	free(t);
}

void tallies_stop(struct tallies *all)
{
	lock_take(&all->lock);
	struct surveyor *prompt = all->prompt, *patient = all->patient;
	all->prompt = all->patient = NULL;
	lock_drop(&all->lock);
	surveyor_free(&prompt);
	surveyor_free(&patient);
	LIST_EACH (link, &all->under_way)
		deadline_clear(&LIST_OF(link, struct tally, link)->again);
}

void tallies_free(struct tallies **tallies)
{
	struct tallies *all = *tallies;
	*tallies = NULL;
	if (!all)
		return;
	LIST_EACH (link, &all->under_way)
		free_tally(LIST_OF(link, struct tally, link));
	LIST_EACH (link, &all->patterns)
		free_pattern(LIST_OF(link, struct pattern, link));
	lock_fini(&all->lock);
	free(all);
}

struct surveyor *tallies_surveyor(const struct tallies *all)
{
	return all->prompt;
}

/* ---- patterns ---- */

static bool matches(const void *what, const struct object *o)
{
	return order_matches(what, o);
}

struct fence_pattern *tallies_keep(struct tallies *all, struct order *order, struct purge_act act)
{
	struct pattern *p = malloc(sizeof(*p));
	if (!p)
		return NULL;
	*p = (struct pattern){ .order = order_ref(order) };
	p->in_force = (struct fence_pattern){ act, matches, order, 0 };
	lock_take(&all->lock);
	list_append(&all->patterns, &p->link);
	lock_drop(&all->lock);
	meter_add_shared(all->pattern_count, 1);
	return &p->in_force;
}

static struct pattern *find_locked(struct tallies *all, const struct order *order)
{
	LIST_EACH (link, &all->patterns) {
		struct pattern *p = LIST_OF(link, struct pattern, link);
		if (p->order == order)
			return p;
	}
	return NULL;
}

void tallies_drop(struct tallies *all, const struct order *order)
{
	lock_take(&all->lock);
	struct pattern *p = find_locked(all, order);
	if (p)
		free_pattern(p);
	lock_drop(&all->lock);
	if (p)
		meter_sub_shared(all->pattern_count, 1);
}

bool tallies_has(struct tallies *all, uint64_t number)
{
	bool has = false;
	lock_take(&all->lock);
	LIST_EACH (link, &all->patterns)
		has |= LIST_OF(link, struct pattern, link)->in_force.number == number;
	lock_drop(&all->lock);
	return has;
}

/* ---- a tally's way ---- */

static void begin_survey(struct tally *);

static void on_again(struct deadline *d)
{
	begin_survey(CONTAINER_OF(d, struct tally, again));
}

static void end(struct tally *t)
{
	struct tallies *all = t->all;
	lock_take(&all->lock);
	free_tally(t);
	lock_drop(&all->lock);
}

static void retire(struct tally *t)
{
	struct tallies *all = t->all;
	cache_retire(all->cache, t->pattern->in_force.number);
	tallies_drop(all, t->order);
	all->events->swept(all->arg, t->seq);
}

static void on_surveyed(struct survey *v)
{
	role_loop();
	struct tally *t = CONTAINER_OF(v, struct tally, survey);
	struct tallies *all = t->all;
	if (v->err == ERR_CANCELLED)
		return; /* it ends; tallies_free takes the rest */
	bool is_first = !t->was_counted;
	t->was_counted = true;
	all->events->counted(all->arg, t->seq, v, is_first);
	if (t->pattern && v->err) {
		deadline_set(all->control, &t->again, RETRY_MS);
		return;
	}
	if (t->pattern)
		retire(t);
	end(t);
}

static void begin_survey(struct tally *t)
{
	struct tallies *all = t->all;
	uint64_t before = t->survey.before;
	t->survey = (struct survey){
		.order = t->order,
		.before = before,
		.hottest = t->order->origin_rps ? SURVEY_HOTTEST : 0,
		.sweeps = t->pattern != NULL,
		.at = t->pattern ? t->pattern->in_force.act.at : WALL_NEVER,
		.home = all->control,
		.done = on_surveyed,
	};
	lock_take(&all->lock);
	/* Somebody waits for the receipt, or the origin for its turn. */
	bool is_prompt = t->order->wait || t->order->origin_rps;
	struct surveyor *surveyor = is_prompt ? all->prompt : all->patient;
	bool begins = !surveyor || survey_begin(surveyor, &t->survey);
	lock_drop(&all->lock);
	if (begins)
		return;
	all->events->skipped(all->arg, t->seq);
	end(t);
}

void tallies_begin(struct tallies *all, struct order *order, uint64_t seq, uint64_t number)
{
	struct tally *t = calloc(1, sizeof(*t));
	if (!t)
		return;
	t->all = all;
	t->seq = seq;
	t->order = order_ref(order);
	t->survey.before = number;
	deadline_init(&t->again, on_again);
	lock_take(&all->lock);
	t->pattern = find_locked(all, order);
	list_append(&all->under_way, &t->link);
	lock_drop(&all->lock);
	begin_survey(t);
}

enum err tallies_start(struct tallies *all)
{
	struct surveyor *prompt = surveyor_new(all->cache, SURVEYOR_PROMPT);
	struct surveyor *patient = surveyor_new(all->cache, SURVEYOR_PATIENT);
	if (!prompt || !patient) {
		surveyor_free(&prompt);
		surveyor_free(&patient);
		return ERR_SYSTEM;
	}
	lock_take(&all->lock);
	all->prompt = prompt;
	all->patient = patient;
	lock_drop(&all->lock);
	LIST_EACH (link, &all->under_way)
		begin_survey(LIST_OF(link, struct tally, link));
	return ERR_NONE;
}
