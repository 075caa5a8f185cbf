/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/order.h"

#include <jansson.h>

#include "edge/conf/value.h"
#include "edge/http/msg.h"
#include "edge/http/target.h"
#include "purge/expr.h"
#include "purge/regex.h"

enum { ARENA_BYTES = 8 * 1024 * 1024, URL_BYTES = 8 * 1024, RPS_DEFAULT = 10, RPS_MAX = 100000 };
enum { GATE_TIMEOUT_MS = 60 * 1000 };

/* ---- life ---- */

struct order *order_new(void)
{
	struct order *o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->refs = 1;
	arena_init(&o->arena, ARENA_BYTES);
	o->max_objects = UINT64_MAX;
	o->gate.timeout_ms = GATE_TIMEOUT_MS;
	return o;
}

struct order *order_ref(struct order *o)
{
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

void order_unref(struct order **order)
{
	struct order *o = *order;
	*order = NULL;
	if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	expr_free(&o->expr);
	regex_free(&o->pattern);
	arena_fini(&o->arena);
	free(o);
}

/* ---- problems ---- */

/* What is read, and where a problem is. */
struct reading {
	struct order *order;
	struct order_problem *problem;
	bool has_mode;
};

PRINTF_LIKE(3, 4)
static bool refuse(struct reading *r, const char *field, const char *why, ...)
{
	va_list args;
	va_start(args, why);
	snprintf(r->problem->field, sizeof(r->problem->field), "%s", field);
	vsnprintf(r->problem->why, sizeof(r->problem->why), why, args);
	va_end(args);
	return false;
}

PRINTF_LIKE(4, 5)
static bool refuse_item(struct reading *r, const char *list, size_t index, const char *why, ...)
{
	char field[sizeof(r->problem->field)];
	va_list args;
	va_start(args, why);
	snprintf(field, sizeof(field), "%s[%zu]", list, index);
	snprintf(r->problem->field, sizeof(r->problem->field), "%s", field);
	vsnprintf(r->problem->why, sizeof(r->problem->why), why, args);
	va_end(args);
	return false;
}

/* ---- values ---- */

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f)
			return true;
	return false;
}

static bool read_string(
    struct reading *r, const char *field, json_t *value, size_t max, struct slice *to)
{
	if (!json_is_string(value))
		return refuse(r, field, "must be a string");
	struct slice text = slice_of(json_string_value(value), json_string_length(value));
	if (!text.len)
		return refuse(r, field, "is empty");
	if (text.len > max)
		return refuse(r, field, "has more than %zu bytes", max);
	if (has_control(text))
		return refuse(r, field, "has a control byte in it");
	*to = arena_copy(&r->order->arena, text);
	return true;
}

static bool read_bool(struct reading *r, const char *field, json_t *value, bool *to)
{
	if (!json_is_boolean(value))
		return refuse(r, field, "must be true or false");
	*to = json_is_true(value);
	return true;
}

static bool read_number(
    struct reading *r, const char *field, json_t *value, uint64_t max, uint64_t *to)
{
	if (!json_is_integer(value) || json_integer_value(value) < 1 ||
	    (uint64_t)json_integer_value(value) > max)
		return refuse(r, field, "must be a whole number from 1 to %" PRIu64, max);
	*to = (uint64_t)json_integer_value(value);
	return true;
}

static size_t items_of(const struct order *o)
{
	return o->files.count + o->tags.count + o->prefixes.count + o->hosts.count;
}

static bool read_list(struct reading *r, const char *field, json_t *value, struct order_list *list)
{
	if (!json_is_array(value) || json_array_size(value) == 0)
		return refuse(r, field, "must be a list of strings with at least one in it");
	size_t count = json_array_size(value);
	if (items_of(r->order) + count > ORDER_ITEMS)
		return refuse(r, field, "makes it more than %d items in all", ORDER_ITEMS);
	list->at = arena_alloc(&r->order->arena, count * sizeof(*list->at));
	for (size_t i = 0; list->at && i < count; i++) {
		char item[64];
		snprintf(item, sizeof(item), "%s[%zu]", field, i);
		if (!read_string(r, item, json_array_get(value, i), URL_BYTES, &list->at[i]))
			return false;
	}
	list->count = list->at ? count : 0;
	return true;
}

