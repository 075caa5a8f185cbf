/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/purge.h"

#include "edge/admin/errand.h"
#include "edge/admin/hold.h"
#include "edge/admin/intake.h"
#include "edge/admin/object.h"
#include "edge/admin/query.h"
#include "purge/log.h"
#include "purge/repeat.h"

enum { LOOK_MS = 50, WAIT_MS = 10 * 60 * 1000 };
enum { LIST_DEFAULT = 100, LIST_MAX = 10000, LISTING_BYTES = 8 * 1024 * 1024 };

/* An order on its way through admin. */
struct asking {
	struct errand errand;
	struct intake intake;
	struct order *order;
	struct purge purge;
	struct slice actor;
	struct hold hold;     /* wait_origin */
	struct slice key;     /* Idempotency-Key; empty = none */
	uint64_t ticket;      /* of the key, while it is ours to end; 0 = none */
	struct survey survey; /* before it is purged: dry_run, max_objects, fail_if_empty */
	struct deadline look; /* at the receipt, until it is final */
	struct mono waits_since;
	bool is_surveyed;
	bool is_submitted; /* somebody answers, whether the client is there or not */
	bool is_over;      /* only a letter is waited for */
};

/* ---- ends ---- */

static void drop_asking(struct errand *e)
{
	struct asking *a = CONTAINER_OF(e, struct asking, errand);
	role_loop();
	hold_end(&a->hold);
	deadline_clear(&a->look);
	survey_fini(&a->survey);
	order_unref(&a->order);
	buf_fini(&a->intake.text);
}

/* What was given under that key was done, or with seq 0 was not. */
static void end_key(struct asking *a, uint64_t seq) ON_LOOP
{
	if (a->ticket)
		repeat_end(a->errand.admin->repeats, a->ticket, seq);
	a->ticket = 0;
}

static void end(struct asking *a) ON_LOOP
{
	end_key(a, 0);
	hold_end(&a->hold);
	a->is_over = true;
	if (intake_stop(&a->intake))
		errand_end(&a->errand);
}

/* It ends here, with an answer for who is still there; NULL = nobody is. */
static struct reply *take_reply(struct asking *a) ON_LOOP
{
	struct reply *r = a->errand.reply;
	if (r)
		r->waits = NULL;
	a->errand.reply = NULL;
	end(a);
	return r;
}

/* The client has gone. What is in force stays so; what is not yet is dropped. */
static void on_left(struct errand *e)
{
	role_loop();
	struct asking *a = CONTAINER_OF(e, struct asking, errand);
	deadline_clear(&a->look);
	if (a->is_surveyed)
		survey_cancel(&a->survey);
	if (!a->is_submitted && !a->is_over)
		end(a);
}

static void refuse(struct asking *a, uint16_t status, struct slice why) ON_LOOP
{
	struct reply *r = take_reply(a);
	if (r)
		reply_problem(r, status, why);
}

static void refuse_field(struct asking *a, const struct order_problem *problem) ON_LOOP
{
	struct reply *r = take_reply(a);
	if (r)
		reply_field_problem(r, 422, slice_str(problem->field), slice_str(problem->why));
}

/* ---- steps ---- */

static void answer_receipt(struct reply *r, const struct receipt *receipt) ON_LOOP
{
	receipt_write(receipt, &r->text);
	buf_add(&r->text, SL("\n"));
	reply_send(r, 200, REPLY_JSON);
}

static void answer(struct asking *a) ON_LOOP
{
	struct receipt receipt;
	bool is_known = purge_receipt(a->errand.admin->options.purges, a->purge.seq, &receipt);
	struct reply *r = take_reply(a);
	if (r && is_known)
		answer_receipt(r, &receipt);
	else if (r)
		reply_problem(r, 500, SL("its receipt is gone already"));
}

/* In force, but not on disk: a program is told by a member of its own. */
static void refuse_undurable(struct asking *a) ON_LOOP
{
	struct reply *r = take_reply(a);
	if (r)
		reply_problem_members(r, 503,
		    SL("in force here, but the disk could not be written: until it can, a restart "
		       "would undo it; send it again"),
		    SL(",\"in_force\":true,\"durable\":false"));
}

