/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/log.h"

#include "edge/base/log.h"
#include "purge/audit.h"

enum { RETRY_MS = 5000 };
enum { TEXT_BYTES = 2 * ORDER_JSON_BYTES, JOBS = 4096, LISTING_BYTES = 4 * 1024 * 1024 };

/* A pattern in force. What objects are asked by is its order's. */
struct pattern {
	struct list link;
	struct fence_pattern in_force;
	struct order *order; /* counted */
};

struct purge_log {
	/* fixed */
	struct cache *cache;
	struct loop *control;
	struct crew *crew;
	struct audit *audit;   /* NULL = none */
	struct crew *auditors; /* a thread of its own: a purge must not wait for a sweep */
	/* atomic */
	struct purge_meters meters;
	/* under lock */
	struct lock lock;
	struct receipt receipts[PURGE_RECEIPTS]; /* by seq; 0 = empty */
	uint64_t last;
	struct list patterns;
	struct list tallies;
	/* control loop */
	struct surveyor *surveyor;
	purge_refresh_f *refresh;
	void *refresh_arg;
};

/* What is found out behind a purge: what it matched, for its receipt; and a pattern is swept. */
struct tally {
	struct list link;
	struct survey survey;
	struct purge_log *log;
	uint64_t seq;            /* 0 = of a former life */
	struct order *order;     /* counted */
	struct pattern *pattern; /* NULL = none */
	bool is_passed_on;       /* to those who refresh */
	struct deadline again;   /* the disk was not well */
};

#define METER_STRUCT struct purge_meters
static const struct meter_desc descs[] = METER_DESCS(PURGE_METERS);
const struct meter_table purge_meter_table = { descs, COUNT_OF(descs) };

const struct purge_meters *purge_meters(const struct purge_log *log)
{
	return &log->meters;
}

#define ORDER_MEMBER ",\"order\":"

/* ---- life ---- */

struct purge_log *purge_log_new(struct cache *cache, struct loop *control)
{
	struct purge_log *log = calloc(1, sizeof(*log));
	if (!log)
		return NULL;
	log->cache = cache;
	log->control = control;
	lock_init(&log->lock);
	list_init(&log->patterns);
	list_init(&log->tallies);
	log->crew = crew_new("purge", 1, JOBS);
	if (log->crew)
		return log;
	purge_log_free(&log);
	return NULL;
}

static void free_pattern(struct pattern *p)
{
	list_drop(&p->link);
	order_unref(&p->order);
	free(p);
}

bool purge_log_set_audit(struct purge_log *log, struct audit *audit)
{
	log->audit = audit;
	log->auditors = crew_new("purge-audit", 1, JOBS);
	return log->auditors != NULL;
}

void purge_log_stop(struct purge_log *log)
{
	surveyor_free(&log->surveyor);
	LIST_EACH (link, &log->tallies)
		deadline_clear(&LIST_OF(link, struct tally, link)->again);
	crew_free(&log->crew);
}

static void free_tally(struct tally *t)
{
	list_drop(&t->link);
	survey_fini(&t->survey);
	order_unref(&t->order);
	free(t);
}

void purge_log_free(struct purge_log **l)
{
	struct purge_log *log = *l;
	*l = NULL;
	if (!log)
		return;
	crew_free(&log->crew);
	crew_free(&log->auditors);
	LIST_EACH (link, &log->tallies)
		free_tally(LIST_OF(link, struct tally, link));
	LIST_EACH (link, &log->patterns)
		free_pattern(LIST_OF(link, struct pattern, link));
	lock_fini(&log->lock);
	free(log);
}

/* ---- receipts ---- */

static void copy_text(char *to, size_t room, struct slice text)
{
	snprintf(to, room, "%.*s", (int)min_size(text.len, room - 1), text.len ? text.at : "");
}

