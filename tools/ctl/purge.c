/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/purge.h"

#include <unistd.h>

#include "edge/base/clock.h"
#include "tools/ctl/link.h"
#include "tools/ctl/object.h"
#include "tools/ctl/receipt.h"
#include "tools/ctl/table.h"

/* Of an order, as Larder takes it: items, and their text without what goes with them. */
enum { ITEMS_MAX = 10000, ITEMS_BYTES = 960 * 1024 };
enum { LIST_MAX = 10000 }; /* of the log, that Larder gives at a time */
enum { LINE_BYTES = 16 * 1024, LOOK_US = 200 * 1000, PATIENCE_MS = 2000 };
/* An order is held for ten minutes at most, and so long again it may be waited for. */
enum { STAGE_S = 10 * 60, GRACE_S = 60 };

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
	return UINT64_C(1) << (option - PURGE_OPTION_URL);
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
	case PURGE_OPTION_URL: append("files", value); break;
	case PURGE_OPTION_TAG: append_tags(value); break;
	case PURGE_OPTION_PREFIX: append("prefixes", value); break;
	case PURGE_OPTION_HOST: append("hosts", value); break;
	case PURGE_OPTION_ALL: put("everything", json_true()); break;
	case PURGE_OPTION_EXPR: put("expression", json_string(value)); break;
	case PURGE_OPTION_REGEX: put("regex", json_string(value)); break;
	case PURGE_OPTION_SOFT: put_mode("soft"); break;
	case PURGE_OPTION_HARD: put_mode("hard"); break;
	case PURGE_OPTION_DRY_RUN: put("dry_run", json_true()); break;
	case PURGE_OPTION_WAIT: waits = true; break;
	case PURGE_OPTION_REFRESH: put_refresh(value); break;
	case PURGE_OPTION_REASON: put("reason", json_string(value)); break;
	case PURGE_OPTION_DEPLOY: put("deploy_id", json_string(value)); break;
	case PURGE_OPTION_FAIL_IF_EMPTY: put("fail_if_empty", json_true()); break;
	case PURGE_OPTION_MAX: put("max_objects", json_integer(whole("max-objects", value))); break;
	case PURGE_OPTION_CONFIRM: put("confirm", json_true()); break;
	case PURGE_OPTION_WAIT_ORIGIN: put_gate("url", value); break;
	case PURGE_OPTION_FIELD: put_gate("header", value); break;
	case PURGE_OPTION_JSON: put_gate("json", value); break;
	case PURGE_OPTION_EQUALS: put_gate("equals", value); break;
	case PURGE_OPTION_TIMEOUT: put_gate("timeout", value); break;
	case PURGE_OPTION_KEY: put_key(value); break;
	case PURGE_OPTION_FROM: from_file = value; break;
	case PURGE_OPTION_SINCE: since_text = value; break;
	case PURGE_OPTION_END: break;
	}
}

bool purge_has_options(void)
{
	return given & ~(bit_of(PURGE_OPTION_PREFIX) | bit_of(PURGE_OPTION_HOST));
}

/* ---- answers ---- */

/* An order among several: one line. */
static void show_line(const json_t *receipt)
{
	const json_t *matched = json_object_get(receipt, "matched");
	if (json_is_true(json_object_get(receipt, "dry_run")))
		printf("dry run");
	else
		printf("purge %.0f", member_number(receipt, "seq"));
	printf(": %zu URLs, lines %zu to %zu, %s", batch.count, batch.lines[0],
	    batch.lines[batch.count - 1], member(receipt, "mode"));
	if (json_object_get(matched, "objects"))
		printf(", %.0f objects", member_number(matched, "objects"));
	printf("\n");
}

/* ---- progress: for who looks at a terminal ---- */

static void show_progress(const json_t *receipt, struct mono began)
{
	const json_t *refresh = json_object_get(receipt, "refresh");
	if (!isatty(STDERR_FILENO) || mono_ms_since(began, mono_now()) < PATIENCE_MS)
		return;
	if (member_number(refresh, "queued") > 0)
		fprintf(stderr, "\r%.0f of %.0f refreshed ", member_number(refresh, "done"),
		    member_number(refresh, "queued"));
	else
		fprintf(stderr, "\rcounting what matched ");
}

static void show_waiting(void)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rwaiting until it is counted... ");
}

static void end_progress(struct mono began)
{
	if (isatty(STDERR_FILENO) && mono_ms_since(began, mono_now()) >= PATIENCE_MS)
		fprintf(stderr, "\r\033[K");
}