/* ---- sections ---- */

static bool read_timeout(struct reading *r, json_t *value, int64_t *to)
{
	static const struct conf_field field = {
		.kind = CONF_DURATION, .min = 1, .max = ORDER_TIMEOUT_MS
	};
	struct slice text = json_is_string(value)
	    ? slice_of(json_string_value(value), json_string_length(value))
	    : SLICE_NONE;
	if (value_read(&field, text, to) != VALUE_OK)
		return refuse(r, "wait_origin.timeout",
		    "must be a duration of at most %d s, such as \"60s\"", ORDER_TIMEOUT_MS / 1000);
	return true;
}

static bool read_gate_member(struct reading *r, const char *name, const char *field, json_t *value)
{
	struct order_gate *g = &r->order->gate;
	if (strcmp(name, "url") == 0)
		return read_string(r, field, value, URL_BYTES, &g->url);
	if (strcmp(name, "header") == 0)
		return read_string(r, field, value, URL_BYTES, &g->header);
	if (strcmp(name, "json") == 0)
		return read_string(r, field, value, URL_BYTES, &g->json);
	if (strcmp(name, "equals") == 0)
		return read_string(r, field, value, URL_BYTES, &g->equals);
	if (strcmp(name, "timeout") == 0)
		return read_timeout(r, value, &g->timeout_ms);
	return refuse(r, field, "is not known");
}

static bool read_gate(struct reading *r, json_t *value)
{
	struct order_gate *g = &r->order->gate;
	const char *key;
	json_t *member;
	if (!json_is_object(value))
		return refuse(r, "wait_origin", "must be an object");
	json_object_foreach(value, key, member)
	{
		char field[64];
		snprintf(field, sizeof(field), "wait_origin.%.40s", key);
		if (!read_gate_member(r, key, field, member))
			return false;
	}
	if (!g->url.len || !g->equals.len || !g->header.len == !g->json.len)
		return refuse(r, "wait_origin", "needs url, equals, and one of header and json");
	if (g->header.len && !slice_is_token(g->header))
		return refuse(r, "wait_origin.header", "is no field name");
	return true;
}

static bool read_refresh(struct reading *r, json_t *value)
{
	json_t *rps = json_object_get(value, "origin_rps");
	r->order->origin_rps = json_is_false(value) ? 0 : RPS_DEFAULT;
	if (json_is_boolean(value))
		return true;
	if (!json_is_object(value) || json_object_size(value) != (rps ? 1 : 0))
		return refuse(r, "refresh", "must be true, false or {\"origin_rps\": NUMBER}");
	return !rps || read_number(r, "refresh.origin_rps", rps, RPS_MAX, &r->order->origin_rps);
}

static bool read_mode(struct reading *r, json_t *value)
{
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	bool is_hard = strcmp(text, "hard") == 0;
	if (!is_hard && strcmp(text, "soft") != 0)
		return refuse(r, "mode", "must be \"soft\" or \"hard\"");
	r->order->mode = is_hard ? PURGE_HARD : PURGE_SOFT;
	r->has_mode = true;
	return true;
}

/* ---- members ---- */

enum kind { LIST, TEXT, FLAG, NUMBER, MODE, REFRESH, GATE };

static const struct member {
	const char *name;
	enum kind kind;
	size_t offset;
	size_t max; /* TEXT: bytes */
} members[] = {
	{ "files", LIST, offsetof(struct order, files), 0 },
	{ "tags", LIST, offsetof(struct order, tags), 0 },
	{ "prefixes", LIST, offsetof(struct order, prefixes), 0 },
	{ "hosts", LIST, offsetof(struct order, hosts), 0 },
	{ "everything", FLAG, offsetof(struct order, everything), 0 },
	{ "expression", TEXT, offsetof(struct order, expression), EXPR_TEXT },
	{ "regex", TEXT, offsetof(struct order, regex), REGEX_TEXT },
	{ "mode", MODE, 0, 0 },
	{ "reason", TEXT, offsetof(struct order, reason), ORDER_REASON_BYTES },
	{ "deploy_id", TEXT, offsetof(struct order, deploy_id), ORDER_REASON_BYTES },
	{ "dry_run", FLAG, offsetof(struct order, dry_run), 0 },
	{ "wait", FLAG, offsetof(struct order, wait), 0 },
	{ "fail_if_empty", FLAG, offsetof(struct order, fail_if_empty), 0 },
	{ "max_objects", NUMBER, offsetof(struct order, max_objects), 0 },
	{ "confirm", FLAG, offsetof(struct order, confirm), 0 },
	{ "refresh", REFRESH, 0, 0 },
	{ "wait_origin", GATE, 0, 0 },
};

