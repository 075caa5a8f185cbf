/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/purge.h"

#include <unistd.h>

#include "edge/base/clock.h"
#include "tools/ctl/link.h"
#include "tools/ctl/number.h"
#include "tools/ctl/object.h"
#include "tools/ctl/table.h"

/* Of an order, as Larder takes it: items, and their text without what goes with them. */
enum { ITEMS_MAX = 10000, ITEMS_BYTES = 960 * 1024 };
enum { LINE_BYTES = 16 * 1024, LOOK_US = 200 * 1000, PATIENCE_MS = 2000 };
enum { GATE_PATIENCE_S = 11 * 60 }; /* an order waits ten minutes at most */

static json_t *order, *gate;
static const char *repeat_key, *since_text, *from_file;
static uint64_t given; /* BIT of each option */
static bool waits;

/* The lines that go into the next order. */
static struct {
	size_t line, orders; /* read, sent */
	size_t count, bytes;
	size_t lines[ITEMS_MAX]; /* number of each */
} batch;

/* ---- options ---- */

static uint64_t bit_of(enum purge_option option)
{
	return UINT64_C(1) << (option - PURGE_URL);
}

/* An option that means nothing here is an error: its user meant something by it. */
static void allow(const char *verb, uint64_t allowed)
{
	if (given & ~allowed)
		give_up(OUTCOME_USAGE,
		    "`%s` does not take all of these options; see larderctl %s --help", verb, verb);
}

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

static void put_mode(const char *mode)
{
	const char *before = member(order_now(), "mode");
	if (*before && strcmp(before, mode) != 0)
		give_up(OUTCOME_USAGE, "--soft or --hard, not both");
	put("mode", json_string(mode));
}

