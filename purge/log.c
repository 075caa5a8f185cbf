/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/log.h"

#include "edge/base/log.h"
#include "purge/audit.h"
#include "purge/tally.h"

enum { TEXT_BYTES = 2 * ORDER_JSON_BYTES, JOBS = 4096, LISTING_BYTES = 4 * 1024 * 1024 };

struct purge_log {
	/* fixed */
	struct cache *cache;
	struct crew *crew;
	struct audit *audit;   /* NULL = none */
	struct crew *auditors; /* a thread of its own: a purge must not wait for a sweep */
	struct tallies *tallies;
	/* they have their own locks */
	struct receipts receipts;
	struct purge_meters meters;
	/* control loop */
	purge_refresh_f *refresh;
	void *refresh_arg;
};

#define METER_STRUCT struct purge_meters
static const struct meter_desc descs[] = METER_DESCS(PURGE_METERS);
const struct meter_table purge_meter_table = { descs, COUNT_OF(descs) };

const struct purge_meters *purge_meters(const struct purge_log *log)
{
	return &log->meters;
}

/* Of an entry's text: its first member, and its last. */
#define AT_MEMBER "{\"at\":\""
#define ORDER_MEMBER ",\"order\":"

/* ---- life ---- */

static const struct tally_events tally_events;

struct purge_log *purge_log_new(struct cache *cache, struct loop *control)
{
	struct purge_log *log = calloc(1, sizeof(*log));
	if (!log)
		return NULL;
	log->cache = cache;
	receipts_init(&log->receipts);
	log->crew = crew_new("purge", 1, JOBS);
	log->tallies = tallies_new(cache, control, &tally_events, log, &log->meters.patterns);
	if (log->crew && log->tallies)
		return log;
	purge_log_free(&log);
	return NULL;
}

bool purge_log_set_audit(struct purge_log *log, struct audit *audit)
{
	log->audit = audit;
	log->auditors = crew_new("purge-audit", 1, JOBS);
	return log->auditors != NULL;
}

enum err purge_log_start(struct purge_log *log)
{
	return tallies_start(log->tallies);
}

void purge_log_stop(struct purge_log *log)
{
	if (!log)
		return;
	tallies_stop(log->tallies);
	crew_free(&log->crew);
}

void purge_log_free(struct purge_log **l)
{
	struct purge_log *log = *l;
	*l = NULL;
	if (!log)
		return;
	crew_free(&log->crew);
	crew_free(&log->auditors);
	tallies_free(&log->tallies);
	receipts_fini(&log->receipts);
	free(log);
}

/* ---- receipts ---- */

/* As much as there is room for, up to the end of a character. */
static void copy_text(char *to, size_t room, struct slice text)
{
	size_t len = min_size(text.len, room - 1);
	while (len > 0 && len < text.len && ((unsigned char)text.at[len] & 0xc0) == 0x80)
		len--;
	snprintf(to, room, "%.*s", (int)len, len ? text.at : "");
}