/* It is answered when all is known that will be, or it takes too long. */
static void look(struct asking *a) ON_LOOP
{
	struct receipt receipt;
	bool is_known = purge_receipt(a->errand.admin->options.purges, a->purge.seq, &receipt);
	bool is_late = mono_ms_since(a->waits_since, mono_now()) > WAIT_MS;
	if (is_known && !receipt_is_final(&receipt) && !is_late)
		deadline_set(a->errand.admin->front.home, &a->look, LOOK_MS);
	else
		answer(a);
}

static void on_look(struct deadline *d)
{
	role_loop();
	look(CONTAINER_OF(d, struct asking, look));
}

static void on_purged(struct purge *p)
{
	role_loop();
	struct asking *a = CONTAINER_OF(p, struct asking, purge);
	a->is_submitted = false;
	end_key(a, p->err ? 0 : p->seq);
	a->waits_since = mono_now();
	if (!p->err && a->order->wait && a->errand.reply)
		look(a);
	else if (!p->err)
		answer(a);
	else if (p->err == ERR_BUSY)
		refuse(a, 503,
		    SL("too many expressions and regular expressions are being swept: nothing was "
		       "done, try again in a minute"));
	else if (p->err == ERR_NO_MEMORY)
		refuse(a, 503, SL("out of memory: nothing was done"));
	else
		refuse_undurable(a);
}

static void submit(struct asking *a) ON_LOOP
{
	a->purge = (struct purge){
		.order = a->order,
		.actor = a->actor,
		.home = a->errand.admin->front.home,
		.done = on_purged,
	};
	a->is_submitted = true;
	purge_submit(a->errand.admin->options.purges, &a->purge);
}

/* ---- before ---- */

static void answer_preview(struct asking *a) ON_LOOP
{
	struct reply *r = a->errand.reply;
	if (r)
		preview_write(a->order, &a->survey, &r->text);
	take_reply(a);
	if (r)
		reply_send(r, 200, REPLY_JSON);
}

static void refuse_many(struct asking *a) ON_LOOP
{
	/* In the reply's own arena: the errand's goes before it. */
	struct slice why = arena_printf(&a->errand.reply->stream->arena,
	    "%" PRIu64 " objects match, more than max_objects: nothing was purged; send it with "
	    "\"confirm\": true",
	    a->survey.objects);
	refuse(a, 409, why);
}

static void on_surveyed(struct survey *v)
{
	role_loop();
	struct asking *a = CONTAINER_OF(v, struct asking, survey);
	const struct order *o = a->order;
	a->is_submitted = a->is_surveyed = false;
	if (v->err)
		refuse(a, 503, SL("what is stored could not be counted: nothing was purged"));
	else if (!a->errand.reply)
		end(a);
	else if (o->dry_run)
		answer_preview(a);
	else if (o->fail_if_empty && v->objects == 0)
		refuse(a, 412, SL("nothing matches: nothing was purged"));
	else if (v->objects > o->max_objects && !o->confirm)
		refuse_many(a);
	else
		submit(a);
}

static void preview(struct asking *a) ON_LOOP
{
	a->survey = (struct survey){
		.order = a->order,
		.before = UINT64_MAX,
		.home = a->errand.admin->front.home,
		.done = on_surveyed,
	};
	a->is_submitted = a->is_surveyed = true;
	if (survey_begin(purge_surveyor(a->errand.admin->options.purges), &a->survey))
		return;
	a->is_submitted = a->is_surveyed = false;
	refuse(a, 503, SL("too many are being counted at a time: nothing was purged"));
}

/* What has to be known of what it is for, before it is done. */
static void guard(struct asking *a) ON_LOOP
{
	const struct order *o = a->order;
	if (o->dry_run || o->fail_if_empty || o->max_objects != UINT64_MAX)
		preview(a);
	else
		submit(a);
}

