/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/object.h"

#include "cache/rule/vary.h"
#include "edge/admin/describe.h"
#include "edge/admin/errand.h"
#include "edge/admin/query.h"
#include "edge/http/target.h"

enum { LIST_DEFAULT = 100, TOP_DEFAULT = 20, PART = HOT_PAGE / 2, PARTS = 20, HEX_DIGITS = 32 };

/* ---- what all of them share ---- */

bool object_key(struct admin *admin, struct slice url, struct arena *arena, struct key *ret_key)
{
	const struct request nowhere = { .scheme = SL("http"), .path = SL("/") };
	struct request r;
	bool is_whole = slice_starts_nocase(url, SL("http://")) ||
	    slice_starts_nocase(url, SL("https://"));
	if (!is_whole || !target_resolve(&nowhere, url, arena, &r) || !r.authority.len)
		return false;
	const struct cache_policy *policy = admin->options.policy(
	    admin->options.owner, r.authority, r.path);
	*ret_key = key_make(&r, policy, cache_secret(admin->options.cache), arena);
	return ret_key->text.len > 0;
}

/* Appends one more object of a list, as it is seen in the tiers. */
static void add(struct errand *e, struct sight sight, const char **comma)
{
	struct fence *fence = e->admin->options.cache->fence;
	if (sight.hot)
		sight.is_overtaken = !fence_judge(fence, sight.hot).stands;
	else if (sight.cold)
		sight.is_overtaken = sight.cold->is_purged ||
		    !fence_judge(fence, sight.cold->object).stands;
	buf_addf(&e->reply->text, "%s\n", *comma);
	describe(&e->reply->text, &sight, wall_now());
	*comma = ",";
}

/* Ends the errand and sends what was written. */
static void finish(struct errand *e) ON_LOOP
{
	struct reply *r = e->reply;
	errand_end(e);
	if (r)
		reply_send(r, 200, REPLY_JSON);
}

static void refuse(struct errand *e, uint16_t status, struct slice why) ON_LOOP
{
	struct reply *r = e->reply;
	errand_end(e);
	if (r)
		reply_problem(r, status, why);
}

/* ---- all there is at a URL ---- */

struct show {
	struct errand errand;
	struct key key;
	struct fields fields; /* of the request whose variant is asked for */
	struct catalog found; /* on disk. Its hashes: those that RAM knows of */
	size_t shown;
	const char *comma;
};

static void drop_show(struct errand *e)
{
	catalog_fini(&CONTAINER_OF(e, struct show, errand)->found);
}

/* Whether a variant is the one that was asked for; all are when nothing was said. */
static bool is_wanted(struct show *s, const struct object *o)
{
	if (s->fields.count == 0 || !o->spec.len)
		return true;
	if (o->kind == OBJECT_VARY)
		return false;
	return slice_eq(vary_values(&s->fields, o->spec, &s->errand.arena), o->values);
}

/* What RAM has at a hash, if it is of this URL. own: a ref. */
static struct object *peek(struct show *s, struct hash128 hash)
{
	struct object *o = hot_peek(s->errand.admin->options.cache->hot, hash);
	if (o && !slice_eq(key_url(o->key), s->key.text))
		object_unref(&o);
	return o;
}

static void show_at(struct show *s, struct hash128 hash, const struct catalog_item *cold)
{
	struct object *hot = peek(s, hash);
	const struct object *o = hot ? hot : cold ? cold->object : NULL;
	if (o && is_wanted(s, o) && slice_eq(key_url(o->key), s->key.text)) {
		add(&s->errand, (struct sight){ .hot = hot, .cold = cold, .shows_tags = true },
		    &s->comma);
		s->shown++;
	}
	object_unref(&hot);
}

static bool is_found(const struct show *s, struct hash128 hash)
{
	for (size_t i = 0; i < s->found.count; i++)
		if (hash128_eq(s->found.items[i].object->hash, hash))
			return true;
	return false;
}

static bool is_known(const struct show *s, struct hash128 hash)
{
	for (size_t i = 0; i < s->found.hash_count; i++)
		if (hash128_eq(s->found.hashes[i], hash))
			return true;
	return false;
}

