/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/purge.h"

#include <unistd.h>

#include "edge/base/clock.h"
#include "tools/ctl/number.h"
#include "tools/ctl/object.h"
#include "tools/ctl/table.h"

enum { ITEMS_MAX = 10000, LINE_BYTES = 16 * 1024, LOOK_US = 200 * 1000, PATIENCE_MS = 2000 };

static json_t *order, *gate;
static const char *repeat_key, *since_text, *from_file;
static bool has_own, waits;

/* ---- options ---- */

static json_t *order_now(void)
{
	if (!order)
		order = json_object();
	return order;
}

static void put(const char *name, json_t *value)
{
	if (json_object_set_new(order_now(), name, value) != 0)
		give_up(OUTCOME_USAGE, "--%s: must be UTF-8", name);
}

static void append(const char *name, const char *text)
{
	json_t *list = json_object_get(order_now(), name);
	if (!list) {
		put(name, json_array());
		list = json_object_get(order, name);
	}
	if (json_array_append_new(list, json_string(text)) != 0)
		give_up(OUTCOME_USAGE, "%s: must be UTF-8", name);
}

static void append_tags(const char *text)
{
	struct slice rest = slice_str(text);
	while (rest.len) {
		struct slice tag = slice_trim(slice_take_until(&rest, ','));
		char *copy = tag.len ? slice_to_str(tag) : NULL;
		if (copy)
			append("tags", copy);
		free(copy);
	}
}

static json_int_t whole(const char *name, const char *text)
{
	uint64_t number;
	if (!slice_to_u64(slice_str(text), &number) || number == 0 || number > INT64_MAX)
		give_up(OUTCOME_USAGE, "--%s %s: write a whole number, 1 or more", name, text);
	return (json_int_t)number;
}

static void put_gate(const char *name, const char *text)
{
	if (!gate)
		gate = json_object();
	json_object_set_new(gate, name, json_string(text));
}

static void put_refresh(const char *rps)
{
	put("refresh", rps ? json_pack("{s:I}", "origin_rps", whole("refresh", rps)) : json_true());
}

void purge_take(enum purge_option option, const char *value)
{
	has_own |= option != PURGE_PREFIX && option != PURGE_HOST;
	switch (option) {
	case PURGE_URL: append("files", value); break;
	case PURGE_TAG: append_tags(value); break;
	case PURGE_PREFIX: append("prefixes", value); break;
	case PURGE_HOST: append("hosts", value); break;
	case PURGE_ALL: put("everything", json_true()); break;
	case PURGE_EXPR: put("expression", json_string(value)); break;
	case PURGE_REGEX: put("regex", json_string(value)); break;
	case PURGE_SOFT: put("mode", json_string("soft")); break;
	case PURGE_HARD: put("mode", json_string("hard")); break;
	case PURGE_DRY_RUN: put("dry_run", json_true()); break;
	case PURGE_WAIT: waits = true; break;
	case PURGE_REFRESH: put_refresh(value); break;
	case PURGE_REASON: put("reason", json_string(value)); break;
	case PURGE_DEPLOY: put("deploy_id", json_string(value)); break;
	case PURGE_FAIL_IF_EMPTY: put("fail_if_empty", json_true()); break;
	case PURGE_MAX: put("max_objects", json_integer(whole("max-objects", value))); break;
	case PURGE_CONFIRM: put("confirm", json_true()); break;
	case PURGE_WAIT_ORIGIN: put_gate("url", value); break;
	case PURGE_FIELD: put_gate("header", value); break;
	case PURGE_JSON: put_gate("json", value); break;
	case PURGE_EQUALS: put_gate("equals", value); break;
	case PURGE_TIMEOUT: put_gate("timeout", value); break;
	case PURGE_KEY: repeat_key = value; break;
	case PURGE_FROM: from_file = value; break;
	case PURGE_SINCE: since_text = value; break;
	case PURGE_OPTIONS_END: break;
	}
}

bool purge_has_options(void)
{
	return has_own;
}

/* ---- receipts ---- */

static const json_t *part(const json_t *receipt, const char *name)
{
	return json_object_get(receipt, name);
}