/* Nothing was purged: what each address shows tells why. */
static void refuse_held(struct asking *a, const struct probe_result *result) ON_LOOP
{
	struct buf lines;
	buf_init(&lines, LISTING_BYTES);
	for (unsigned i = 0; i < result->line_count; i++)
		buf_addf(&lines, "%.*s\n", SLICE_ARG(result->lines[i]));
	struct reply *r = take_reply(a);
	if (r)
		reply_errors(r, 504,
		    SL("not every address of the origin shows it in time: nothing was purged"),
		    buf_slice(&lines));
	buf_fini(&lines);
}

static void on_held(struct hold *h, const struct probe_result *result)
{
	role_loop();
	struct asking *a = CONTAINER_OF(h, struct asking, hold);
	if (result->is_ok) {
		hold_end(h);
		guard(a);
	} else {
		refuse_held(a, result);
	}
}

static void hold(struct asking *a) ON_LOOP
{
	if (!a->order->gate.url.len || a->order->dry_run) {
		guard(a);
		return;
	}
	enum err err = hold_begin(&a->hold, a->errand.admin, &a->order->gate, on_held);
	if (err == ERR_BAD_TARGET || err == ERR_NO_ORIGIN || err == ERR_BAD_REQUEST)
		refuse_field(a,
		    &(struct order_problem){ "wait_origin",
			"is of no URL that is served here, or its json is no path such as $.version" });
	else if (err)
		refuse(a, err_status(err), slice_str(err_text(err)));
}

static struct slice key_text(void *arg, struct slice url, struct arena *arena)
{
	struct key key;
	role_loop();
	return object_key(arg, url, arena, &key) ? key.text : SLICE_NONE;
}

/* Whether who asks may do as much as the order says; else he was told. */
static bool may_do(struct asking *a) ON_LOOP
{
	struct reply *r = a->errand.reply;
	struct admin *admin = a->errand.admin;
	if (!r || !order_is_wide(a->order) || (r->actor.scopes & GRANT_PURGE_ALL))
		return true;
	return actor_may(admin, take_reply(a), GRANT_PURGE_ALL);
}

static bool is_key_short(struct asking *a) ON_LOOP
{
	struct order_problem problem = { .field = "Idempotency-Key" };
	if (a->key.len <= REPEAT_KEY_BYTES)
		return true;
	snprintf(problem.why, sizeof(problem.why), "has more than %d bytes", REPEAT_KEY_BYTES);
	refuse_field(a, &problem);
	return false;
}

/* Whether an order of that key is to be done now; else it was answered. */
static bool is_first(struct asking *a) ON_LOOP
{
	uint64_t number = 0;
	struct receipt receipt;
	struct admin *admin = a->errand.admin;
	const struct repeat_order sent = { a->actor, a->key, buf_slice(&a->intake.text) };
	if (!a->key.len)
		return true;
	switch (repeat_begin(admin->repeats, &sent, &number)) {
	case REPEAT_NEW: a->ticket = number; return true;
	case REPEAT_SAME:
		a->purge.seq = number;
		if (purge_receipt(admin->options.purges, number, &receipt))
			answer(a);
		else
			refuse(a, 409, SL("this was done under that key; its receipt is gone"));
		return false;
	case REPEAT_BUSY: refuse(a, 409, SL("this is being done under that key")); return false;
	case REPEAT_OTHER: break;
	}
	refuse(a, 409, SL("another order was given under that Idempotency-Key"));
	return false;
}

static void on_body(struct intake *in, enum err err)
{
	role_loop();
	struct asking *a = CONTAINER_OF(in, struct asking, intake);
	struct order_problem problem = { 0 };
	if (a->is_over) {
		errand_end(&a->errand);
		return;
	}
	if (!err)
		err = order_read(buf_slice(&in->text), &a->order, &problem);
	if (!err)
		err = order_prepare(a->order, key_text, a->errand.admin, &problem);
	if (err == ERR_BAD_ORDER || err == ERR_BAD_PATTERN)
		refuse_field(a, &problem);
	else if (err)
		refuse(a, err_status(err), slice_str(err_text(err)));
	else if (may_do(a) && is_key_short(a) && is_first(a))
		hold(a);
}