/* What is on disk, then what RAM alone has: of the variants that either tier's marker names. */
static void show_all(struct show *s)
{
	for (size_t i = 0; i < s->found.count; i++)
		show_at(s, s->found.items[i].object->hash, &s->found.items[i]);
	for (size_t i = 0; i < s->found.hash_count; i++)
		if (!is_found(s, s->found.hashes[i]))
			show_at(s, s->found.hashes[i], NULL);
	for (size_t i = 0; i < s->found.count; i++) {
		const struct object *marker = s->found.items[i].object;
		for (uint32_t v = 0; v < marker->variant_count; v++)
			if (!is_found(s, marker->variants[v]) && !is_known(s, marker->variants[v]))
				show_at(s, marker->variants[v], NULL);
	}
}

static void write_show(struct show *s, bool is_whole) ON_LOOP
{
	if (!s->errand.reply) {
		errand_end(&s->errand);
		return;
	}
	struct buf *text = &s->errand.reply->text;
	buf_add(text, SL("{\"url\":"));
	buf_add_json(text, s->key.text);
	buf_add(text, SL(",\"objects\":["));
	show_all(s);
	buf_addf(text, "],\"is_partial\":%s}\n", is_whole ? "false" : "true");
	if (s->shown)
		finish(&s->errand);
	else if (!is_whole)
		refuse(&s->errand, 503, SL("nothing in RAM, and the disk is busy or not well"));
	else
		refuse(&s->errand, 404, SL("nothing is stored for this URL"));
}

static void on_found(struct catalog *found)
{
	role_loop();
	write_show(CONTAINER_OF(found, struct show, found), !found->err);
}

/* The hashes that RAM knows of: the URL's own, and those that its marker names. */
static bool collect_hashes(struct show *s)
{
	struct object *marker = peek(s, s->key.hash);
	size_t variants = marker ? min_size(marker->variant_count, CATALOG_HASHES - 1) : 0;
	s->found.hashes = arena_alloc(&s->errand.arena, (1 + variants) * sizeof(struct hash128));
	for (size_t i = 0; s->found.hashes && i < variants; i++)
		s->found.hashes[1 + i] = marker->variants[i];
	if (s->found.hashes)
		s->found.hashes[0] = s->key.hash;
	s->found.hash_count = s->found.hashes ? 1 + variants : 0;
	object_unref(&marker);
	return s->found.hashes;
}

static bool read_headers(struct show *s, struct slice query)
{
	struct slice name, line;
	while (query_take(&query, &s->errand.arena, &name, &line)) {
		if (!slice_eq(name, SL("header")))
			continue;
		struct slice field = slice_take_until(&line, ':');
		if (!slice_is_token(field) ||
		    !fields_add(
			&s->fields, &s->errand.arena, field_id_of(field), field, slice_trim(line)))
			return false;
	}
	return true;
}

void object_show(struct admin *admin, struct reply *r)
{
	struct show *s = errand_new(admin, r, sizeof(*s), drop_show);
	if (!s)
		return;
	struct cold *cold = admin->options.cache->cold;
	struct slice query = r->stream->request.query;
	struct slice url = query_value(query, SL("url"), &s->errand.arena);
	s->comma = "";
	s->found.home = r->stream->home;
	s->found.done = on_found;
	if (!object_key(admin, url, &s->errand.arena, &s->key))
		refuse(&s->errand, 400, SL(OBJECT_BAD_URL));
	else if (!read_headers(s, query))
		refuse(&s->errand, 400, SL("header= must be a field, such as Accept-Language:de"));
	else if (!collect_hashes(s))
		refuse(&s->errand, 503, SL("out of memory"));
	else if (!cold || !catalog_find(cold, &s->found))
		write_show(s, !cold);
}

/* ---- a page of what there is ---- */

enum tiers { TIER_HOT = 1, TIER_COLD = 2 };

struct list_page {
	struct errand errand;
	unsigned tiers; /* enum tiers, OR-ed */
	size_t limit, shown;
	struct key_filter filter;
	struct hot_place place;
	bool is_in_cold; /* the hot tier is through */
	struct catalog found;
	const char *comma;
};

static void drop_list(struct errand *e)
{
	catalog_fini(&CONTAINER_OF(e, struct list_page, errand)->found);
}