static bool read_member(struct reading *r, const struct member *m, json_t *value)
{
	void *to = (char *)r->order + m->offset;
	switch (m->kind) {
	case LIST: return read_list(r, m->name, value, to);
	case TEXT: return read_string(r, m->name, value, m->max, to);
	case FLAG: return read_bool(r, m->name, value, to);
	case NUMBER: return read_number(r, m->name, value, INT64_MAX, to);
	case MODE: return read_mode(r, value);
	case REFRESH: return read_refresh(r, value);
	case GATE: return read_gate(r, value);
	}
	return false;
}

static bool read_members(struct reading *r, json_t *all)
{
	const char *key;
	json_t *value;
	json_object_foreach(all, key, value)
	{
		const struct member *found = NULL;
		for (size_t i = 0; i < COUNT_OF(members); i++)
			if (strcmp(members[i].name, key) == 0)
				found = &members[i];
		if (!found)
			return refuse(r, key, "is not known");
		if (!read_member(r, found, value))
			return false;
	}
	return true;
}

static bool has_more_than_files(const struct order *o)
{
	return o->tags.count || o->prefixes.count || o->hosts.count || o->everything ||
	    o->expression.len || o->regex.len;
}

static bool check_whole(struct reading *r)
{
	struct order *o = r->order;
	if (!o->files.count && !has_more_than_files(o))
		return refuse(r, "",
		    "says not what to purge: give files, tags, prefixes, hosts, everything, "
		    "expression or regex");
	if (!r->has_mode)
		o->mode = has_more_than_files(o) ? PURGE_SOFT : PURGE_HARD;
	if (o->origin_rps && o->mode == PURGE_HARD)
		return refuse(
		    r, "refresh", "is for soft purges: a hard one leaves nothing to refresh");
	return true;
}

enum err order_read(struct slice json, struct order **ret_order, struct order_problem *problem)
{
	json_error_t error;
	struct reading r = { .order = order_new(), .problem = problem };
	*problem = (struct order_problem){ 0 };
	if (!r.order)
		return ERR_NO_MEMORY;
	json_t *all = json_loadb(json.at ? json.at : "", json.len, JSON_REJECT_DUPLICATES, &error);
	bool done = false;
	if (!all)
		refuse(&r, "", "is no JSON: line %d, column %d: %.100s", error.line, error.column,
		    error.text);
	else if (!json_is_object(all))
		refuse(&r, "", "must be a JSON object");
	else
		done = read_members(&r, all) && check_whole(&r);
	json_decref(all);
	bool overflow = r.order->arena.overflow;
	if (done && !overflow)
		*ret_order = r.order;
	else
		order_unref(&r.order);
	return overflow ? ERR_NO_MEMORY : done ? ERR_NONE : ERR_BAD_ORDER;
}

/* ---- what it means ---- */

static void add_scope(struct order *o, struct scope scope)
{
	o->scopes[o->scope_count++] = scope;
}

struct slice order_other_scheme(struct slice url, struct arena *arena)
{
	bool is_https = slice_starts(url, SL("https://"));
	struct slice rest = slice_from(url, is_https ? strlen("https") : strlen("http"));
	return arena_printf(arena, "%s%.*s", is_https ? "http" : "https", SLICE_ARG(rest));
}

struct slice order_same_key(UNUSED void *arg, struct slice url, struct arena *arena)
{
	return arena_copy(arena, url);
}

static bool prepare_files(struct reading *r, order_key_f *key, void *arg)
{
	struct order *o = r->order;
	for (size_t i = 0; i < o->files.count; i++) {
		struct slice url = key(arg, o->files.at[i], &o->arena);
		if (!url.len)
			return refuse_item(r, "files", i,
			    "is no URL: give scheme, host and path, such as https://shop.example/");
		o->files.at[i] = url;
		add_scope(o, scope_url(url));
		add_scope(o, scope_url(order_other_scheme(url, &o->arena)));
	}
	return true;
}