static void put_key(const char *key)
{
	for (const char *at = key; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			give_up(OUTCOME_USAGE, "--idempotency-key: without spaces");
	repeat_key = key;
}

static void put_refresh(const char *rps)
{
	put("refresh", rps ? json_pack("{s:I}", "origin_rps", whole("refresh", rps)) : json_true());
}

void purge_take(enum purge_option option, const char *value)
{
	given |= bit_of(option);
	switch (option) {
	case PURGE_URL: append("files", value); break;
	case PURGE_TAG: append_tags(value); break;
	case PURGE_PREFIX: append("prefixes", value); break;
	case PURGE_HOST: append("hosts", value); break;
	case PURGE_ALL: put("everything", json_true()); break;
	case PURGE_EXPR: put("expression", json_string(value)); break;
	case PURGE_REGEX: put("regex", json_string(value)); break;
	case PURGE_SOFT: put_mode("soft"); break;
	case PURGE_HARD: put_mode("hard"); break;
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
	case PURGE_KEY: put_key(value); break;
	case PURGE_FROM: from_file = value; break;
	case PURGE_SINCE: since_text = value; break;
	case PURGE_OPTIONS_END: break;
	}
}

bool purge_has_options(void)
{
	return given & ~(bit_of(PURGE_PREFIX) | bit_of(PURGE_HOST));
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
	if (json_object_get(matched, "in_ram"))
		row(t, "in RAM", "%.0f of them", value_of(matched, "in_ram"));
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

static void why_rows(struct table *t, const json_t *from)
{
	text_row(t, "reason", member(from, "reason"));
	text_row(t, "deploy", member(from, "deploy_id"));
}

static void preview_rows(struct table *t, const json_t *preview)
{
	row(t, "purge", "none: a dry run");
	text_row(t, "mode", member(preview, "mode"));
	matched_rows(t, preview);
	row(t, "asked for", "%.1f requests/s now", value_of(preview, "requests_per_s"));
	row(t, "origin", "%.0f more requests in the minute after it",
	    value_of(preview, "origin_requests_expected_per_minute"));
}

static void receipt_rows(struct table *t, const json_t *receipt)
{
	row(t, "purge", "%.0f", value_of(receipt, "seq"));
	text_row(t, "in force", member(receipt, "at"));
	row(t, "on disk", "after %.2f ms", value_of(receipt, "took_ms"));
	text_row(t, "mode", member(receipt, "mode"));
	matched_rows(t, receipt);
	text_row(t, "pattern", member(receipt, "pattern"));
	refresh_row(t, receipt);
	text_row(t, "by", member(receipt, "actor"));
	why_rows(t, receipt);
	if (json_is_false(part(receipt, "audited")))
		row(t, "audit", "its line could not be written");
}

/* What is meant, as JSON, without how and why. own: the caller frees. */
static char *text_of(const json_t *said)
{
	json_t *what = json_deep_copy(said);
	json_object_del(what, "mode");
	json_object_del(what, "reason");
	json_object_del(what, "deploy_id");
	char *text = json_dumps(what, JSON_COMPACT);
	json_decref(what);
	if (!text)
		give_up(OUTCOME_FAILED, "out of memory");
	return text;
}

/* Of a former life, or long ago: what the log has. */
static void entry_rows(struct table *t, const json_t *entry)
{
	const json_t *said = part(entry, "order");
	char *text = text_of(said);
	row(t, "purge", "%.0f", value_of(entry, "seq"));
	text_row(t, "in force", member(entry, "at"));
	text_row(t, "mode", member(said, "mode"));
	row(t, "what", "%.400s%s", text, strlen(text) > 400 ? "..." : "");
	row(t, "matched", "not known any more");
	text_row(t, "by", member(entry, "actor"));
	why_rows(t, said);
	free(text);
}

static void show_receipt(const json_t *receipt)
{
	struct table t;
	table_init(&t, NULL, 2);
	if (json_is_true(part(receipt, "dry_run")))
		preview_rows(&t, receipt);
	else if (part(receipt, "order"))
		entry_rows(&t, receipt);
	else
		receipt_rows(&t, receipt);
	table_show(&t);
	table_fini(&t);
}

/* An order among several: one line. */
static void show_line(const json_t *receipt)
{
	const json_t *matched = part(receipt, "matched");
	if (json_is_true(part(receipt, "dry_run")))
		printf("dry run");
	else
		printf("purge %.0f", value_of(receipt, "seq"));
	printf(": %zu URLs, lines %zu to %zu, %s", batch.count, batch.lines[0],
	    batch.lines[batch.count - 1], member(receipt, "mode"));
	if (json_object_get(matched, "objects"))
		printf(", %.0f objects", value_of(matched, "objects"));
	printf("\n");
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
	if (!receipt)
		show_body(a);
	else if (batch.count > 0)
		show_line(receipt);
	else
		show_receipt(receipt);
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

static const char *from_name(void)
{
	return strcmp(from_file, "-") == 0 ? "stdin" : from_file;
}

/* What to do about a refusal, by its status and a word of its detail. */
static const struct {
	unsigned status;
	const char *word, *next;
} hints[] = {
	{ 401, "", "set LARDER_TOKEN; `larderctl token new` makes one" },
	{ 403, "scope", "use another token; `larderctl token new --scope ...` makes one" },
	{ 409, "max_objects", "see what they are with --dry-run; --confirm does it all the same" },
	{ 409, "another order", "give another --idempotency-key" },
	{ 409, "being done", "wait; `larderctl purge log` shows it when it is done" },
	{ 412, "", "`larderctl object get URL` shows the tags that it has" },
	{ 429, "", "wait a moment and send it again" },
	{ 504, "", "deploy it everywhere, or give it more --timeout, and send it again" },
};

static void show_hint(unsigned status, const json_t *problem)
{
	const char *detail = member(problem, "detail");
	size_t item;
	for (size_t i = 0; i < COUNT_OF(hints); i++)
		if (hints[i].status == status && strstr(detail, hints[i].word))
			fprintf(stderr, "larderctl: %s\n", hints[i].next);
	if (sscanf(member(problem, "field"), "files[%zu]", &item) == 1 && item < batch.count)
		fprintf(
		    stderr, "larderctl: that is line %zu of %s\n", batch.lines[item], from_file);
}

static enum outcome refused(const struct answer *a)
{
	json_t *problem = body_json(a);
	bool is_in_force = json_is_true(json_object_get(problem, "in_force"));
	enum outcome outcome = show_problem(a);
	if (!wants_json)
		show_hint(a->status, problem);
	json_decref(problem);
	return a->status == 412 ? OUTCOME_EMPTY
	    : a->status == 422  ? OUTCOME_USAGE
	    : a->status == 409  ? OUTCOME_REFUSED
	    : is_in_force       ? OUTCOME_PARTIAL
				: outcome;
}

static enum outcome send_order(const char *key)
{
	char *body = json_dumps(order_now(), JSON_COMPACT);
	if (!body)
		give_up(OUTCOME_FAILED, "out of memory");
	struct answer a = ask_with(
	    "POST", "/v1/purge", &(struct question){ .body = slice_str(body), .repeat_key = key });
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

/* ---- URLs from a file or stdin, in as many orders as they need ---- */

/* Sends what is waiting. Each order is one of its own, so it has a key of its own; the first has the
 * one that was given, as an order that is the only one. */
static enum outcome send_batch(void)
{
	char *key = NULL;
	if (batch.count == 0)
		return OUTCOME_OK;
	if (repeat_key && batch.orders > 0)
		must(asprintf(&key, "%s.%zu", repeat_key, batch.orders + 1) > 0);
	enum outcome outcome = send_order(key ? key : repeat_key);
	free(key);
	if (outcome != OUTCOME_OK)
		fprintf(stderr,
		    "larderctl: of %s that was the order of lines %zu to %zu; those before it are "
		    "done, those behind it were not sent\n",
		    from_name(), batch.lines[0], batch.lines[batch.count - 1]);
	json_object_del(order, "files");
	batch.orders++;
	batch.count = batch.bytes = 0;
	return outcome;
}

/* As JSON, with quotes and comma. What is escaped becomes six bytes at most. */
static size_t bytes_in_order(const char *url)
{
	size_t bytes = 3;
	for (; *url; url++)
		bytes += (unsigned char)*url < ' ' || *url == '"' || *url == '\\' ? 6 : 1;
	return bytes;
}

static enum outcome add_line(char *line)
{
	struct slice url = slice_trim(slice_first(slice_str(line), strcspn(line, "\r\n")));
	batch.line++;
	if (strlen(line) == LINE_BYTES - 1) {
		fprintf(stderr, "larderctl: line %zu of %s is no URL: too long\n", batch.line,
		    from_name());
		return OUTCOME_USAGE;
	}
	if (!url.len)
		return OUTCOME_OK;
	char *copy = slice_to_str(url);
	size_t bytes = bytes_in_order(copy);
	bool is_full = batch.count == ITEMS_MAX || batch.bytes + bytes > ITEMS_BYTES;
	enum outcome outcome = is_full ? send_batch() : OUTCOME_OK;
	append("files", copy);
	free(copy);
	batch.lines[batch.count++] = batch.line;
	batch.bytes += bytes;
	return outcome;
}

static enum outcome send_lines(void)
{
	FILE *from = strcmp(from_file, "-") == 0 ? stdin : fopen(from_file, "re");
	enum outcome outcome = OUTCOME_OK;
	char line[LINE_BYTES];
	if (!from)
		give_up(OUTCOME_USAGE, "%s: %s", from_file, strerror(errno));
	while (outcome == OUTCOME_OK && fgets(line, sizeof(line), from))
		outcome = add_line(line);
	if (ferror(from))
		give_up(OUTCOME_FAILED, "%s: %s; of its lines those to %zu were read", from_name(),
		    strerror(errno), batch.line);
	if (from != stdin)
		fclose(from);
	if (outcome == OUTCOME_OK)
		outcome = send_batch();
	if (outcome != OUTCOME_OK || batch.orders > 0)
		return outcome;
	fprintf(stderr, "larderctl: %s has no URL in it: nothing was sent\n", from_name());
	return given & bit_of(PURGE_FAIL_IF_EMPTY) ? OUTCOME_EMPTY : OUTCOME_OK;
}

/* A field of the origin's answer is named as one of a request is elsewhere. */
static void take_header(void)
{
	if (object_options.header_count > 1)
		give_up(OUTCOME_USAGE, "--header: one field is looked at");
	if (object_options.header_count == 1)
		put_gate("header", object_options.headers[0]);
}

enum outcome purge_run(char **args, int count)
{
	static const enum purge_option others[] = { PURGE_TAG, PURGE_PREFIX, PURGE_HOST, PURGE_ALL,
		PURGE_EXPR, PURGE_REGEX };
	allow("purge", ~bit_of(PURGE_SINCE));
	for (int i = 0; i < count; i++)
		append("files", args[i]);
	take_header();
	if (gate) {
		put("wait_origin", gate);
		link_options.patience_s = GATE_PATIENCE_S;
	}
	if (!from_file)
		return send_order(repeat_key);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (given & bit_of(others[i]))
			give_up(OUTCOME_USAGE, "--from is for URLs alone: give the rest by itself");
	if (json_object_get(order_now(), "files"))
		give_up(OUTCOME_USAGE, "--from is instead of other URLs");
	return send_lines();
}

enum outcome purge_receipt_show(char **args, int count)
{
	uint64_t seq;
	allow("purge receipt", bit_of(PURGE_WAIT));
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
		const json_t *one = json_array_get(list, i), *said = part(one, "order");
		char *text = text_of(said);
		table_add(&t, "%.0f", value_of(one, "seq"));
		table_add(&t, "%s", member(one, "at"));
		table_add(&t, "%s", member(one, "actor"));
		table_add(&t, "%s", member(said, "mode"));
		table_add(&t, "%.80s%s", text, strlen(text) > 80 ? "..." : "");
		table_add(&t, "%s", member(said, "reason"));
		free(text);
	}
	table_show(&t);
	table_fini(&t);
	json_decref(all);
}

enum outcome purge_log_show(UNUSED char **args, UNUSED int count)
{
	char path[128];
	allow("purge log", bit_of(PURGE_SINCE));
	json_int_t since = since_text ? whole("since", since_text) : 0;
	const char *limit = object_options.limit ? object_options.limit : "100";
	snprintf(path, sizeof(path), "/v1/purges?since=%lld&limit=%lld", (long long)since,
	    (long long)whole("limit", limit));
	return ask_and_show("GET", path, wants_json ? show_body : show_log);
}