/* Ends a page. is_over: nothing follows. */
static void write_cursor(struct list_page *p, bool is_over)
{
	struct buf *text = &p->errand.reply->text;
	const struct hash128 *from = &p->found.from;
	buf_add(text, SL("\n],\"cursor\":"));
	if (is_over)
		buf_add(text, SL("null"));
	else if (p->is_in_cold)
		buf_addf(text, "\"c%016" PRIx64 "%016" PRIx64 "\"", from->hi, from->lo);
	else
		buf_addf(text, "\"h%016" PRIx64 "%016" PRIx64 "\"", (uint64_t)p->place.shard,
		    (uint64_t)p->place.place);
	buf_add(text, SL("}\n"));
}

static void list_hot_object(struct list_page *p, struct object *o)
{
	struct cold *cold = p->errand.admin->options.cache->cold;
	if (!key_fits(&p->filter, o->key))
		return;
	enum cold_probe probe = cold ? cold_probe(cold, o->hash, NULL) : COLD_ABSENT;
	bool is_cold = probe == COLD_PRESENT || (probe == COLD_UNSURE && o->cold_has_head);
	add(&p->errand, (struct sight){ .hot = o, .is_cold = is_cold }, &p->comma);
	p->shown++;
}

/* True: the hot tier is through. */
static bool list_hot(struct list_page *p)
{
	struct object *part[HOT_PAGE];
	for (int parts = 0; parts < PARTS && p->shown < p->limit; parts++) {
		size_t wanted = min_size(p->limit - p->shown, PART);
		size_t count = hot_page(
		    p->errand.admin->options.cache->hot, &p->place, part, wanted);
		for (size_t i = 0; i < count; i++) {
			list_hot_object(p, part[i]);
			object_unref(&part[i]);
		}
		if (hot_place_is_end(&p->place))
			return true;
	}
	return false;
}

/* On disk; what RAM has, too, was listed with it, unless only the disk was asked for. */
static void list_cold(struct list_page *p)
{
	for (size_t i = 0; i < p->found.count; i++) {
		const struct catalog_item *item = &p->found.items[i];
		struct object *hot = hot_peek(
		    p->errand.admin->options.cache->hot, item->object->hash);
		if (!hot || !(p->tiers & TIER_HOT))
			add(&p->errand, (struct sight){ .hot = hot, .cold = item }, &p->comma);
		object_unref(&hot);
	}
}

static void on_walked(struct catalog *found)
{
	role_loop();
	struct list_page *p = CONTAINER_OF(found, struct list_page, found);
	if (p->errand.reply && found->err) {
		buf_clear(&p->errand.reply->text);
		refuse(&p->errand, 503, SL("reading the disk failed: see `larderctl stat store`"));
		return;
	}
	if (p->errand.reply) {
		list_cold(p);
		write_cursor(p, found->is_over);
	}
	finish(&p->errand);
}

static void go_on(struct list_page *p) ON_LOOP
{
	struct cold *cold = p->errand.admin->options.cache->cold;
	if (!p->is_in_cold && p->tiers & TIER_HOT && !list_hot(p)) {
		write_cursor(p, false);
		finish(&p->errand);
		return;
	}
	p->is_in_cold = true;
	p->found.limit = p->limit - min_size(p->shown, p->limit);
	if (!(p->tiers & TIER_COLD) || !cold) {
		write_cursor(p, true);
		finish(&p->errand);
	} else if (!catalog_walk(cold, &p->found)) {
		refuse(&p->errand, 503, SL("the disk is busy, or not well: ask again"));
	}
}

/* "h" or "c" and 32 hex digits, as write_cursor made it; nothing = the beginning. */
static bool read_cursor(struct list_page *p, struct slice cursor)
{
	char digits[HEX_DIGITS + 1] = "";
	uint64_t numbers[2];
	if (!cursor.len)
		return true;
	if (cursor.len != HEX_DIGITS + 1 || (cursor.at[0] != 'h' && cursor.at[0] != 'c'))
		return false;
	for (size_t i = 0; i < 2; i++) {
		char *end;
		memcpy(digits, cursor.at + 1 + 16 * i, 16);
		numbers[i] = strtoull(digits, &end, 16);
		if (end != digits + 16 || digits[0] == '-' || digits[0] == '+')
			return false;
	}
	p->is_in_cold = cursor.at[0] == 'c';
	if (p->is_in_cold)
		p->found.from = (struct hash128){ numbers[0], numbers[1] };
	else
		p->place = (struct hot_place){ (uint32_t)numbers[0], (uint32_t)numbers[1] };
	return true;
}

