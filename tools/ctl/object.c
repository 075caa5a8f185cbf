/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/object.h"

#include <time.h>
#include <unistd.h>

#include "tools/ctl/number.h"
#include "tools/ctl/table.h"

enum { PAGE = 1000, VALUES_BYTES = 256 };

struct object_options object_options;

/* ---- what is asked ---- */

static void add_parameter(struct buf *path, const char *name, const char *value)
{
	bool is_first = slice_find(buf_slice(path), '?') == path->len;
	buf_addf(path, "%c%s=", is_first ? '?' : '&', name);
	add_escaped(path, value);
}

/* A path of an endpoint about one URL. own: buf_fini. */
static void url_path(struct buf *path, const char *endpoint, char **args, int count)
{
	if (count != 1)
		give_up(OUTCOME_USAGE, "tell me one URL, such as http://shop.example/x");
	buf_init(path, 0);
	buf_addf(path, "%s", endpoint);
	add_parameter(path, "url", args[0]);
	for (size_t i = 0; i < object_options.header_count; i++)
		add_parameter(path, "header", object_options.headers[i]);
}

/* A number from 1 on, as the option says. */
static size_t read_limit(size_t fallback)
{
	uint64_t limit = fallback;
	const char *text = object_options.limit;
	if (text && (!slice_to_u64(slice_str(text), &limit) || limit == 0))
		give_up(OUTCOME_USAGE, "--limit %s: write a number from 1 on", text);
	return (size_t)limit;
}

/* ---- words for one object ---- */

/* Seconds from now until a moment as the server writes it; false for none. */
static bool seconds_until(const json_t *object, const char *name, double *ret_s)
{
	struct tm tm = { 0 };
	const char *end = strptime(member(object, name), "%Y-%m-%dT%H:%M:%S", &tm);
	struct timespec now;
	if (!end)
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	*ret_s = (double)(timegm(&tm) - now.tv_sec);
	return true;
}

static bool has_tier(const json_t *object, const char *tier)
{
	size_t i;
	json_t *value;
	json_array_foreach(json_object_get(object, "tiers"), i, value)
	{
		if (strcmp(json_string_value(value), tier) == 0)
			return true;
	}
	return false;
}

static const char *where(const json_t *object)
{
	bool is_hot = has_tier(object, "hot"), is_cold = has_tier(object, "cold");
	return is_hot && is_cold ? "RAM+disk" : is_hot ? "RAM" : "disk";
}

static void print_member(char *to, const json_t *object, const char *name, enum unit unit)
{
	const json_t *value = json_object_get(object, name);
	if (json_is_number(value))
		number_print(to, json_number_value(value), unit);
	else
		snprintf(to, TEXT_BYTES, "-");
}

/* "accept-language=de foo=-": what tells a variant from others. */
static void print_values(char *to, const json_t *object)
{
	size_t len = 0;
	const char *name;
	json_t *value;
	to[0] = '\0';
	json_object_foreach(json_object_get(object, "values"), name, value)
	{
		const char *text = json_string_value(value);
		if (len < VALUES_BYTES)
			len += (size_t)snprintf(to + len, VALUES_BYTES - len, "%s%s=%s",
			    len ? " " : "", name, text ? text : "(absent)");
	}
}

static const char *state_word(const json_t *object)
{
	static const struct {
		const char *state, *word;
	} words[] = {
		{ "fresh", "fresh" },
		{ "validate", "fresh, validated on each use" },
		{ "stale-while-revalidate", "stale, served while it is refreshed" },
		{ "stale-if-error", "stale, served if the origin fails" },
		{ "stale", "stale, kept to be validated" },
		{ "gone", "past its time" },
	};
	if (json_is_true(json_object_get(object, "is_overtaken")))
		return "invalidated";
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcmp(member(object, "state"), words[i].state) == 0)
			return words[i].word;
	return member(object, "kind");
}

/* ---- get ---- */

