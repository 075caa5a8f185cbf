/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an order to purge. What is refused names what is wrong, in words that fit; what is
 * taken keeps to every bound, and is written as an order that reads back as the same: the same
 * scopes, the same text, the same objects.
 */
#include "purge/order.h"

#include <jansson.h>

#include "edge/http/target.h"
#include "purge/expr.h"
#include "purge/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As admin makes keys, without a policy. */
static struct slice key(UNUSED void *arg, struct slice url, struct arena *to)
{
	const struct request nowhere = { .scheme = SL("http"), .path = SL("/") };
	struct request r;
	if (!slice_starts_nocase(url, SL("http://")) && !slice_starts_nocase(url, SL("https://")))
		return SLICE_NONE;
	if (!target_resolve(&nowhere, url, to, &r) || !r.authority.len)
		return SLICE_NONE;
	return arena_printf(to, "%.*s://%.*s%.*s%s%.*s", SLICE_ARG(r.scheme),
	    SLICE_ARG(r.authority), SLICE_ARG(r.path), r.has_query ? "?" : "", SLICE_ARG(r.query));
}

/* ---- one that is refused ---- */

static void check_problem(enum err err, const struct order_problem *p)
{
	struct buf text;
	must(err == ERR_BAD_ORDER || err == ERR_NO_MEMORY);
	if (err == ERR_NO_MEMORY)
		return;
	must(p->why[0] && strnlen(p->why, sizeof(p->why)) < sizeof(p->why));
	must(strnlen(p->field, sizeof(p->field)) < sizeof(p->field));
	/* It is sent as JSON, whatever the name of the field is. */
	buf_init(&text, 0);
	buf_add(&text, SL("["));
	buf_add_json(&text, slice_str(p->field));
	buf_add(&text, SL(","));
	buf_add_json(&text, slice_str(p->why));
	buf_add(&text, SL("]"));
	json_t *json = json_loadb(text.at, text.len, 0, NULL);
	must(json);
	json_decref(json);
	buf_fini(&text);
}

/* ---- one that is taken ---- */

static void check_text(struct slice s, size_t max)
{
	must(s.len <= max);
	for (size_t i = 0; i < s.len; i++)
		must((unsigned char)s.at[i] >= 0x20 && s.at[i] != 0x7f);
}

static void check_list(const struct order_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		check_text(list->at[i], ORDER_JSON_BYTES);
		must(list->at[i].len > 0);
	}
}

static void check_gate(const struct order_gate *g)
{
	must(g->timeout_ms > 0 && g->timeout_ms <= ORDER_TIMEOUT_MS);
	must(!g->url.len == !g->equals.len);
	must(!g->url.len || !g->header.len != !g->json.len);
	must(!g->header.len || slice_is_token(g->header));
}

static void check_bounds(const struct order *o)
{
	check_list(&o->files);
	check_list(&o->tags);
	check_list(&o->prefixes);
	check_list(&o->hosts);
	must(o->files.count + o->tags.count + o->prefixes.count + o->hosts.count <= ORDER_ITEMS);
	check_text(o->reason, ORDER_REASON_BYTES);
	check_text(o->deploy_id, ORDER_REASON_BYTES);
	check_text(o->expression, EXPR_TEXT);
	check_text(o->regex, REGEX_TEXT);
	check_gate(&o->gate);
	must(o->mode == PURGE_SOFT || o->mode == PURGE_HARD);
	must(o->max_objects > 0 && o->origin_rps <= 100000);
	must(o->mode == PURGE_SOFT || o->origin_rps == 0);
}

static void check_scopes(const struct order *o)
{
	must(o->scope_count <= ORDER_SCOPES);
	must(o->scope_count > 0 || order_has_pattern(o));
	for (size_t i = 1; i < o->scope_count; i++) {
		const struct scope *a = &o->scopes[i - 1], *b = &o->scopes[i];
		must(a->kind < b->kind || (a->kind == b->kind && a->id <= b->id));
	}
}

static bool takes(const struct order *o, struct slice url)
{
	struct object *object = object_new(
	    OBJECT_ANSWER, (struct key){ url, { 1, 2 } }, (struct object_texts){ 0 }, 0);
	must(object);
	bool answer = order_matches(o, object);
	object_unref(&object);
	return answer;
}

/* Who may purge what he names, and no more, cannot take what nobody has named. */
static void check_matches(const struct order *o, const struct order *again)
{
	static const struct slice urls[] = { { "http://a/", 9 }, { "https://b:8/img/x?q", 19 } };
	for (size_t i = 0; i < COUNT_OF(urls); i++)
		must(takes(o, urls[i]) == takes(again, urls[i]));
	for (size_t i = 0; i < o->files.count && i < 8; i++)
		must(takes(o, o->files.at[i]));
	must(order_is_wide(o) || !takes(o, SL("http://nobody-has-named.this:1/at-all")));
	must(!o->everything || takes(o, urls[0]));
}

static void check_taken(const struct order *o)
{
	struct order *again = NULL;
	struct order_problem problem;
	struct buf once, twice;
	buf_init(&once, 0);
	buf_init(&twice, 0);
	buf_add(&once, SL("{"));
	order_write(o, &once);
	buf_add(&once, SL("}"));
	must(order_read(buf_slice(&once), &again, &problem) == ERR_NONE);
	must(order_prepare(again, key, NULL, &problem) == ERR_NONE);
	buf_add(&twice, SL("{"));
	order_write(again, &twice);
	buf_add(&twice, SL("}"));
	must(slice_eq(buf_slice(&once), buf_slice(&twice)));
	must(again->scope_count == o->scope_count);
	for (size_t i = 0; i < o->scope_count; i++)
		must(o->scopes[i].kind == again->scopes[i].kind &&
		    o->scopes[i].id == again->scopes[i].id);
	must(order_is_wide(o) == order_is_wide(again));
	must(order_is_of_files(o) == order_is_of_files(again));
	check_matches(o, again);
	order_unref(&again);
	buf_fini(&once);
	buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct order *o = NULL;
	struct order_problem problem;
	enum err err = order_read(slice_of((const char *)data, size), &o, &problem);
	must((err == ERR_NONE) == (o != NULL));
	if (!err) {
		check_bounds(o);
		err = order_prepare(o, key, NULL, &problem);
	}
	if (err) {
		check_problem(err, &problem);
	} else {
		check_scopes(o);
		check_taken(o);
	}
	order_unref(&o);
	return 0;
}