static const char *read_list(struct list_page *p, struct slice query)
{
	struct arena *arena = &p->errand.arena;
	struct slice tier = query_value(query, SL("tier"), arena);
	p->limit = query_number(query, SL("limit"), OBJECTS_MAX, 0);
	p->filter.host = query_value(query, SL("host"), arena);
	p->filter.prefix = query_value(query, SL("prefix"), arena);
	p->tiers = slice_eq(tier, SL("hot")) ? TIER_HOT
	    : slice_eq(tier, SL("cold"))     ? TIER_COLD
	    : tier.len                       ? 0
					     : TIER_HOT | TIER_COLD;
	if (!p->tiers)
		return "tier= must be hot or cold";
	if (!p->limit && query_value(query, SL("limit"), arena).at)
		return "limit= must be a number from 1 to 1000";
	if (!p->limit)
		p->limit = LIST_DEFAULT;
	return read_cursor(p, query_value(query, SL("cursor"), arena))
	    ? NULL
	    : "cursor= must be what the page before gave";
}

void object_list(struct admin *admin, struct reply *r)
{
	struct list_page *p = errand_new(admin, r, sizeof(*p), drop_list);
	if (!p)
		return;
	p->comma = "";
	p->found.home = r->stream->home;
	p->found.done = on_walked;
	const char *wrong = read_list(p, r->stream->request.query);
	if (wrong) {
		refuse(&p->errand, 400, slice_str(wrong));
		return;
	}
	p->found.filter = p->filter;
	buf_add(&r->text, SL("{\"objects\":["));
	go_on(p);
}

/* ---- what is asked for most often ---- */

/* Goes through the hot tier in steps, so that the loop serves others between. */
struct top {
	struct errand errand;
	struct mail step;
	struct hot_place place;
	size_t limit, count;
	struct object *best[OBJECTS_MAX]; /* counted; most hits first */
};

static void drop_top(struct errand *e)
{
	struct top *t = CONTAINER_OF(e, struct top, errand);
	for (size_t i = 0; i < t->count; i++)
		object_unref(&t->best[i]);
}

/* own: takes the object. */
static void rank(struct top *t, struct object *o)
{
	size_t at = t->count;
	while (at > 0 && t->best[at - 1]->hits < o->hits)
		at--;
	if (at == t->limit) {
		object_unref(&o);
		return;
	}
	if (t->count == t->limit)
		object_unref(&t->best[--t->count]);
	memmove(&t->best[at + 1], &t->best[at], (t->count - at) * sizeof(t->best[0]));
	t->best[at] = o;
	t->count++;
}

static void write_top(struct top *t) ON_LOOP
{
	struct cold *cold = t->errand.admin->options.cache->cold;
	const char *comma = "";
	buf_add(&t->errand.reply->text, SL("{\"objects\":["));
	for (size_t i = 0; i < t->count; i++) {
		bool is_cold = cold && cold_probe(cold, t->best[i]->hash, NULL) == COLD_PRESENT;
		add(&t->errand, (struct sight){ .hot = t->best[i], .is_cold = is_cold }, &comma);
	}
	buf_add(&t->errand.reply->text, SL("\n]}\n"));
	finish(&t->errand);
}

static void on_step(struct mail *m)
{
	role_loop();
	struct top *t = CONTAINER_OF(m, struct top, step);
	struct object *part[HOT_PAGE];
	if (!t->errand.reply) {
		errand_end(&t->errand);
		return;
	}
	size_t count = hot_page(t->errand.admin->options.cache->hot, &t->place, part, PART);
	for (size_t i = 0; i < count; i++)
		if (part[i]->kind == OBJECT_ANSWER)
			rank(t, part[i]);
		else
			object_unref(&part[i]);
	if (hot_place_is_end(&t->place))
		write_top(t);
	else
		mail_post(t->errand.reply->stream->home, &t->step);
}

void object_top(struct admin *admin, struct reply *r)
{
	struct slice query = r->stream->request.query;
	struct top *t = errand_new(admin, r, sizeof(*t), drop_top);
	if (!t)
		return;
	t->limit = query_number(query, SL("limit"), OBJECTS_MAX, 0);
	mail_init(&t->step, on_step);
	if (!t->limit && query_value(query, SL("limit"), &t->errand.arena).at) {
		refuse(&t->errand, 400, SL("limit= must be a number from 1 to 1000"));
		return;
	}
	t->limit = t->limit ? t->limit : TOP_DEFAULT;
	on_step(&t->step);
}
