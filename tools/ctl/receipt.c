/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/receipt.h"

#include "tools/ctl/ask.h"
#include "tools/ctl/number.h"
#include "tools/ctl/table.h"

static const json_t *part(const json_t *receipt, const char *name)
{
	return json_object_get(receipt, name);
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
	number_print(bytes, member_number(matched, "bytes"), UNIT_BYTES);
	if (json_object_get(matched, "objects"))
		row(t, "matched", "%.0f objects, %.0f of them variants, %s%s",
		    member_number(matched, "objects"), member_number(matched, "variants"), bytes,
		    strcmp(state, "partial") == 0 ? "; the disk could not be read" : "");
	else
		row(t, "matched", "%s", state);
	if (json_object_get(matched, "in_ram"))
		row(t, "in RAM", "%.0f of them", member_number(matched, "in_ram"));
	json_t *sample = json_object_get(matched, "sample");
	for (size_t i = 0; i < json_array_size(sample); i++)
		row(t, i ? "" : "such as", "%s", json_string_value(json_array_get(sample, i)));
}

static void refresh_row(struct table *t, const json_t *receipt)
{
	const json_t *refresh = part(receipt, "refresh");
	const char *state = member(refresh, "state");
	if (*state && strcmp(state, "none") != 0)
		row(t, "refresh", "%s: %.0f of %.0f, %.0f failed", state,
		    member_number(refresh, "done"), member_number(refresh, "queued"),
		    member_number(refresh, "failed"));
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
	row(t, "asked for", "%.1f requests/s now", member_number(preview, "requests_per_s"));
	row(t, "origin", "%.0f more requests in the minute after it",
	    member_number(preview, "origin_requests_expected_per_minute"));
}

static void receipt_rows(struct table *t, const json_t *receipt)
{
	row(t, "purge", "%.0f", member_number(receipt, "seq"));
	text_row(t, "in force", member(receipt, "at"));
	row(t, "on disk", "after %.2f ms", member_number(receipt, "took_ms"));
	text_row(t, "mode", member(receipt, "mode"));
	matched_rows(t, receipt);
	text_row(t, "pattern", member(receipt, "pattern"));
	refresh_row(t, receipt);
	text_row(t, "by", member(receipt, "actor"));
	why_rows(t, receipt);
	if (json_is_false(part(receipt, "audited")))
		row(t, "audit", "its line could not be written");
}

char *receipt_order_text(const json_t *said)
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
	char *text = receipt_order_text(said);
	row(t, "purge", "%.0f", member_number(entry, "seq"));
	text_row(t, "in force", member(entry, "at"));
	text_row(t, "mode", member(said, "mode"));
	row(t, "what", "%.400s%s", text, strlen(text) > 400 ? "..." : "");
	row(t, "matched", "not known any more");
	text_row(t, "by", member(entry, "actor"));
	why_rows(t, said);
	free(text);
}

void receipt_show(const json_t *receipt)
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

bool receipt_is_final(const json_t *receipt)
{
	return strcmp(member(part(receipt, "matched"), "state"), "counting") != 0 &&
	    strcmp(member(part(receipt, "refresh"), "state"), "running") != 0;
}