static void keep_receipt(struct purge_log *log, const struct purge *p, bool is_audited)
{
	const struct order *o = p->order;
	struct receipt *r = &log->receipts[p->seq % PURGE_RECEIPTS];
	lock_take(&log->lock);
	*r = (struct receipt){
		.seq = p->seq,
		.number = p->number,
		.at = p->at,
		.disk_us = p->disk_us,
		.mode = o->mode,
		.scopes = o->scope_count,
		.has_pattern = order_has_pattern(o),
		.wants_refresh = o->origin_rps > 0,
		.has_audit = log->audit != NULL,
		.is_audited = is_audited,
	};
	copy_text(r->actor, sizeof(r->actor), p->actor);
	copy_text(r->reason, sizeof(r->reason), o->reason);
	copy_text(r->deploy_id, sizeof(r->deploy_id), o->deploy_id);
	log->last = max_u64(log->last, p->seq);
	meter_set(&log->meters.last_seq, log->last);
	lock_drop(&log->lock);
}

struct surveyor *purge_surveyor(const struct purge_log *log)
{
	return log->surveyor;
}

void purge_log_set_refresh(struct purge_log *log, purge_refresh_f *refresh, void *arg)
{
	log->refresh = refresh;
	log->refresh_arg = arg;
}

void purge_refreshed(
    struct purge_log *log, uint64_t seq, uint64_t queued, uint64_t refreshed, uint64_t failed)
{
	struct receipt *r = &log->receipts[seq % PURGE_RECEIPTS];
	lock_take(&log->lock);
	if (r->seq == seq) {
		r->is_queued = true;
		r->queued = queued;
		r->refreshed = refreshed;
		r->failed = failed;
	}
	lock_drop(&log->lock);
}

bool purge_receipt(struct purge_log *log, uint64_t seq, struct receipt *ret_receipt)
{
	lock_take(&log->lock);
	*ret_receipt = log->receipts[seq % PURGE_RECEIPTS];
	lock_drop(&log->lock);
	return seq > 0 && ret_receipt->seq == seq;
}

uint64_t purge_last(const struct purge_log *log)
{
	uint64_t on_disk = log->cache->cold ? cold_last_seq(log->cache->cold) : 0;
	return max_u64(on_disk, meter_read(&log->meters.last_seq));
}

uint64_t purge_number(struct purge_log *log, uint64_t seq)
{
	uint64_t number = 0, nearest = UINT64_MAX;
	lock_take(&log->lock);
	/* Numbers ascend as sequence numbers do: the next one that is known will do, if not the same. */
	for (size_t i = 0; i < PURGE_RECEIPTS && nearest != seq; i++) {
		const struct receipt *r = &log->receipts[(seq + i) % PURGE_RECEIPTS];
		if (r->seq >= seq && r->seq < nearest) {
			nearest = r->seq;
			number = r->number;
		}
	}
	lock_drop(&log->lock);
	return number ? number : fence_now(log->cache->fence);
}

/* ---- the log as it is on disk ---- */

static bool show_entry(void *arg, uint64_t seq, UNUSED uint64_t number, struct slice text)
{
	struct purge_listing *l = arg;
	if (l->shown == l->limit || l->text.len > LISTING_BYTES)
		return false;
	/* The text's own brace is opened here. */
	buf_addf(&l->text, "%s\n{\"seq\":%" PRIu64 ",", l->shown ? "," : "", seq);
	buf_add(&l->text, slice_from(text, 1));
	l->shown++;
	l->next = seq + 1;
	return true;
}

/* Without a store there is no log but the latest receipts, and they have no order's words. */
static void list_receipts(struct purge_log *log, struct purge_listing *l)
{
	lock_take(&log->lock);
	uint64_t oldest = log->last > PURGE_RECEIPTS ? log->last - PURGE_RECEIPTS + 1 : 1;
	for (uint64_t seq = max_u64(l->next, oldest); seq <= log->last; seq++) {
		const struct receipt *r = &log->receipts[seq % PURGE_RECEIPTS];
		struct buf text;
		buf_init(&text, TEXT_BYTES);
		receipt_write_entry(r, &text);
		bool goes_on = r->seq != seq || show_entry(l, seq, r->number, buf_slice(&text));
		buf_fini(&text);
		if (!goes_on)
			break;
	}
	lock_drop(&log->lock);
}

