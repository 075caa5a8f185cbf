/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/refreshing.h"

#include "edge/base/log.h"

enum {
	TICK_MS = 50,
	SAVED_MS = 2 * TICK_MS, /* how much of the rate is saved up */
	AHEAD_S = 2,
	AHEAD_MAX = 128, /* on their way, for one purge */
	TOKEN_US = 1000000,
};

/* One refresh, with its list; the texts lie behind the items. */
struct refresh {
	struct list link;
	uint64_t seq, number, rate;
	uint64_t count, done, failed;
	uint64_t next; /* of the items; those before it went out */
	uint64_t under_way;
	uint64_t tokens;     /* in millionths of a request */
	struct mono counted; /* until when tokens were given */
	size_t bytes;
	struct refresh_item items[];
};

/* A letter, in the list of those on their way. */
struct letter {
	struct list link;
	struct refreshing *all;
	struct refresh *of;
	struct refresher refresher;
};

struct refreshing {
	/* fixed */
	struct loop *home;
	struct purge_log *log;
	/* fixed once all were added */
	struct worker **workers;
	unsigned worker_count;
	/* home loop */
	unsigned turn; /* whose worker's it is */
	bool is_stopped;
	size_t bytes; /* of all lists */
	struct list refreshes;
	struct list letters;
	struct ev_timer tick; /* runs only while there is something to do */
};

/* ---- handing out ---- */

static void earn(struct refresh *r, struct mono now)
{
	uint64_t us = (uint64_t)(now.us - r->counted.us);
	uint64_t most = max_u64(r->rate * SAVED_MS * 1000, TOKEN_US);
	r->tokens = min_u64(r->tokens + min_u64(us, TOKEN_US) * r->rate, most);
	r->counted = now;
}

static void on_done(struct refresher *);

static bool send_next(struct refreshing *all, struct refresh *r)
{
	struct letter *letter = calloc(1, sizeof(*letter));
	if (!letter)
		return false;
	letter->all = all;
	letter->of = r;
	letter->refresher.worker = all->workers[all->turn];
	letter->refresher.home = all->home;
	letter->refresher.item = r->items[r->next];
	letter->refresher.number = r->number;
	letter->refresher.done = on_done;
	list_append(&all->letters, &letter->link);
	all->turn = (all->turn + 1) % all->worker_count;
	r->next++;
	r->under_way++;
	r->tokens -= TOKEN_US;
	refresher_send(&letter->refresher);
	return true;
}

static void hand_out(struct refreshing *all, struct refresh *r) ON_LOOP
{
	uint64_t ahead = min_u64(AHEAD_S * r->rate, AHEAD_MAX);
	earn(r, all->home->now);
	while (!all->is_stopped && r->next < r->count && r->under_way < ahead &&
	    r->tokens >= TOKEN_US && send_next(all, r))
		;
}

static void on_tick(UNUSED struct ev_loop *ev, struct ev_timer *tick, UNUSED int happened)
{
	role_loop();
	struct refreshing *all = CONTAINER_OF(tick, struct refreshing, tick);
	LIST_EACH (link, &all->refreshes)
		hand_out(all, LIST_OF(link, struct refresh, link));
}

/* ---- the end ---- */

static void refresh_free(struct refreshing *all, struct refresh *r)
{
	list_drop(&r->link);
	all->bytes -= r->bytes;
	free(r);
}

static void on_done(struct refresher *refresher)
{
	role_loop();
	struct letter *letter = CONTAINER_OF(refresher, struct letter, refresher);
	struct refreshing *all = letter->all;
	struct refresh *r = letter->of;
	bool has_failed = refresher->outcome == REFRESH_FAILED;
	list_drop(&letter->link);
	free(letter);
	r->under_way--;
	*(has_failed ? &r->failed : &r->done) += 1;
	purge_refreshed(all->log, r->seq, r->count, r->done, r->failed);
	if (r->done + r->failed == r->count)
		refresh_free(all, r);
	else
		hand_out(all, r);
	if (list_empty(&all->refreshes))
		ev_timer_stop(all->home->ev, &all->tick);
}

/* ---- the beginning ---- */