static size_t segments_of(struct slice path)
{
	size_t count = 0;
	for (size_t i = 0; path.at && i + 1 < path.len; i++)
		count += path.at[i] == '/';
	return count;
}

/* In the form that keys have; of the scheme's own ports they say nothing. Empty: it is none. */
static struct slice normal_host(struct slice host, struct arena *arena)
{
	host = authority_normalise(host, SL("http"), arena);
	return host.len ? authority_normalise(host, SL("https"), arena) : host;
}

static bool is_plain_path(struct slice path)
{
	for (size_t i = 0; path.at && i < path.len; i++)
		if (path.at[i] <= ' ' || path.at[i] > '~' || strchr("?#*", path.at[i]))
			return false;
	return true;
}

/* Takes "http://" or "https://" off the front. False: another scheme, or no host behind it. */
static bool take_scheme(struct slice *text)
{
	size_t end = slice_find_slice(*text, SL("://"));
	if (end >= slice_find(*text, '/'))
		return true; /* none: what comes behind a slash is of the path */
	struct slice scheme = slice_first(*text, end);
	*text = slice_from(*text, end + 3);
	/* "http://$HOST" of a script in which that is not set would be everything. */
	return slice_find(*text, '/') > 0 &&
	    (slice_eq_nocase(scheme, SL("http")) || slice_eq_nocase(scheme, SL("https")));
}

static bool prepare_prefixes(struct reading *r)
{
	static const char no_host[] = "begins with no host: give host/path or /path";
	struct order *o = r->order;
	for (size_t i = 0; i < o->prefixes.count; i++) {
		struct slice text = o->prefixes.at[i];
		if (!take_scheme(&text))
			return refuse_item(r, "prefixes", i, no_host);
		size_t end = slice_find(text, '/');
		struct slice host = slice_first(text, end), path = slice_from(text, end);
		if (!is_plain_path(path))
			return refuse_item(r, "prefixes", i,
			    "is of the path alone: without ?, # and *; other bytes as in %%C3%%A4");
		if (host.len && !(host = normal_host(host, &o->arena)).len)
			return refuse_item(r, "prefixes", i, no_host);
		if (path.len)
			path = target_normal_path(path, &o->arena);
		if (segments_of(path) > SCOPE_SEGMENTS)
			return refuse_item(
			    r, "prefixes", i, "has more than %d segments", SCOPE_SEGMENTS);
		add_scope(o, scope_prefix(host, path));
	}
	return true;
}

static bool prepare_hosts(struct reading *r)
{
	struct order *o = r->order;
	for (size_t i = 0; i < o->hosts.count; i++) {
		struct slice host = o->hosts.at[i];
		if (slice_find(host, '/') < host.len || slice_find(host, '*') < host.len)
			return refuse_item(
			    r, "hosts", i, "is a host name, with a port or without, and no more");
		host = normal_host(host, &o->arena);
		if (!host.len)
			return refuse_item(r, "hosts", i, "is no host name");
		add_scope(o, scope_host(host));
	}
	return true;
}

static enum err prepare_patterns(struct reading *r)
{
	struct order *o = r->order;
	struct expr_problem in_expr;
	struct regex_problem in_regex;
	enum err err = ERR_NONE;
	if (o->expression.len)
		err = expr_parse(o->expression, &o->expr, &in_expr);
	if (err == ERR_BAD_PATTERN)
		refuse(r, "expression", "at byte %zu: %s", in_expr.at, in_expr.why);
	if (err || !o->regex.len)
		return err;
	err = regex_new(o->regex, &o->pattern, &in_regex);
	if (err == ERR_BAD_PATTERN)
		refuse(r, "regex", "at byte %zu: %s", in_regex.at, in_regex.why);
	return err;
}

