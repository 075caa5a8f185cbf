/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/receipt.c"

#include <jansson.h>

#include "test/unit/edge/http/kit.h"

/* A purge as it is when it has just taken force. */
static struct receipt begun(void)
{
	return (struct receipt){
		.seq = 17,
		.number = 18,
		.at = NOON,
		.disk_us = 1234,
		.mode = PURGE_SOFT,
		.scopes = 2,
		.actor = "ci",
	};
}

static void check_written(const char *row, const struct receipt *r, const char *want)
{
	struct buf to;
	buf_init(&to, 0);
	receipt_write(r, &to);
	CHECK_SLICE(row, buf_slice(&to), want);
	json_t *json = json_loadb(to.at, to.len, JSON_REJECT_DUPLICATES, NULL);
	CHECK(row, json_is_object(json));
	json_decref(json);
	buf_fini(&to);
}

#define HEAD                                                                                       \
	"{\"seq\":17,\"at\":\"2026-06-15T12:00:00.000Z\",\"mode\":\"soft\",\"scopes\":2,"          \
	"\"durable\":true,\"took_ms\":1.234"
#define UNCOUNTED ",\"matched\":{\"state\":\"counting\",\"sample\":[]}"
#define NO_REFRESH ",\"refresh\":{\"state\":\"none\",\"queued\":0,\"done\":0,\"failed\":0}"
#define WHO ",\"actor\":\"ci\"}"

static void test_begun(void)
{
	struct receipt r = begun();
	check_written("begun", &r, HEAD UNCOUNTED NO_REFRESH WHO);
}

static void test_texts(void)
{
	struct receipt r = begun();
	strcpy(r.actor, "cert:a\"b");
	strcpy(r.reason, "price \\ \xc3\xa4");
	strcpy(r.deploy_id, "d\n1");
	check_written("texts", &r,
	    HEAD UNCOUNTED NO_REFRESH ",\"actor\":\"cert:a\\\"b\",\"reason\":\"price \\\\ "
				      "\xc3\xa4\",\"deploy_id\":\"d\\u000a1\"}");
	r.actor[0] = r.reason[0] = r.deploy_id[0] = '\0';
	check_written("none", &r, HEAD UNCOUNTED NO_REFRESH "}");
}

static void test_modes(void)
{
	struct receipt r = begun();
	r.mode = PURGE_HARD;
	r.disk_us = 0;
	r.scopes = 0;
	r.at = (struct wall){ NOON_S * 1000 + 7 };
	check_written("hard", &r,
	    "{\"seq\":17,\"at\":\"2026-06-15T12:00:00.007Z\",\"mode\":\"hard\",\"scopes\":0,"
	    "\"durable\":true,\"took_ms\":0.000" UNCOUNTED NO_REFRESH WHO);
	r = begun();
	r.has_pattern = true;
	check_written("sweeping", &r, HEAD ",\"pattern\":\"sweeping\"" UNCOUNTED NO_REFRESH WHO);
	r.is_swept = true;
	check_written("swept", &r, HEAD ",\"pattern\":\"swept\"" UNCOUNTED NO_REFRESH WHO);
	r = begun();
	r.has_audit = true;
	check_written("not audited", &r, HEAD ",\"audited\":false" UNCOUNTED NO_REFRESH WHO);
	r.is_audited = true;
	check_written("audited", &r, HEAD ",\"audited\":true" UNCOUNTED NO_REFRESH WHO);
}

static void test_matched(void)
{
	struct receipt r = begun();
	r.is_counted = true;
	check_written("nothing matched", &r,
	    HEAD ",\"matched\":{\"state\":\"done\",\"objects\":0,\"variants\":0,\"bytes\":0,"
		 "\"sample\":[]}" NO_REFRESH WHO);
	r.objects = 3;
	r.variants = 5;
	r.bytes = INT64_MAX;
	r.sample_count = 2;
	strcpy(r.samples[0], "http://a/1");
	strcpy(r.samples[1], "http://a/\"");
	check_written("some", &r,
	    HEAD
	    ",\"matched\":{\"state\":\"done\",\"objects\":3,\"variants\":5,"
	    "\"bytes\":9223372036854775807,\"sample\":[\"http://a/1\",\"http://a/\\\"\"]}" NO_REFRESH
		WHO);
	r.is_partial = true;
	r.sample_count = 0;
	check_written("partial", &r,
	    HEAD ",\"matched\":{\"state\":\"partial\",\"objects\":3,\"variants\":5,"
		 "\"bytes\":9223372036854775807,\"sample\":[]}" NO_REFRESH WHO);
	r = begun();
	r.is_skipped = true;
	check_written("skipped", &r,
	    HEAD ",\"matched\":{\"state\":\"skipped\",\"sample\":[]}" NO_REFRESH WHO);
	/* All the samples that there is room for. */
	r = begun();
	r.is_counted = true;
	for (; r.sample_count < SURVEY_SAMPLES; r.sample_count++)
		memset(r.samples[r.sample_count], 'x', SURVEY_SAMPLE_BYTES - 1);
	struct buf to;
	buf_init(&to, 0);
	receipt_write(&r, &to);
	CU_ASSERT(!to.overflow);
	CU_ASSERT(to.len > SURVEY_SAMPLES * SURVEY_SAMPLE_BYTES);
	buf_fini(&to);
}