static size_t bytes_of(const struct refresh_item *item)
{
	return sizeof(*item) + item->url.len + item->spec.len + item->values.len;
}

/* Moves a text to where there is room. Returns where there is more. */
static char *move(struct slice *text, char *to)
{
	if (text->len)
		memcpy(to, text->at, text->len);
	text->at = to;
	return to + text->len;
}

static struct refresh *refresh_new(const struct refresh_spec *spec, size_t count, size_t bytes)
{
	struct refresh *r = calloc(1, bytes);
	if (!r)
		return NULL;
	r->seq = spec->seq;
	r->number = spec->number;
	r->rate = max_u64(spec->rate, 1);
	r->tokens = TOKEN_US;
	char *to = (char *)&r->items[count];
	for (size_t i = 0; i < count; i++) {
		r->items[i] = spec->items[i];
		to = move(&r->items[i].url, to);
		to = move(&r->items[i].spec, to);
		to = move(&r->items[i].values, to);
	}
	r->bytes = bytes;
	r->count = count;
	return r;
}

size_t refreshing_begin(struct refreshing *all, const struct refresh_spec *spec)
{
	size_t count = 0, bytes = sizeof(struct refresh);
	size_t most = min_size(spec->count, REFRESH_ITEMS), room = REFRESH_BYTES - all->bytes;
	while (count < most && bytes + bytes_of(&spec->items[count]) <= room)
		bytes += bytes_of(&spec->items[count++]);
	bool is_wanted = count && !all->is_stopped;
	struct refresh *r = is_wanted ? refresh_new(spec, count, bytes) : NULL;
	if (!r)
		return 0;
	r->counted = all->home->now;
	all->bytes += bytes;
	if (list_empty(&all->refreshes))
		ev_timer_again(all->home->ev, &all->tick);
	list_append(&all->refreshes, &r->link);
	return count;
}

/* ---- what purges ask for ---- */

static void on_purged(
    void *arg, uint64_t seq, uint64_t origin_rps, const struct survey_item *found, size_t count)
{
	role_loop();
	struct refreshing *all = arg;
	struct refresh_item *items = count ? calloc(count, sizeof(*items)) : NULL;
	for (size_t i = 0; items && i < count; i++) {
		const struct object *o = found[i].object;
		items[i] = (struct refresh_item){ key_url(o->key), o->spec, o->values };
	}
	struct refresh_spec spec = {
		.items = items,
		.count = items ? count : 0,
		.rate = origin_rps,
		.seq = seq,
		.number = purge_number(all->log, seq),
	};
	size_t begun = refreshing_begin(all, &spec);
	free(items);
	if (begun < count)
		log_warn("purge: %" PRIu64 ": %zu of %zu answers are refreshed, there is no memory "
			 "for more at a time",
		    seq, begun, count);
	purge_refreshed(all->log, seq, begun, 0, 0);
}

/* ---- life ---- */

struct refreshing *refreshing_new(struct loop *home, struct purge_log *log, unsigned workers)
{
	struct refreshing *all = calloc(1, sizeof(*all));
	if (!all)
		return NULL;
	list_init(&all->refreshes);
	list_init(&all->letters);
	ev_timer_init(&all->tick, on_tick, 0, TICK_MS / 1000.0);
	all->home = home;
	all->log = log;
	all->workers = calloc(workers, sizeof(struct worker *));
	if (!all->workers) {
		free(all);
		return NULL;
	}
	purge_log_set_refresh(log, on_purged, all);
	return all;
}

void refreshing_add(struct refreshing *all, struct worker *w)
{
	all->workers[all->worker_count++] = w;
}

void refreshing_stop(struct refreshing *all)
{
	all->is_stopped = true;
	ev_timer_stop(all->home->ev, &all->tick);
}

void refreshing_free(struct refreshing **refreshing)
{
	struct refreshing *all = *refreshing;
	*refreshing = NULL;
	if (!all)
		return;
	ev_timer_stop(all->home->ev, &all->tick);
	LIST_EACH (link, &all->letters)
		free(LIST_OF(link, struct letter, link));
	LIST_EACH (link, &all->refreshes)
		refresh_free(all, LIST_OF(link, struct refresh, link));
	free(all->workers);
	free(all);
}