static void work_list(struct job *job)
{
	role_worker();
	struct purge_listing *l = CONTAINER_OF(job, struct purge_listing, job);
	struct cold *cold = l->log->cache->cold;
	if (cold)
		l->err = cold_read_log(cold, l->next, show_entry, l);
	else
		list_receipts(l->log, l);
	mail_post(l->home, &l->mail);
}

static void on_listed(struct mail *m)
{
	struct purge_listing *l = CONTAINER_OF(m, struct purge_listing, mail);
	l->done(l);
}

bool purge_list(struct purge_log *log, struct purge_listing *l)
{
	l->log = log;
	l->job = (struct job){ .work = work_list };
	mail_init(&l->mail, on_listed);
	return crew_post(log->crew, &l->job);
}

/* ---- patterns ---- */

static void begin_tally(
    struct purge_log *, struct order *, uint64_t seq, uint64_t number, struct pattern *);

static bool matches(const void *what, const struct object *o)
{
	return order_matches(what, o);
}

/* own: free_pattern. Counted in with the lock held. fail: NULL. */
static struct pattern *keep_pattern(struct purge_log *log, struct order *order)
{
	struct pattern *p = malloc(sizeof(*p));
	if (!p)
		return NULL;
	*p = (struct pattern){ .order = order_ref(order) };
	p->in_force = (struct fence_pattern){ { order->mode, wall_now() }, matches, order, 0 };
	lock_take(&log->lock);
	list_append(&log->patterns, &p->link);
	lock_drop(&log->lock);
	meter_add_shared(&log->meters.patterns, 1);
	return p;
}

/* By its order, or by its number. */
static struct pattern *find_pattern(
    struct purge_log *log, const struct order *order, uint64_t number)
{
	struct pattern *found = NULL;
	lock_take(&log->lock);
	LIST_EACH (link, &log->patterns) {
		struct pattern *p = LIST_OF(link, struct pattern, link);
		if (p->order == order || p->in_force.number == number)
			found = p;
	}
	lock_drop(&log->lock);
	return found;
}

static void drop_pattern(struct purge_log *log, struct pattern *p)
{
	lock_take(&log->lock);
	free_pattern(p);
	lock_drop(&log->lock);
	meter_sub_shared(&log->meters.patterns, 1);
}

static struct slice same_key(UNUSED void *arg, struct slice url, struct arena *arena)
{
	return arena_copy(arena, url);
}

void purge_pattern(void *arg, struct cache *cache, uint64_t number, struct slice text)
{
	struct purge_log *log = arg;
	struct order *order = NULL;
	struct order_problem problem;
	struct pattern *p = NULL;
	if (find_pattern(log, NULL, number))
		return; /* a store that is opened again */
	text = slice_from(text, slice_find_slice(text, SL(ORDER_MEMBER)) + strlen(ORDER_MEMBER));
	text.len -= text.len > 0;
	if (order_read(text, &order, &problem) == ERR_NONE &&
	    order_prepare(order, same_key, NULL, &problem) == ERR_NONE)
		p = keep_pattern(log, order);
	if (p)
		p->in_force.number = number;
	/* What cannot be asked is in force for all that is older. */
	if (p && fence_readd(cache->fence, &p->in_force)) {
		begin_tally(log, order, 0, number, p);
	} else {
		log_warn(
		    "purge: a pattern of before cannot be used: all that is older is validated");
		fence_put(cache->fence, scope_all(),
		    (struct purge_act){ PURGE_INVALID, wall_now() }, number);
	}
	order_unref(&order);
}

/* ---- what is found out behind a purge ---- */

static void write_down(struct receipt *r, const struct tally *t)
{
	const struct survey *v = &t->survey;
	r->is_counted = true;
	r->is_partial = v->err != ERR_NONE;
	r->objects = v->objects;
	r->variants = v->variants;
	r->bytes = v->bytes;
	r->sample_count = v->sample_count;
	memcpy(r->samples, v->samples, sizeof(r->samples));
}

