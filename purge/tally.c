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
	bool is_surveyed;      /* under lock */
	struct deadline again; /* the disk was not well */
	struct mail
	    retirement; /* what is put down for the pattern is on disk, or could not be written */
	enum err retire_err;
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
	lock_take(&all->lock);
	LIST_EACH (link, &all->under_way)
		deadline_clear(&LIST_OF(link, struct tally, link)->again);
	lock_drop(&all->lock);
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

/* Until the disk is well. */
static void try_again(struct tally *t) ON_LOOP
{
	struct tallies *all = t->all;
	lock_take(&all->lock);
	t->is_surveyed = false;
	if (all->prompt)
		deadline_set(all->control, &t->again, RETRY_MS);
	lock_drop(&all->lock);
}

/* What was put down for the pattern is on disk: it is needed no more. */
static void on_retirement(struct mail *m)
{
	role_loop();
	struct tally *t = CONTAINER_OF(m, struct tally, retirement);
	struct tallies *all = t->all;
	if (t->retire_err) {
		try_again(t);
		return;
	}
	cache_retire(all->cache, t->pattern->in_force.number);
	tallies_drop(all, t->order);
	all->events->swept(all->arg, t->seq);
	end(t);
}

static void on_told(void *arg, enum err err, UNUSED uint64_t number, UNUSED uint64_t seq)
{
	struct tally *t = arg;
	struct tallies *all = t->all;
	t->retire_err = err;
	lock_take(&all->lock);
	if (all->prompt) /* else nobody reads letters any more */
		mail_post(all->control, &t->retirement);
	lock_drop(&all->lock);
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
	survey_fini(v);
	if (!t->pattern)
		end(t);
	else if (v->err)
		try_again(t);
	else
		cache_begin_retirement(all->cache,
		    &(struct cache_retirement){ t->pattern->in_force.number, on_told, t });
}

/* Begins when there is somebody to count. False: that is one too many. */
static bool begin_locked(struct tally *t)
{
	struct tallies *all = t->all;
	uint64_t before = t->survey.before;
	/* Somebody waits for the receipt, or the origin for its turn. */
	bool is_prompt = t->order->wait || t->order->origin_rps;
	struct surveyor *surveyor = is_prompt ? all->prompt : all->patient;
	if (!surveyor || t->is_surveyed)
		return true;
	t->survey = (struct survey){
		.order = t->order,
		.before = before,
		.hottest = t->order->origin_rps && !t->was_counted ? SURVEY_HOTTEST : 0,
		.sweeps = t->pattern != NULL,
		.at = t->pattern ? t->pattern->in_force.act.at : WALL_NEVER,
		.home = all->control,
		.done = on_surveyed,
	};
	t->is_surveyed = survey_begin(surveyor, &t->survey);
	return t->is_surveyed;
}

static void skip(struct tally *t)
{
	t->all->events->skipped(t->all->arg, t->seq);
	end(t);
}

static void begin_survey(struct tally *t)
{
	lock_take(&t->all->lock);
	bool begins = begin_locked(t);
	lock_drop(&t->all->lock);
	if (!begins)
		skip(t);
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
	mail_init(&t->retirement, on_retirement);
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
	struct list refused;
	list_init(&refused);
	lock_take(&all->lock);
	all->prompt = prompt;
	all->patient = patient;
	LIST_EACH (link, &all->under_way) {
		if (begin_locked(LIST_OF(link, struct tally, link)))
			continue;
		list_drop(link);
		list_append(&refused, link);
	}
	lock_drop(&all->lock);
	LIST_EACH (link, &refused)
		skip(LIST_OF(link, struct tally, link));
	return ERR_NONE;
}
