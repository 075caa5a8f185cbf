/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/log.h"

#include "edge/base/log.h"

enum { TEXT_BYTES = 2 * ORDER_JSON_BYTES, JOBS = 4096, LISTING_BYTES = 4 * 1024 * 1024 };

/* A pattern in force. What objects are asked by is its order's. */
struct pattern {
	struct list link;
	uint64_t number;
	struct order *order; /* counted */
};

struct purge_log {
	/* fixed */
	struct cache *cache;
	struct loop *control;
	struct crew *crew;
	/* atomic */
	struct purge_meters meters;
	/* under lock */
	struct lock lock;
	struct receipt receipts[PURGE_RECEIPTS]; /* by seq; 0 = empty */
	uint64_t last;
	struct list patterns;
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

void purge_log_stop(struct purge_log *log)
{
	crew_free(&log->crew);
}

void purge_log_free(struct purge_log **l)
{
	struct purge_log *log = *l;
	*l = NULL;
	if (!log)
		return;
	crew_free(&log->crew);
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

static void keep_receipt(struct purge_log *log, const struct purge *p)
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
	};
	copy_text(r->actor, sizeof(r->actor), p->actor);
	copy_text(r->reason, sizeof(r->reason), o->reason);
	copy_text(r->deploy_id, sizeof(r->deploy_id), o->deploy_id);
	log->last = max_u64(log->last, p->seq);
	meter_set(&log->meters.last_seq, log->last);
	lock_drop(&log->lock);
}

bool purge_receipt(struct purge_log *log, uint64_t seq, struct receipt *ret_receipt)
{
	lock_take(&log->lock);
	*ret_receipt = log->receipts[seq % PURGE_RECEIPTS];
	lock_drop(&log->lock);
	return seq > 0 && ret_receipt->seq == seq;
}

void purge_note_refresh(struct purge_log *log, uint64_t seq, uint64_t queued, uint64_t refreshed,
    uint64_t failed, bool is_over)
{
	struct receipt *r = &log->receipts[seq % PURGE_RECEIPTS];
	lock_take(&log->lock);
	if (r->seq == seq) {
		r->queued = queued;
		r->refreshed = refreshed;
		r->failed = failed;
		r->is_refreshed = is_over;
	}
	lock_drop(&log->lock);
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

/* ---- receipts as text ---- */

static void write_text(struct buf *to, const char *name, const char *text)
{
	if (!*text)
		return;
	buf_addf(to, ",\"%s\":", name);
	buf_add_json(to, slice_str(text));
}

static void write_matched(struct buf *to, const struct receipt *r)
{
	buf_addf(to, ",\"matched\":{\"state\":\"%s\"", r->is_counted ? "done" : "counting");
	if (r->is_counted)
		buf_addf(to, ",\"objects\":%" PRIu64 ",\"variants\":%" PRIu64 ",\"bytes\":%" PRIu64,
		    r->objects, r->variants, r->bytes);
	buf_add(to, SL(",\"sample\":["));
	for (unsigned i = 0; i < r->sample_count; i++) {
		buf_add(to, i ? SL(",") : SLICE_NONE);
		buf_add_json(to, slice_str(r->samples[i]));
	}
	buf_add(to, SL("]}"));
}

static void write_refresh(struct buf *to, const struct receipt *r)
{
	const char *state = !r->wants_refresh ? "none" : r->is_refreshed ? "done" : "running";
	buf_addf(to,
	    ",\"refresh\":{\"state\":\"%s\",\"queued\":%" PRIu64 ",\"done\":%" PRIu64
	    ",\"failed\":%" PRIu64 "}",
	    state, r->queued, r->refreshed, r->failed);
}

void receipt_write(const struct receipt *r, struct buf *to)
{
	char at[WALL_TEXT] = "";
	wall_write(r->at, at);
	buf_addf(to,
	    "{\"seq\":%" PRIu64
	    ",\"at\":\"%s\",\"mode\":\"%s\",\"scopes\":%zu,\"durable\":true,\"took_ms\":%.3f",
	    r->seq, at, r->mode == PURGE_HARD ? "hard" : "soft", r->scopes,
	    (double)r->disk_us / 1000);
	if (r->has_pattern)
		buf_addf(to, ",\"pattern\":\"%s\"", r->is_swept ? "swept" : "sweeping");
	write_matched(to, r);
	write_refresh(to, r);
	write_text(to, "actor", r->actor);
	write_text(to, "reason", r->reason);
	write_text(to, "deploy_id", r->deploy_id);
	buf_add_char(to, '}');
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

static void work_list(struct job *job)
{
	role_worker();
	struct purge_listing *l = CONTAINER_OF(job, struct purge_listing, job);
	struct cold *cold = l->log->cache->cold;
	l->err = cold ? cold_read_log(cold, l->next, show_entry, l) : ERR_NONE;
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
	lock_take(&log->lock);
	list_append(&log->patterns, &p->link);
	lock_drop(&log->lock);
	meter_add_shared(&log->meters.patterns, 1);
	return p;
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
	struct fence_pattern in_force = { .matches = matches, .number = number };
	text = slice_from(text, slice_find_slice(text, SL(ORDER_MEMBER)) + strlen(ORDER_MEMBER));
	text.len -= text.len > 0;
	if (order_read(text, &order, &problem) == ERR_NONE &&
	    order_prepare(order, same_key, NULL, &problem) == ERR_NONE)
		p = keep_pattern(log, order);
	in_force.what = order;
	in_force.act = (struct purge_act){ order ? order->mode : PURGE_HARD, wall_now() };
	if (p)
		p->number = number;
	/* What cannot be asked is in force for all that is older. */
	if (!p || !fence_readd(cache->fence, &in_force)) {
		log_warn(
		    "purge: a pattern of before cannot be used: all that is older is validated");
		fence_put(cache->fence, scope_all(),
		    (struct purge_act){ PURGE_INVALID, wall_now() }, number);
	}
	order_unref(&order);
}

/* ---- purges ---- */

static void on_done(struct mail *m)
{
	struct purge *p = CONTAINER_OF(m, struct purge, mail);
	p->done(p);
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

/* thread: the journal's, or the one that submits */
static void on_told(void *arg, enum err err, uint64_t number, uint64_t seq)
{
	struct purge *p = arg;
	p->err = err;
	p->number = number;
	p->seq = seq;
	p->disk_us = mono_now().us - p->began.us;
	count(p->log, p);
	if (!err)
		keep_receipt(p->log, p);
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
	struct fence_pattern pattern = { { o->mode, p->at }, matches, o, 0 };
	struct cache_purge purge = {
		.scopes = o->scopes,
		.scope_count = o->scope_count,
		.act = { o->mode, p->at },
		.text = text,
		.pattern = kept ? &pattern : NULL,
		.told = on_told,
		.arg = p,
	};
	uint64_t number;
	enum err err = cache_purge(log->cache, &purge, &number);
	if (kept && err)
		drop_pattern(log, kept);
	else if (kept)
		kept->number = pattern.number;
	return err;
}

void purge_submit(struct purge_log *log, struct purge *p)
{
	struct buf text;
	p->log = log;
	p->began = mono_now();
	p->at = wall_now();
	mail_init(&p->mail, on_done);
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