static int by_scope(const void *a, const void *b)
{
	const struct scope *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

enum err order_prepare(struct order *o, order_key_f *key, void *arg, struct order_problem *problem)
{
	struct reading r = { .order = o, .problem = problem };
	size_t room = 2 * o->files.count + o->tags.count + o->prefixes.count + o->hosts.count + 1;
	o->scopes = arena_alloc(&o->arena, room * sizeof(*o->scopes));
	if (!o->scopes)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < o->tags.count; i++)
		add_scope(o, scope_tag(scope_tag_id(slice_trim(o->tags.at[i]))));
	if (o->everything)
		add_scope(o, scope_all());
	bool done = prepare_files(&r, key, arg) && prepare_prefixes(&r) && prepare_hosts(&r);
	/* A text that there was no room for looks like a bad one. */
	if (o->arena.overflow)
		return ERR_NO_MEMORY;
	enum err err = done ? prepare_patterns(&r) : ERR_BAD_ORDER;
	if (err)
		return err == ERR_BAD_PATTERN ? ERR_BAD_ORDER : err;
	qsort(o->scopes, o->scope_count, sizeof(*o->scopes), by_scope);
	return ERR_NONE;
}

/* ---- asking ---- */

static bool has_scope(const struct order *o, struct scope scope)
{
	return bsearch(&scope, o->scopes, o->scope_count, sizeof(*o->scopes), by_scope);
}

static bool has_kind(const struct order *o, enum scope_kind kind)
{
	switch (kind) {
	case SCOPE_ALL: return o->everything;
	case SCOPE_HOST: return o->hosts.count > 0;
	case SCOPE_PREFIX: return o->prefixes.count > 0;
	case SCOPE_URL: return o->files.count > 0;
	default: return false;
	}
}

static bool matches_url(const struct order *o, struct slice url)
{
	struct scope scopes[SCOPES_OF_URL];
	for (enum scope_kind kind = SCOPE_ALL; kind <= SCOPE_URL; kind++) {
		size_t count = has_kind(o, kind) ? scopes_of_url(url, kind, scopes) : 0;
		for (size_t i = 0; i < count; i++)
			if (has_scope(o, scopes[i]))
				return true;
	}
	return false;
}

static bool matches_tags(const struct order *o, const struct object_tags *tags)
{
	for (uint32_t i = 0; o->tags.count && tags && i < tags->count; i++)
		if (has_scope(o, scope_tag(tags->ids[i])))
			return true;
	return false;
}

bool order_matches(const struct order *o, const struct object *object)
{
	const struct object_tags *tags = object->tags;
	if (object->kind != OBJECT_ANSWER)
		return false;
	return matches_url(o, key_url(object->key)) || matches_tags(o, tags) ||
	    (o->expr && expr_matches(o->expr, tags ? tags->ids : NULL, tags ? tags->count : 0)) ||
	    (o->pattern && regex_matches(o->pattern, key_url(object->key)));
}

bool order_has_pattern(const struct order *o)
{
	return o->expr || o->pattern;
}

bool order_is_of_files(const struct order *o)
{
	return !has_more_than_files(o);
}

bool order_is_wide(const struct order *o)
{
	return o->everything || o->regex.len > 0 ||
	    (o->prefixes.count && has_scope(o, scope_prefix(SLICE_NONE, SLICE_NONE))) ||
	    (o->expr && expr_matches_untagged(o->expr));
}

/* ---- writing ---- */

static void write_list(struct buf *to, const char *name, const struct order_list *list)
{
	if (list->count == 0)
		return;
	buf_addf(to, "\"%s\":[", name);
	for (size_t i = 0; i < list->count; i++) {
		buf_add(to, i ? SL(",") : SLICE_NONE);
		buf_add_json(to, list->at[i]);
	}
	buf_add(to, SL("],"));
}

static void write_text(struct buf *to, const char *name, struct slice text)
{
	if (!text.len)
		return;
	buf_addf(to, "\"%s\":", name);
	buf_add_json(to, text);
	buf_add_char(to, ',');
}

void order_write(const struct order *o, struct buf *to)
{
	write_list(to, "files", &o->files);
	write_list(to, "tags", &o->tags);
	write_list(to, "prefixes", &o->prefixes);
	write_list(to, "hosts", &o->hosts);
	if (o->everything)
		buf_add(to, SL("\"everything\":true,"));
	write_text(to, "expression", o->expression);
	write_text(to, "regex", o->regex);
	write_text(to, "reason", o->reason);
	write_text(to, "deploy_id", o->deploy_id);
	buf_addf(to, "\"mode\":\"%s\"", o->mode == PURGE_HARD ? "hard" : "soft");
}