void purge_order(struct admin *admin, struct reply *r)
{
	struct asking *a = errand_new(admin, r, sizeof(*a), drop_asking);
	if (!a)
		return;
	a->errand.left = on_left;
	deadline_init(&a->look, on_look);
	a->actor = arena_copy(&a->errand.arena, r->actor.name);
	const struct field *key = fields_find_name(
	    &r->stream->request.fields, SL("Idempotency-Key"));
	if (key)
		a->key = arena_copy(&a->errand.arena, key->value);
	intake_start(&a->intake, r->stream, on_body);
}

/* ---- one receipt ---- */

static bool read_seq(const struct reply *r, uint64_t *ret_seq)
{
	struct slice path = r->stream->request.path;
	return slice_to_u64(slice_from(path, strlen("/v1/purge/")), ret_seq);
}

struct listing {
	struct errand errand;
	struct purge_listing list;
	uint64_t only; /* one entry, by its number; 0 = all */
};

static void drop_listing(struct errand *e)
{
	buf_fini(&CONTAINER_OF(e, struct listing, errand)->list.text);
}

static void write_listing(struct reply *r, const struct listing *l, uint64_t last)
{
	if (!l->only)
		buf_add(&r->text, SL("{\"purges\":["));
	buf_add(&r->text, buf_slice(&l->list.text));
	if (!l->only)
		buf_addf(
		    &r->text, "],\"next\":%" PRIu64 ",\"last\":%" PRIu64 "}", l->list.next, last);
	buf_add(&r->text, SL("\n"));
}

static void on_listed(struct purge_listing *list)
{
	role_loop();
	struct listing *l = CONTAINER_OF(list, struct listing, list);
	struct reply *r = l->errand.reply;
	bool is_missing = l->only && list->next != l->only + 1;
	if (r && !list->err && !is_missing)
		write_listing(r, l, purge_last(l->errand.admin->options.purges));
	enum err err = list->err;
	errand_end(&l->errand);
	if (r && err)
		reply_problem(r, 503, SL("the log cannot be read: the store is not well"));
	else if (r && is_missing)
		reply_problem(r, 404, SL("no purge has this number"));
	else if (r)
		reply_send(r, 200, REPLY_JSON);
}

static void begin_listing(
    struct admin *admin, struct reply *r, uint64_t from, uint64_t limit, uint64_t only) ON_LOOP
{
	struct listing *l = errand_new(admin, r, sizeof(*l), drop_listing);
	if (!l)
		return;
	l->only = only;
	l->list.next = from;
	l->list.limit = limit;
	l->list.home = r->stream->home;
	l->list.done = on_listed;
	buf_init(&l->list.text, LISTING_BYTES);
	if (purge_list(admin->options.purges, &l->list))
		return;
	errand_end(&l->errand);
	reply_problem(r, 503, SL("too many ask at once"));
}

void purge_show(struct admin *admin, struct reply *r)
{
	struct receipt receipt;
	uint64_t seq = 0;
	if (!read_seq(r, &seq) || seq == 0)
		reply_problem(r, 404, SL("a purge's number is wanted, as in /v1/purge/17"));
	else if (purge_receipt(admin->options.purges, seq, &receipt))
		answer_receipt(r, &receipt);
	else
		begin_listing(admin, r, seq, 1, seq);
}

void purge_listed(struct admin *admin, struct reply *r)
{
	struct slice query = r->stream->request.query;
	struct arena *arena = &r->stream->arena;
	struct slice after = query_value(query, SL("since"), arena);
	uint64_t since = 0;
	uint64_t limit = query_number(query, SL("limit"), LIST_MAX, 0);
	if (after.at && (!slice_to_u64(after, &since) || since == UINT64_MAX))
		reply_problem(r, 400, SL("since= must be the number of a purge, or 0"));
	else if (!limit && query_value(query, SL("limit"), arena).at)
		reply_problem(r, 400, SL("limit= must be a number from 1 to 10000"));
	else
		begin_listing(admin, r, since + 1, limit ? limit : LIST_DEFAULT, 0);
}