static double value_of(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static void row(struct table *t, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void row(struct table *t, const char *name, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	table_add(t, "%s", name);
	table_add(t, "%s", text);
}

static void text_row(struct table *t, const char *name, const char *text)
{
	if (*text)
		row(t, name, "%s", text);
}

static void matched_rows(struct table *t, const json_t *receipt)
{
	const json_t *matched = part(receipt, "matched");
	const char *state = member(matched, "state");
	char bytes[TEXT_BYTES];
	number_print(bytes, value_of(matched, "bytes"), UNIT_BYTES);
	if (json_object_get(matched, "objects"))
		row(t, "matched", "%.0f objects, %.0f of them variants, %s%s",
		    value_of(matched, "objects"), value_of(matched, "variants"), bytes,
		    strcmp(state, "partial") == 0 ? "; the disk could not be read" : "");
	else
		row(t, "matched", "%s", state);
	json_t *sample = json_object_get(matched, "sample");
	for (size_t i = 0; i < json_array_size(sample); i++)
		row(t, i ? "" : "such as", "%s", json_string_value(json_array_get(sample, i)));
}

static void refresh_row(struct table *t, const json_t *receipt)
{
	const json_t *refresh = part(receipt, "refresh");
	const char *state = member(refresh, "state");
	if (*state && strcmp(state, "none") != 0)
		row(t, "refresh", "%s: %.0f of %.0f, %.0f failed", state, value_of(refresh, "done"),
		    value_of(refresh, "queued"), value_of(refresh, "failed"));
}

static void show_receipt(const json_t *receipt)
{
	struct table t;
	table_init(&t, NULL, 2);
	if (json_is_true(part(receipt, "dry_run"))) {
		row(&t, "purge", "none: a dry run");
		text_row(&t, "mode", member(receipt, "mode"));
		matched_rows(&t, receipt);
		row(&t, "asked for", "%.1f requests/s now", value_of(receipt, "requests_per_s"));
		row(&t, "origin", "%.0f more requests in the minute after it",
		    value_of(receipt, "origin_requests_expected_per_minute"));
	} else {
		row(&t, "purge", "%.0f", value_of(receipt, "seq"));
		text_row(&t, "in force", member(receipt, "at"));
		row(&t, "on disk", "after %.2f ms", value_of(receipt, "took_ms"));
		text_row(&t, "mode", member(receipt, "mode"));
		matched_rows(&t, receipt);
		text_row(&t, "pattern", member(receipt, "pattern"));
		refresh_row(&t, receipt);
		text_row(&t, "by", member(receipt, "actor"));
		text_row(&t, "reason", member(receipt, "reason"));
		text_row(&t, "deploy", member(receipt, "deploy_id"));
	}
	table_show(&t);
	table_fini(&t);
}

static bool is_final(const json_t *receipt)
{
	return strcmp(member(part(receipt, "matched"), "state"), "counting") != 0 &&
	    strcmp(member(part(receipt, "refresh"), "state"), "running") != 0;
}

static void show_progress(const json_t *receipt, struct mono began)
{
	const json_t *refresh = part(receipt, "refresh");
	if (!isatty(STDERR_FILENO) || mono_ms_since(began, mono_now()) < PATIENCE_MS)
		return;
	if (value_of(refresh, "queued") > 0)
		fprintf(stderr, "\r%.0f of %.0f refreshed ", value_of(refresh, "done"),
		    value_of(refresh, "queued"));
	else
		fprintf(stderr, "\rcounting what matched ");
}

static void show_answer(const struct answer *a)
{
	json_t *receipt = wants_json ? NULL : body_json(a);
	if (receipt)
		show_receipt(receipt);
	else
		show_body(a);
	json_decref(receipt);
}

/* Looks at the receipt until it is final, and shows it. */
static enum outcome follow(uint64_t seq)
{
	struct mono began = mono_now();
	char path[64];
	snprintf(path, sizeof(path), "/v1/purge/%" PRIu64, seq);
	for (;; usleep(LOOK_US)) {
		struct answer a = ask("GET", path);
		json_t *receipt = a.status == 200 ? body_json(&a) : NULL;
		bool is_over = !receipt || is_final(receipt);
		if (!is_over)
			show_progress(receipt, began);
		else if (mono_ms_since(began, mono_now()) >= PATIENCE_MS && isatty(STDERR_FILENO))
			fprintf(stderr, "\r\033[K");
		if (receipt && is_over)
			show_answer(&a);
		enum outcome outcome = receipt ? OUTCOME_OK : show_problem(&a);
		json_decref(receipt);
		buf_fini(&a.bytes);
		if (is_over)
			return outcome;
	}
}

/* ---- orders ---- */

static enum outcome refused(const struct answer *a)
{
	json_t *problem = body_json(a);
	bool is_in_force = json_is_true(json_object_get(problem, "in_force"));
	json_decref(problem);
	enum outcome outcome = show_problem(a);
	return a->status == 412 ? OUTCOME_EMPTY
	    : a->status == 422  ? OUTCOME_USAGE
	    : a->status == 409  ? OUTCOME_REFUSED
	    : is_in_force       ? OUTCOME_PARTIAL
				: outcome;
}

static enum outcome send_order(void)
{
	char *body = json_dumps(order_now(), JSON_COMPACT);
	if (!body)
		give_up(OUTCOME_FAILED, "out of memory");
	struct answer a = ask_with("POST", "/v1/purge",
	    &(struct question){ .body = slice_str(body), .repeat_key = repeat_key });
	free(body);
	json_t *receipt = a.status == 200 ? body_json(&a) : NULL;
	uint64_t seq = (uint64_t)json_integer_value(json_object_get(receipt, "seq"));
	json_decref(receipt);
	enum outcome outcome = OUTCOME_OK;
	if (a.status != 200)
		outcome = refused(&a);
	else if (waits && seq > 0)
		outcome = follow(seq);
	else
		show_answer(&a);
	buf_fini(&a.bytes);
	return outcome;
}

/* URLs from a file or stdin, one a line, in orders as large as they may be. */
static enum outcome send_lines(void)
{
	FILE *from = strcmp(from_file, "-") == 0 ? stdin : fopen(from_file, "re");
	enum outcome outcome = OUTCOME_OK;
	size_t count = 0;
	char line[LINE_BYTES];
	if (!from)
		give_up(OUTCOME_USAGE, "%s: %s", from_file, strerror(errno));
	while (outcome == OUTCOME_OK && fgets(line, sizeof(line), from)) {
		struct slice url = slice_trim(slice_first(slice_str(line), strcspn(line, "\r\n")));
		char *copy = url.len ? slice_to_str(url) : NULL;
		if (copy)
			append("files", copy);
		count += copy != NULL;
		free(copy);
		if (count == ITEMS_MAX) {
			outcome = send_order();
			json_object_del(order, "files");
			count = 0;
		}
	}
	if (from != stdin)
		fclose(from);
	return outcome == OUTCOME_OK && count > 0 ? send_order() : outcome;
}

enum outcome purge_run(char **args, int count)
{
	for (int i = 0; i < count; i++)
		append("files", args[i]);
	if (gate)
		put("wait_origin", gate);
	if (from_file && json_object_get(order_now(), "files"))
		give_up(OUTCOME_USAGE, "--from is instead of other URLs");
	return from_file ? send_lines() : send_order();
}

enum outcome purge_receipt_show(char **args, int count)
{
	uint64_t seq;
	if (count != 1 || !slice_to_u64(slice_str(args[0]), &seq))
		give_up(OUTCOME_USAGE, "write larderctl purge receipt 17");
	if (waits)
		return follow(seq);
	char path[64];
	snprintf(path, sizeof(path), "/v1/purge/%" PRIu64, seq);
	return ask_and_show("GET", path, show_answer);
}

/* ---- the log ---- */

static void show_log(const struct answer *a)
{
	static const char *const titles[] = { ">seq", "at", "by", "mode", "what", "reason" };
	json_t *all = body_json(a), *list = json_object_get(all, "purges");
	struct table t;
	table_init(&t, titles, COUNT_OF(titles));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		json_t *what = json_deep_copy(part(one, "order"));
		table_add(&t, "%.0f", value_of(one, "seq"));
		table_add(&t, "%s", member(one, "at"));
		table_add(&t, "%s", member(one, "actor"));
		table_add(&t, "%s", member(what, "mode"));
		char *reason = strdup(member(what, "reason"));
		json_object_del(what, "mode");
		json_object_del(what, "reason");
		char *text = json_dumps(what, JSON_COMPACT);
		table_add(&t, "%.80s%s", text, strlen(text) > 80 ? "..." : "");
		table_add(&t, "%s", reason);
		free(text);
		free(reason);
		json_decref(what);
	}
	table_show(&t);
	table_fini(&t);
	json_decref(all);
}

enum outcome purge_log_show(UNUSED char **args, UNUSED int count)
{
	char path[128];
	json_int_t since = since_text ? whole("since", since_text) : 0;
	const char *limit = object_options.limit ? object_options.limit : "100";
	snprintf(path, sizeof(path), "/v1/purges?since=%lld&limit=%lld", (long long)since,
	    (long long)whole("limit", limit));
	return ask_and_show("GET", path, wants_json ? show_body : show_log);
}
