/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/receipt.h"

bool receipt_is_final(const struct receipt *r)
{
	bool is_refreshed = !r->wants_refresh ||
	    (r->is_queued && r->refreshed + r->failed >= r->queued);
	return r->is_skipped || (r->is_counted && is_refreshed);
}

static void write_text(struct buf *to, const char *name, const char *text)
{
	if (!*text)
		return;
	buf_addf(to, ",\"%s\":", name);
	buf_add_json(to, slice_str(text));
}

static void write_samples(
    struct buf *to, const char (*samples)[SURVEY_SAMPLE_BYTES], unsigned count)
{
	buf_add(to, SL(",\"sample\":["));
	for (unsigned i = 0; i < count; i++) {
		buf_add(to, i ? SL(",") : SLICE_NONE);
		buf_add_json(to, slice_str(samples[i]));
	}
	buf_add_char(to, ']');
}

static void write_matched(struct buf *to, const struct receipt *r)
{
	const char *state = r->is_skipped ? "skipped"
	    : !r->is_counted              ? "counting"
	    : r->is_partial               ? "partial"
					  : "done";
	buf_addf(to, ",\"matched\":{\"state\":\"%s\"", state);
	if (r->is_counted)
		buf_addf(to, ",\"objects\":%" PRIu64 ",\"variants\":%" PRIu64 ",\"bytes\":%" PRIu64,
		    r->objects, r->variants, r->bytes);
	write_samples(to, r->samples, r->sample_count);
	buf_add_char(to, '}');
}

static void write_refresh(struct buf *to, const struct receipt *r)
{
	uint64_t ended = r->refreshed + r->failed;
	bool runs = r->wants_refresh && (!r->is_queued || ended < r->queued);
	const char *state = !r->wants_refresh ? "none"
	    : r->is_skipped                   ? "skipped"
	    : runs                            ? "running"
					      : "done";
	buf_addf(to,
	    ",\"refresh\":{\"state\":\"%s\",\"queued\":%" PRIu64 ",\"done\":%" PRIu64
	    ",\"failed\":%" PRIu64 "}",
	    state, r->queued, r->refreshed, r->failed);
}

void receipt_write(const struct receipt *r, struct buf *to)
{
	char at[WALL_TEXT] = "";
	wall_write(r->at, at);
	buf_addf(to,
	    "{\"seq\":%" PRIu64
	    ",\"at\":\"%s\",\"mode\":\"%s\",\"scopes\":%zu,\"durable\":true,\"took_ms\":%.3f",
	    r->seq, at, r->mode == PURGE_HARD ? "hard" : "soft", r->scopes,
	    (double)r->disk_us / 1000);
	if (r->has_pattern)
		buf_addf(to, ",\"pattern\":\"%s\"", r->is_swept ? "swept" : "sweeping");
	if (r->has_audit)
		buf_addf(to, ",\"audited\":%s", r->is_audited ? "true" : "false");
	write_matched(to, r);
	write_refresh(to, r);
	write_text(to, "actor", r->actor);
	write_text(to, "reason", r->reason);
	write_text(to, "deploy_id", r->deploy_id);
	buf_add_char(to, '}');
}

void preview_write(const struct order *o, const struct survey *v, struct buf *to)
{
	buf_addf(to,
	    "{\"dry_run\":true,\"mode\":\"%s\",\"scopes\":%zu,\"matched\":{\"state\":\"done\","
	    "\"objects\":%" PRIu64 ",\"variants\":%" PRIu64 ",\"bytes\":%" PRIu64
	    ",\"in_ram\":%" PRIu64,
	    o->mode == PURGE_HARD ? "hard" : "soft", o->scope_count, v->objects, v->variants,
	    v->bytes, v->in_ram);
	write_samples(to, v->samples, v->sample_count);
	buf_addf(to, "},\"requests_per_s\":%.1f,\"origin_requests_expected_per_minute\":%.0f}\n",
	    v->requests_per_s, v->origin_per_minute);
}

void receipt_write_entry(const struct receipt *r, struct buf *to)
{
	char at[WALL_TEXT] = "";
	wall_write(r->at, at);
	buf_addf(to, "{\"at\":\"%s\",\"actor\":", at);
	buf_add_json(to, slice_str(r->actor));
	buf_addf(to, ",\"order\":{\"mode\":\"%s\"", r->mode == PURGE_HARD ? "hard" : "soft");
	write_text(to, "reason", r->reason);
	write_text(to, "deploy_id", r->deploy_id);
	buf_add(to, SL("}}"));
}