/* What is still to be done, and whether anybody need wait for it. */
static void test_progress(void)
{
	static const struct {
		const char *row;
		bool is_counted, is_skipped, wants_refresh, is_queued;
		uint64_t queued, refreshed, failed;
		const char *state;
		bool is_final;
	} rows[] = {
		{ "begun", false, false, false, false, 0, 0, 0, "none", false },
		{ "counted", true, false, false, false, 0, 0, 0, "none", true },
		{ "skipped", false, true, false, false, 0, 0, 0, "none", true },
		{ "begun, to refresh", false, false, true, false, 0, 0, 0, "running", false },
		{ "counted, not queued", true, false, true, false, 0, 0, 0, "running", false },
		{ "queued, not counted", false, false, true, true, 2, 2, 0, "done", false },
		{ "none to refresh", true, false, true, true, 0, 0, 0, "done", true },
		{ "queued", true, false, true, true, 3, 0, 0, "running", false },
		{ "some", true, false, true, true, 3, 1, 1, "running", false },
		{ "all", true, false, true, true, 3, 3, 0, "done", true },
		{ "all, with failures", true, false, true, true, 3, 1, 2, "done", true },
		{ "all failed", true, false, true, true, 3, 0, 3, "done", true },
		{ "skipped, to refresh", false, true, true, false, 0, 0, 0, "skipped", true },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct receipt r = begun();
		char want[100];
		struct buf to;
		r.is_counted = rows[i].is_counted;
		r.is_skipped = rows[i].is_skipped;
		r.wants_refresh = rows[i].wants_refresh;
		r.is_queued = rows[i].is_queued;
		r.queued = rows[i].queued;
		r.refreshed = rows[i].refreshed;
		r.failed = rows[i].failed;
		CHECK(rows[i].row, receipt_is_final(&r) == rows[i].is_final);
		snprintf(want, sizeof(want),
		    ",\"refresh\":{\"state\":\"%s\",\"queued\":%" PRIu64 ",\"done\":%" PRIu64
		    ",\"failed\":%" PRIu64 "}",
		    rows[i].state, rows[i].queued, rows[i].refreshed, rows[i].failed);
		buf_init(&to, 0);
		receipt_write(&r, &to);
		size_t at = slice_find_slice(buf_slice(&to), SL(",\"refresh\":"));
		struct slice rest = slice_from(buf_slice(&to), at);
		CHECK_SLICE(rows[i].row, slice_first(rest, strlen(want)), want);
		buf_fini(&to);
	}
}

static void test_entries(void)
{
	struct receipt r = begun();
	struct buf to;
	buf_init(&to, 0);
	receipt_write_entry(&r, &to);
	CHECK_SLICE("entry", buf_slice(&to),
	    "{\"at\":\"2026-06-15T12:00:00.000Z\",\"actor\":\"ci\",\"order\":{\"mode\":\"soft\"}}");
	buf_clear(&to);
	r.mode = PURGE_HARD;
	strcpy(r.reason, "why");
	strcpy(r.deploy_id, "7");
	receipt_write_entry(&r, &to);
	CHECK_SLICE("entry", buf_slice(&to),
	    "{\"at\":\"2026-06-15T12:00:00.000Z\",\"actor\":\"ci\",\"order\":{\"mode\":\"hard\","
	    "\"reason\":\"why\",\"deploy_id\":\"7\"}}");
	buf_fini(&to);
}

static void test_previews(void)
{
	struct order o = { .mode = PURGE_SOFT, .scope_count = 4 };
	struct survey v = { .objects = 0 };
	struct buf to;
	buf_init(&to, 0);
	preview_write(&o, &v, &to);
	CHECK_SLICE("nothing", buf_slice(&to),
	    "{\"dry_run\":true,\"mode\":\"soft\",\"scopes\":4,\"matched\":{\"state\":\"done\","
	    "\"objects\":0,\"variants\":0,\"bytes\":0,\"in_ram\":0,\"sample\":[]},"
	    "\"requests_per_s\":0.0,\"origin_requests_expected_per_minute\":0}\n");
	buf_clear(&to);
	o.mode = PURGE_HARD;
	v = (struct survey){
		.objects = 1000000,
		.variants = 1000001,
		.bytes = 5000000000,
		.in_ram = 7,
		.requests_per_s = 12.34,
		.origin_per_minute = 55.5,
		.samples = { "http://a/1", "http://a/\xff" },
		.sample_count = 2,
	};
	preview_write(&o, &v, &to);
	CHECK_SLICE("much", buf_slice(&to),
	    "{\"dry_run\":true,\"mode\":\"hard\",\"scopes\":4,\"matched\":{\"state\":\"done\","
	    "\"objects\":1000000,\"variants\":1000001,\"bytes\":5000000000,\"in_ram\":7,"
	    "\"sample\":[\"http://a/1\",\"http://a/\\u00ff\"]},"
	    "\"requests_per_s\":12.3,\"origin_requests_expected_per_minute\":56}\n");
	buf_fini(&to);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "begun", test_begun },
		{ "texts", test_texts },
		{ "modes, patterns, audit", test_modes },
		{ "matched", test_matched },
		{ "progress", test_progress },
		{ "entries", test_entries },
		{ "previews", test_previews },
		CU_TEST_INFO_NULL,
	};
	return kit_run("purge/receipt", tests);
}