static void begin_survey(struct tally *t);

static void on_again(struct deadline *d)
{
	begin_survey(CONTAINER_OF(d, struct tally, again));
}

/* What was found: into the receipt, and on to those who refresh. */
static void report(struct tally *t)
{
	struct purge_log *log = t->log;
	struct receipt *r = &log->receipts[t->seq % PURGE_RECEIPTS];
	lock_take(&log->lock);
	bool is_known = t->seq > 0 && r->seq == t->seq;
	if (is_known)
		write_down(r, t);
	if (is_known && !t->survey.err)
		r->is_swept = t->pattern != NULL;
	lock_drop(&log->lock);
	if (t->order->origin_rps && log->refresh && !t->is_passed_on)
		log->refresh(log->refresh_arg, t->seq, t->order->origin_rps, t->survey.items,
		    t->survey.item_count);
	t->is_passed_on = true;
}

static void on_surveyed(struct survey *v)
{
	role_loop();
	struct tally *t = CONTAINER_OF(v, struct tally, survey);
	struct purge_log *log = t->log;
	if (v->err == ERR_CANCELLED)
		return; /* it ends; purge_log_free takes the rest */
	report(t);
	if (t->pattern && v->err) {
		deadline_set(log->control, &t->again, RETRY_MS);
		return;
	}
	if (t->pattern) {
		cache_retire(log->cache, t->pattern->in_force.number);
		drop_pattern(log, t->pattern);
	}
	lock_take(&log->lock);
	free_tally(t);
	lock_drop(&log->lock);
}

static void skip(struct tally *t)
{
	struct purge_log *log = t->log;
	struct receipt *r = &log->receipts[t->seq % PURGE_RECEIPTS];
	lock_take(&log->lock);
	r->is_skipped |= r->seq == t->seq;
	free_tally(t);
	lock_drop(&log->lock);
}

static void begin_survey(struct tally *t)
{
	uint64_t before = t->survey.before;
	t->survey = (struct survey){
		.order = t->order,
		.before = before,
		.hottest = t->order->origin_rps ? SURVEY_HOTTEST : 0,
		.sweeps = t->pattern != NULL,
		.at = t->pattern ? t->pattern->in_force.act.at : WALL_NEVER,
		.is_urgent = t->order->wait || t->order->origin_rps,
		.home = t->log->control,
		.done = on_surveyed,
	};
	if (!survey_begin(t->log->surveyor, &t->survey))
		skip(t);
}

/* Without memory nothing is counted; a pattern stays then, until the next life sweeps it. */
static void begin_tally(struct purge_log *log, struct order *order, uint64_t seq, uint64_t number,
    struct pattern *pattern)
{
	struct tally *t = calloc(1, sizeof(*t));
	if (!t)
		return;
	t->log = log;
	t->seq = seq;
	t->order = order_ref(order);
	t->pattern = pattern;
	t->survey.before = number;
	deadline_init(&t->again, on_again);
	lock_take(&log->lock);
	list_append(&log->tallies, &t->link);
	lock_drop(&log->lock);
	if (log->surveyor)
		begin_survey(t);
}

/* Those of former lives, too: they wait for this. */
enum err purge_log_start(struct purge_log *log)
{
	struct surveyor *surveyor = surveyor_new(log->cache);
	if (!surveyor)
		return ERR_SYSTEM;
	lock_take(&log->lock);
	log->surveyor = surveyor;
	lock_drop(&log->lock);
	LIST_EACH (link, &log->tallies)
		begin_survey(LIST_OF(link, struct tally, link));
	return ERR_NONE;
}

/* ---- purges ---- */

static void on_done(struct mail *m)
{
	struct purge *p = CONTAINER_OF(m, struct purge, mail);
	p->done(p);
}

/* What is found out behind it, whether it is on disk or not: it is in force. */
static void go_on(struct purge *p)
{
	begin_tally(p->log, p->order, p->seq, p->number, find_pattern(p->log, p->order, 0));
}