static void row(const char *name, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void row(const char *name, const char *fmt, ...)
{
	va_list args;
	printf("  %-12s", name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

/* A row for a moment: how far it is away, and when it is. */
static void row_moment(const json_t *object, const char *label, const char *name)
{
	char text[TEXT_BYTES];
	double s;
	if (!seconds_until(object, name, &s))
		return;
	number_print_duration(text, s < 0 ? -s : s);
	row(label, "%s %s  (%s)", text, s < 0 ? "ago" : "from now", member(object, name));
}

static void row_tags(const json_t *object)
{
	const json_t *tags = json_object_get(object, "tags");
	json_int_t count = json_integer_value(json_object_get(object, "tags_count"));
	size_t shown = json_array_size(tags);
	if (shown == 0)
		return;
	printf("  %-12s", "tags");
	for (size_t i = 0; i < shown; i++)
		printf("%s%s", i ? ", " : "", json_string_value(json_array_get(tags, i)));
	if ((size_t)count > shown)
		printf(", and %zu more", (size_t)count - shown);
	putchar('\n');
}

static void show_answer(const json_t *object)
{
	char size[TEXT_BYTES], age[TEXT_BYTES];
	print_member(size, object, "body_bytes", UNIT_BYTES);
	print_member(age, object, "age_seconds", UNIT_SECONDS);
	row("status", "%" JSON_INTEGER_FORMAT ", %s",
	    json_integer_value(json_object_get(object, "status")), state_word(object));
	row("body", "%s%s", size,
	    json_is_true(json_object_get(object, "is_complete")) ? "" : ", still on its way");
	row("age", "%s", age);
	row_moment(object, "fresh until", "fresh_until");
	row_moment(object, "while new", "stale_while_revalidate_until");
	row_moment(object, "if error", "stale_if_error_until");
	row_moment(object, "kept until", "keep_until");
	if (*member(object, "etag"))
		row("etag", "%s", member(object, "etag"));
	if (*member(object, "last_modified"))
		row("modified", "%s", member(object, "last_modified"));
	row_tags(object);
}

static void show_object(const json_t *object)
{
	char values[VALUES_BYTES], hits[TEXT_BYTES], memory[TEXT_BYTES];
	const char *kind = member(object, "kind");
	print_values(values, object);
	print_member(hits, object, "hits", UNIT_COUNT);
	print_member(memory, object, "memory_bytes", UNIT_BYTES);
	printf("%s%s%s\n", member(object, "url"), *values ? "  " : "", values);
	row("where", "%s", where(object));
	if (strcmp(kind, "answer") == 0)
		show_answer(object);
	else if (strcmp(kind, "vary") == 0)
		row("varies on", "%s, %" JSON_INTEGER_FORMAT " variants", member(object, "vary"),
		    json_integer_value(json_object_get(object, "variants")));
	else
		row_moment(object, "uncacheable", "until");
	if (*member(object, "reason") && strcmp(kind, "vary") != 0)
		row("reason", "%s", member(object, "reason"));
	if (has_tier(object, "hot"))
		row("in RAM", "%s, %s hits", memory, hits);
	if (*member(object, "disk_place"))
		row("on disk", "from chunk %s", member(object, "disk_place"));
}

static void show_objects(const struct answer *a)
{
	json_t *all = body_json(a), *object;
	size_t i;
	json_array_foreach(json_object_get(all, "objects"), i, object)
	{
		if (i > 0)
			putchar('\n');
		show_object(object);
	}
	if (json_is_true(json_object_get(all, "is_partial")))
		fputs("larderctl: the disk could not be asked: this is what RAM knows\n", stderr);
	json_decref(all);
}

/* Makes the path a string, asks and shows, and frees the path. */
static enum outcome ask_path(struct buf *path, void (*show)(const struct answer *))
{
	buf_add(path, slice_of("", 1));
	enum outcome outcome = ask_and_show("GET", path->at, wants_json ? show_body : show);
	buf_fini(path);
	return outcome;
}

enum outcome object_get(char **args, int count)
{
	struct buf path;
	url_path(&path, "/v1/object", args, count);
	return ask_path(&path, show_objects);
}

/* ---- list and top ---- */

static const char *const titles[] = { ">HITS", ">SIZE", ">AGE", ">STATUS", "WHERE", "STATE",
	"URL" };

static void add_row(struct table *t, const json_t *object)
{
	char text[TEXT_BYTES], values[VALUES_BYTES];
	bool is_answer = strcmp(member(object, "kind"), "answer") == 0;
	const char *state = is_answer ? member(object, "state") : member(object, "kind");
	print_member(text, object, "hits", UNIT_COUNT);
	table_add(t, "%s", text);
	print_member(text, object, "body_bytes", UNIT_BYTES);
	table_add(t, "%s", text);
	print_member(text, object, "age_seconds", UNIT_SECONDS);
	table_add(t, "%s", text);
	print_member(text, object, "status", UNIT_COUNT);
	table_add(t, "%s", text);
	table_add(t, "%s", where(object));
	table_add(
	    t, "%s", json_is_true(json_object_get(object, "is_overtaken")) ? "invalidated" : state);
	print_values(values, object);
	table_add(t, "%s%s%s", member(object, "url"), *values ? "  " : "", values);
}

static void show_table(const json_t *objects)
{
	struct table t;
	size_t i;
	json_t *object;
	table_init(&t, titles, COUNT_OF(titles));
	json_array_foreach(objects, i, object) add_row(&t, object);
	table_show(&t);
	table_fini(&t);
}

static void show_top(const struct answer *a)
{
	json_t *all = body_json(a);
	show_table(json_object_get(all, "objects"));
	json_decref(all);
}

enum outcome object_top(UNUSED char **args, UNUSED int count)
{
	struct buf path;
	buf_init(&path, 0);
	buf_addf(&path, "/v1/objects/top?limit=%zu", read_limit(20));
	return ask_path(&path, show_top);
}

/* A page may be a few objects longer than it should be. Whether there were more. */
static bool cut(json_t *objects, size_t limit)
{
	size_t count = json_array_size(objects);
	while (json_array_size(objects) > limit)
		json_array_remove(objects, json_array_size(objects) - 1);
	return count > limit;
}

/* Asks for one page after the other; adds what came to `objects`. Returns how it went. */
static enum outcome list_all(json_t *objects, size_t limit, char *cursor, size_t cursor_room)
{
	enum outcome outcome = OUTCOME_OK;
	while (outcome == OUTCOME_OK && json_array_size(objects) < limit) {
		struct buf path;
		buf_init(&path, 0);
		buf_addf(&path, "/v1/objects?limit=%zu",
		    min_size(limit - json_array_size(objects), PAGE));
		if (object_options.host)
			add_parameter(&path, "host", object_options.host);
		if (object_options.prefix)
			add_parameter(&path, "prefix", object_options.prefix);
		if (object_options.tier)
			add_parameter(&path, "tier", object_options.tier);
		if (*cursor)
			add_parameter(&path, "cursor", cursor);
		buf_add(&path, slice_of("", 1));
		struct answer a = ask("GET", path.at);
		json_t *page = body_json(&a);
		if (a.status == 200)
			json_array_extend(objects, json_object_get(page, "objects"));
		else
			outcome = show_problem(&a);
		snprintf(cursor, cursor_room, "%s", member(page, "cursor"));
		json_decref(page);
		buf_fini(&a.bytes);
		buf_fini(&path);
		if (!*cursor)
			break;
	}
	return outcome;
}

enum outcome object_list(UNUSED char **args, UNUSED int count)
{
	char cursor[TEXT_BYTES] = "";
	size_t limit = read_limit(100);
	json_t *objects = json_array();
	enum outcome outcome = list_all(objects, limit, cursor, sizeof(cursor));
	bool has_more = cut(objects, limit) || *cursor;
	if (outcome == OUTCOME_OK && wants_json) {
		json_t *all = json_pack("{s:O,s:b}", "objects", objects, "has_more", has_more);
		json_dumpf(all, stdout, JSON_INDENT(1));
		putchar('\n');
		json_decref(all);
	} else if (outcome == OUTCOME_OK) {
		show_table(objects);
		if (has_more)
			fprintf(stderr, "larderctl: there is more than %zu: --limit N shows it\n",
			    limit);
	}
	json_decref(objects);
	return outcome;
}

/* ---- export ---- */

enum outcome object_export(char **args, int count)
{
	struct buf path;
	const char *file = object_options.file;
	if (file && strcmp(file, "-") == 0)
		file = NULL;
	url_path(&path, "/v1/object/export", args, count);
	if (object_options.is_body_only)
		add_parameter(&path, "body", "1");
	buf_add(&path, slice_of("", 1));
	enum outcome outcome = ask_into(path.at, file);
	buf_fini(&path);
	return outcome;
}