static void show_answer(const struct answer *a)
{
	json_t *receipt = wants_json ? NULL : body_json(a);
	if (!receipt)
		show_body(a);
	else if (batch.count > 0)
		show_line(receipt);
	else
		receipt_show(receipt);
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
		bool is_over = !receipt || receipt_is_final(receipt);
		if (!is_over)
			show_progress(receipt, began);
		else
			end_progress(began);
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

/* What became of an order that nobody may ask for: its number is in the answer that did not
 * come. */
static const char cut_short[] =
    "the answer was cut off, or did not come in time: the purge may be in force. `larderctl purge "
    "log` shows whether it is, and `larderctl purge receipt SEQ` what it matched (scope: read); it "
    "does no harm to send it again";

/* Larder ends its own wait after a while, and its answer is not the last word then. */
static enum outcome show_done(const struct answer *a)
{
	json_t *receipt = body_json(a);
	uint64_t seq = (uint64_t)json_integer_value(json_object_get(receipt, "seq"));
	bool is_over = !waits || seq == 0 || receipt_is_final(receipt);
	json_decref(receipt);
	if (!is_over && follow(seq) == OUTCOME_OK)
		return OUTCOME_OK;
	show_answer(a);
	if (is_over)
		return OUTCOME_OK;
	fprintf(stderr,
	    "larderctl: it is in force, but not all of it is known yet: `larderctl purge receipt "
	    "%" PRIu64 " --wait` shows it (scope: read)\n",
	    seq);
	return OUTCOME_PARTIAL;
}

static enum outcome send_order(const char *key)
{
	char *body = json_dumps(order_now(), JSON_COMPACT);
	bool is_preview = json_is_true(json_object_get(order, "dry_run"));
	struct mono began = mono_now();
	if (!body)
		give_up(OUTCOME_FAILED, "out of memory");
	struct question q = { .body = slice_str(body), .repeat_key = key };
	if (waits && !is_preview) {
		link_options.waiting = show_waiting;
		q.in_doubt = cut_short;
	}
	struct answer a = ask_with("POST", "/v1/purge", &q);
	free(body);
	if (link_options.waiting)
		end_progress(began);
	link_options.waiting = NULL;
	enum outcome outcome = a.status == 200 ? show_done(&a) : refused(&a);
	buf_fini(&a.bytes);
	return outcome;
}

/* ---- URLs from a file or stdin, in as many orders as they need ---- */

/* Sends what is waiting. Each order is one of its own, so it has a key of its own; the first has
 * the one that was given, as an order that is the only one. */
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
	return given & bit_of(PURGE_OPTION_FAIL_IF_EMPTY) ? OUTCOME_EMPTY : OUTCOME_OK;
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
	static const enum purge_option others[] = { PURGE_OPTION_TAG, PURGE_OPTION_PREFIX,
		PURGE_OPTION_HOST, PURGE_OPTION_ALL, PURGE_OPTION_EXPR, PURGE_OPTION_REGEX };
	allow("purge", ~bit_of(PURGE_OPTION_SINCE));
	for (int i = 0; i < count; i++)
		append("files", args[i]);
	take_header();
	if (gate)
		put("wait_origin", gate);
	if (waits)
		put("wait", json_true());
	if (gate || waits)
		link_options.patience_s = ((gate != NULL) + waits) * STAGE_S + GRACE_S;
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
	allow("purge receipt", bit_of(PURGE_OPTION_WAIT));
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
		const json_t *one = json_array_get(list, i), *said = json_object_get(one, "order");
		char *text = receipt_order_text(said);
		table_add(&t, "%.0f", member_number(one, "seq"));
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

/* Behind which purge so many are left. fail: the outcome, and why was shown. */
static enum outcome find_latest(uint64_t limit, uint64_t *ret_since)
{
	/* A number that none has: nothing is read for this. */
	struct answer a = ask("GET", "/v1/purges?since=9223372036854775806&limit=1");
	json_t *all = a.status == 200 ? body_json(&a) : NULL;
	uint64_t last = (uint64_t)json_integer_value(json_object_get(all, "last"));
	enum outcome outcome = a.status == 200 ? OUTCOME_OK : show_problem(&a);
	*ret_since = last > limit ? last - limit : 0;
	json_decref(all);
	buf_fini(&a.bytes);
	return outcome;
}

enum outcome purge_log_show(UNUSED char **args, UNUSED int count)
{
	char path[128];
	uint64_t since = 0;
	allow("purge log", bit_of(PURGE_OPTION_SINCE));
	const char *limit_text = object_options.limit ? object_options.limit : "100";
	uint64_t limit = (uint64_t)whole("limit", limit_text);
	if (limit > LIST_MAX)
		give_up(OUTCOME_USAGE, "-n %s: %d at most; --since SEQ goes on behind them",
		    limit_text, LIST_MAX);
	if (since_text && !slice_to_u64(slice_str(since_text), &since))
		give_up(OUTCOME_USAGE, "--since %s: write a whole number", since_text);
	enum outcome outcome = since_text ? OUTCOME_OK : find_latest(limit, &since);
	if (outcome != OUTCOME_OK)
		return outcome;
	snprintf(path, sizeof(path), "/v1/purges?since=%" PRIu64 "&limit=%" PRIu64, since, limit);
	return ask_and_show("GET", path, wants_json ? show_body : show_log);
}