static void keep_receipt(struct purge_log *log, const struct purge *p, bool is_audited)
{
	const struct order *o = p->order;
	struct receipt r = {
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
	copy_text(r.actor, sizeof(r.actor), p->actor);
	copy_text(r.reason, sizeof(r.reason), o->reason);
	copy_text(r.deploy_id, sizeof(r.deploy_id), o->deploy_id);
	receipts_put(&log->receipts, &r);
	meter_set(&log->meters.last_seq, log->receipts.last);
}

struct surveyor *purge_surveyor(const struct purge_log *log)
{
	return tallies_surveyor(log->tallies);
}

void purge_log_set_refresh(struct purge_log *log, purge_refresh_f *refresh, void *arg)
{
	log->refresh = refresh;
	log->refresh_arg = arg;
}

void purge_refreshed(
    struct purge_log *log, uint64_t seq, uint64_t queued, uint64_t refreshed, uint64_t failed)
{
	receipts_refreshed(&log->receipts, seq, queued, refreshed, failed);
}

bool purge_receipt(struct purge_log *log, uint64_t seq, struct receipt *ret_receipt)
{
	return receipts_get(&log->receipts, seq, ret_receipt);
}

uint64_t purge_last(const struct purge_log *log)
{
	uint64_t on_disk = log->cache->cold ? cold_last_seq(log->cache->cold) : 0;
	return max_u64(on_disk, log->receipts.last);
}

uint64_t purge_number(struct purge_log *log, uint64_t seq)
{
	uint64_t number = receipts_number(&log->receipts, seq);
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
	uint64_t last = log->receipts.last;
	uint64_t oldest = last > RECEIPTS ? last - RECEIPTS + 1 : 1;
	bool goes_on = true;
	for (uint64_t seq = max_u64(l->next, oldest); seq <= last && goes_on; seq++) {
		struct receipt r;
		struct buf text;
		if (!receipts_get(&log->receipts, seq, &r))
			continue;
		buf_init(&text, TEXT_BYTES);
		receipt_write_entry(&r, &text);
		goes_on = show_entry(l, seq, r.number, buf_slice(&text));
		buf_fini(&text);
	}
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

/* ---- patterns of former lives ---- */

/* What an entry's text says: when, and the order. fail: NULL. own: order_unref. */
static struct order *read_entry(struct slice text, struct wall *ret_at)
{
	struct order *order = NULL;
	struct order_problem problem;
	struct slice at = slice_from(text, strlen(AT_MEMBER));
	if (!slice_starts(text, SL(AT_MEMBER)) || !wall_read(at, ret_at))
		*ret_at = wall_now();
	text = slice_from(text, slice_find_slice(text, SL(ORDER_MEMBER)) + strlen(ORDER_MEMBER));
	text.len -= text.len > 0;
	if (order_read(text, &order, &problem) == ERR_NONE &&
	    order_prepare(order, order_same_key, NULL, &problem) == ERR_NONE)
		return order;
	order_unref(&order);
	return NULL;
}

void purge_pattern(void *arg, struct cache *cache, uint64_t number, struct slice text)
{
	struct purge_log *log = arg;
	struct wall at;
	if (tallies_has(log->tallies, number))
		return; /* a store that is opened again */
	struct order *order = read_entry(text, &at);
	struct fence_pattern *p = NULL;
	if (order)
		p = tallies_keep(log->tallies, order, (struct purge_act){ order->mode, at });
	if (p)
		p->number = number;
	/* What cannot be asked is in force for all that is older. */
	if (p && fence_readd(cache->fence, p)) {
		tallies_begin(log->tallies, order, 0, number);
	} else {
		log_warn(
		    "purge: a pattern of before cannot be used: all that is older is validated");
		fence_put(
		    cache->fence, scope_all(), (struct purge_act){ PURGE_INVALID, at }, number);
	}
	order_unref(&order);
}

/* ---- the audit log ---- */

static enum err append_audit(struct purge_log *log, const struct buf *line) ON_WORKER
{
	return line->overflow ? ERR_NO_MEMORY : audit_append(log->audit, buf_slice(line));
}

/* A purge's line: what came of it, who, what and why. */
static enum err audit_purge(struct purge_log *log, const struct purge *p) ON_WORKER
{
	struct buf line;
	buf_init(&line, AUDIT_LINE_BYTES);
	buf_add(&line, SL("\"who\":"));
	buf_add_json(&line, p->actor);
	buf_addf(&line, ",\"seq\":%" PRIu64 ",\"durable\":%s,\"scopes\":%zu,\"order\":{", p->seq,
	    p->err ? "false" : "true", p->order->scope_count);
	order_write(p->order, &line);
	buf_add_char(&line, '}');
	enum err err = append_audit(log, &line);
	buf_fini(&line);
	return err;
}

/* What it matched, in a line of its own: that is known later. */
struct count_line {
	struct job job;
	struct purge_log *log;
	uint64_t seq, objects, variants, bytes;
	bool is_partial;
};

static void work_count_line(struct job *job)
{
	role_worker();
	struct count_line *c = CONTAINER_OF(job, struct count_line, job);
	struct buf line;
	buf_init(&line, AUDIT_LINE_BYTES);
	buf_addf(&line,
	    "\"seq\":%" PRIu64 ",\"matched\":{\"state\":\"%s\",\"objects\":%" PRIu64
	    ",\"variants\":%" PRIu64 ",\"bytes\":%" PRIu64 "}",
	    c->seq, c->is_partial ? "partial" : "done", c->objects, c->variants, c->bytes);
	(void)append_audit(c->log, &line); /* a failure is counted and logged there */
	buf_fini(&line);
	free(c);
}

static void audit_count(struct purge_log *log, uint64_t seq, const struct survey *v)
{
	struct count_line *c = seq ? malloc(sizeof(*c)) : NULL;
	if (!c)
		return; /* of a former life; or the receipt alone tells */
	*c = (struct count_line){ .log = log,
		.seq = seq,
		.objects = v->objects,
		.variants = v->variants,
		.bytes = v->bytes,
		.is_partial = v->err != ERR_NONE };
	c->job.work = work_count_line;
	crew_push(log->auditors, &c->job);
}

/* ---- what is found out behind a purge ---- */

static void on_counted(void *arg, uint64_t seq, const struct survey *v, bool is_first)
{
	struct purge_log *log = arg;
	receipts_counted(&log->receipts, seq, v);
	if (log->auditors && (is_first || !v->err))
		audit_count(log, seq, v);
	if (is_first && v->order->origin_rps && log->refresh)
		log->refresh(log->refresh_arg, seq, v->order->origin_rps, v->items, v->item_count);
}

static void on_swept(void *arg, uint64_t seq)
{
	receipts_swept(&((struct purge_log *)arg)->receipts, seq);
}

static void on_skipped(void *arg, uint64_t seq)
{
	receipts_skipped(&((struct purge_log *)arg)->receipts, seq);
}

static const struct tally_events tally_events = {
	.counted = on_counted,
	.swept = on_swept,
	.skipped = on_skipped,
};

/* ---- purges ---- */

static void on_done(struct mail *m)
{
	struct purge *p = CONTAINER_OF(m, struct purge, mail);
	p->done(p);
}

/* It is in force, whether it is on disk or not: what is behind it begins. */
static void go_on(struct purge *p)
{
	tallies_begin(p->log->tallies, p->order, p->seq, p->number);
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

/* The purge is in force whether the line could be written or not: the receipt tells. */
static void work_audit(struct job *job)
{
	role_worker();
	struct purge *p = CONTAINER_OF(job, struct purge, job);
	bool is_audited = audit_purge(p->log, p) == ERR_NONE;
	if (!p->err)
		keep_receipt(p->log, p, is_audited);
	go_on(p);
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
}

/* The entry's text: who gave the order and when, and last the order. */
static void write_entry(struct buf *to, const struct purge *p)
{
	char at[WALL_TEXT] = "";
	wall_write(p->at, at);
	buf_addf(to, AT_MEMBER "%s\",\"actor\":", at);
	buf_add_json(to, p->actor);
	buf_add(to, SL(ORDER_MEMBER "{"));
	order_write(p->order, to);
	buf_add(to, SL("}}"));
}

static enum err put_in_force(struct purge_log *log, struct purge *p, struct slice text)
{
	struct order *o = p->order;
	struct purge_act act = { o->mode, p->at };
	struct fence_pattern *kept = NULL;
	if (order_has_pattern(o) && !(kept = tallies_keep(log->tallies, o, act)))
		return ERR_NO_MEMORY;
	struct cache_purge purge = {
		.scopes = o->scopes,
		.scope_count = o->scope_count,
		.act = act,
		.text = text,
		.pattern = kept,
		.told = on_told,
		.arg = p,
	};
	uint64_t number;
	enum err err = cache_purge(log->cache, &purge, &number);
	if (kept && err)
		tallies_drop(log->tallies, o);
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
	mail_post(p->home, &p->mail);
}