static void finish(struct purge *p)
{
	mail_post(p->home, &p->mail);
}

static void count(struct purge_log *log, const struct purge *p)
{
	const struct order *o = p->order;
	meter_add_shared(o->mode == PURGE_HARD ? &log->meters.hard : &log->meters.soft, 1);
	meter_add_shared(&log->meters.scopes, o->scope_count);
	if (p->err)
		meter_add_shared(&log->meters.not_durable, 1);
}

/* Its line of the audit log: what came of it, who, what and why. */
static enum err audit(struct purge_log *log, const struct purge *p) ON_WORKER
{
	struct buf line;
	buf_init(&line, AUDIT_LINE_BYTES);
	buf_add(&line, SL("\"who\":"));
	buf_add_json(&line, p->actor);
	buf_addf(&line, ",\"seq\":%" PRIu64 ",\"durable\":%s,\"scopes\":%zu,\"order\":{", p->seq,
	    p->err ? "false" : "true", p->order->scope_count);
	order_write(p->order, &line);
	buf_add_char(&line, '}');
	enum err err = line.overflow ? ERR_NO_MEMORY : audit_append(log->audit, buf_slice(&line));
	buf_fini(&line);
	return err;
}

/* The purge is in force whether the line could be written or not: the receipt tells. */
static void work_audit(struct job *job)
{
	role_worker();
	struct purge *p = CONTAINER_OF(job, struct purge, job);
	bool is_audited = audit(p->log, p) == ERR_NONE;
	if (!p->err)
		keep_receipt(p->log, p, is_audited);
	go_on(p);
	finish(p);
}

/* thread: the journal's, or the one that submits */
static void on_told(void *arg, enum err err, uint64_t number, uint64_t seq)
{
	struct purge *p = arg;
	p->err = err;
	p->number = number;
	p->seq = seq;
	p->disk_us = mono_now().us - p->began.us;
	count(p->log, p);
	if (p->log->audit) {
		crew_push(p->log->auditors, &p->job);
		return;
	}
	if (!err)
		keep_receipt(p->log, p, false);
	go_on(p);
	finish(p);
}

/* The entry's text: who gave the order and when, and last the order. */
static void write_entry(struct buf *to, const struct purge *p)
{
	char at[WALL_TEXT] = "";
	wall_write(p->at, at);
	buf_addf(to, "{\"at\":\"%s\",\"actor\":", at);
	buf_add_json(to, p->actor);
	buf_add(to, SL(ORDER_MEMBER "{"));
	order_write(p->order, to);
	buf_add(to, SL("}}"));
}

static enum err put_in_force(struct purge_log *log, struct purge *p, struct slice text)
{
	struct order *o = p->order;
	struct pattern *kept = order_has_pattern(o) ? keep_pattern(log, o) : NULL;
	if (order_has_pattern(o) && !kept)
		return ERR_NO_MEMORY;
	struct cache_purge purge = {
		.scopes = o->scopes,
		.scope_count = o->scope_count,
		.act = { o->mode, p->at },
		.text = text,
		.pattern = kept ? &kept->in_force : NULL,
		.told = on_told,
		.arg = p,
	};
	uint64_t number;
	enum err err = cache_purge(log->cache, &purge, &number);
	if (kept && err)
		drop_pattern(log, kept);
	return err;
}

void purge_submit(struct purge_log *log, struct purge *p)
{
	struct buf text;
	p->log = log;
	p->began = mono_now();
	p->at = wall_now();
	mail_init(&p->mail, on_done);
	p->job.work = work_audit;
	buf_init(&text, TEXT_BYTES);
	write_entry(&text, p);
	enum err err = text.overflow ? ERR_NO_MEMORY : put_in_force(log, p, buf_slice(&text));
	buf_fini(&text);
	if (!err)
		return;
	p->err = err;
	meter_add_shared(&log->meters.refused, 1);
	finish(p);
}
