/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/origin/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/origin/content.h"
#include "tools/origin/picture.h"
#include "tools/origin/shop.h"

struct failing failing;

const char *reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = { { 200, "OK" }, { 204, "No Content" }, { 206, "Partial Content" },
		{ 304, "Not Modified" }, { 400, "Bad Request" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 416, "Range Not Satisfiable" },
		{ 500, "Internal Server Error" }, { 503, "Service Unavailable" } };
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "As Asked";
}

void date_print(char to[32], time_t when)
{
	struct tm tm;
	strftime(to, 32, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&when, &tm));
}

static void variant_read(struct text *t, const struct request *r)
{
	char names[256], *rest = names, *name;
	snprintf(names, sizeof names, "%s", r->ask.vary ? r->ask.vary : "");
	while ((name = strsep(&rest, ", "))) {
		const char *value = *name ? field(r, name) : NULL;
		if (value)
			text_print(t, "%s%s", t->len ? "; " : "", value);
	}
	text_add(t, "", 1);
}

/* What a browser shows: it is told when that was made, and may keep pictures for minutes. */
static void make_sight(struct answer *a, const struct request *r, unsigned revision, size_t size)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	a->made_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (!strcmp(r->path, "/")) {
		a->type = "text/html; charset=utf-8";
		make_shop(&a->text, revision, a->variant.at);
	} else {
		a->type = "image/svg+xml";
		a->lasts = "max-age=300, stale-while-revalidate=600, stale-if-error=86400";
		make_picture(&a->text, seed_of(r->path + 10) + (revision - 1) * GOLDEN);
	}
	text_comment(&a->text, size);
}

static void make_body(struct answer *a, const struct request *r, const struct path *p)
{
	int64_t asked = r->ask.size;
	size_t size = asked > TEXT_BYTES ? TEXT_BYTES : asked > 0 ? (size_t)asked : 0;
	a->type = "application/json";
	if (!strncmp(r->path, "/images/", 8)) {
		a->type = "image/png";
		a->pattern = true;
		a->seed = fnv1a64(r->path + 8) + (p->revision - 1) * GOLDEN;
		a->size = asked == UNSET ? PIECE_BYTES : (uint64_t)asked;
	} else if (!strcmp(r->path, "/") || !strncmp(r->path, "/pictures/", 10)) {
		make_sight(a, r, p->revision, size);
	} else if (!strcmp(r->path, "/products")) {
		make_list(a, &r->ask, p->revision, size);
	} else if (!strncmp(r->path, "/products/", 10)) {
		make_product(a, r->path + 10, p->revision, size);
	} else {
		a->type = "text/html; charset=utf-8";
		make_page(a, r->path, p->revision, size);
	}
	a->size = a->pattern ? a->size : a->text.len;
}

static void make_validators(struct answer *a, const struct request *r, const struct path *p)
{
	const struct ask *ask = &r->ask;
	uint64_t h = fnv1a64_more(fnv1a64(r->path), a->variant.at);
	h = fnv1a64_more(h, ask->sort ? ask->sort : "");
	h = splitmix64(h + (uint64_t)ask->page) + (uint64_t)ask->size;
	a->changed = p->changed;
	if (!ask->etag || strcmp(ask->etag, "0") != 0)
		snprintf(a->etag, sizeof a->etag, "%s\"r%u-%08x\"",
		    ask->etag && !strcmp(ask->etag, "weak") ? "W/" : "", p->revision, (uint32_t)h);
	if (ask->lm)
		date_print(a->modified, p->changed);
}

static bool is_not_modified(const struct request *r, const struct answer *a)
{
	const char *tags = field(r, "If-None-Match"), *since = field(r, "If-Modified-Since");
	const char *opaque = strchr(a->etag, '"');
	struct tm tm = {};
	if (tags)
		return !strcmp(tags, "*") || (opaque && strstr(tags, opaque));
	return since && *a->modified && strptime(since, "%a, %d %b %Y %H:%M:%S GMT", &tm) &&
	    timegm(&tm) >= a->changed;
}

/* Narrows the answer to the one range that was asked for; several at once get the whole. */
static void range_read(const struct request *r, struct answer *a)
{
	const char *spec = field(r, "Range"), *guard = field(r, "If-Range");
	uint64_t first = 0, last = 0, size = a->size;
	if (!is(r, "GET") || !spec || !r->ask.range || strchr(spec, ','))
		return;
	if (guard && (*guard == 'W' || strcmp(guard, a->etag) != 0) &&
	    strcmp(guard, a->modified) != 0)
		return;
	int found = sscanf(spec, "bytes=-%" SCNu64, &last);
	if (found == 1)
		first = last < size ? size - last : 0;
	else
		found = 1 + sscanf(spec, "bytes=%" SCNu64 "-%" SCNu64, &first, &last);
	if (found < 1 || (found == 3 && last < first))
		return;
	if (found < 3 || last >= size)
		last = size - 1;
	a->status = first < size ? 206 : 416;
	a->pos = first < size ? first : 0;
	a->end = first < size ? last + 1 : 0;
	if (a->status == 206)
		snprintf(a->range, sizeof a->range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first,
		    last, size);
	else
		snprintf(a->range, sizeof a->range, "bytes */%" PRIu64, size);
}

static void fail_as(const char *mode, int64_t status)
{
	failing.mode = !mode ? ANSWERS : strcmp(mode, "hang") ? CLOSES : HANGS;
	failing.status = status > 0 ? status : 503;
}

void answer_control(struct answer *a, const struct request *r)
{
	const char *verb = r->path + 3;
	bool stats = !strcmp(verb, "stats"), post = is(r, "POST");
	a->type = "application/json";
	a->status = stats || post ? 200 : 405;
	if (stats && r->ask.path) {
		make_path_stats(&a->text, r->ask.path);
	} else {
		if (post && !strcmp(verb, "reset"))
			stats_reset();
		else if (post && !strcmp(verb, "ok"))
			failing.mode = WELL;
		else if (post && !strcmp(verb, "fail"))
			fail_as(r->ask.mode, r->ask.status);
		else if (!stats)
			a->status = post ? 404 : 405;
		make_stats(&a->text);
	}
	a->end = a->size = a->text.len;
}

void answer_resource(struct answer *a, const struct request *r, struct path *p)
{
	bool reads = is(r, "GET") || is(r, "HEAD");
	a->status = r->ask.status > 0 ? (int)r->ask.status : is(r, "DELETE") ? 204 : 200;
	if (!reads && a->status < 400)
		path_change(p);
	variant_read(&a->variant, r);
	make_body(a, r, p);
	a->end = a->size;
	if (a->status < 400)
		make_validators(a, r, p);
	if (reads && a->status == 200 && is_not_modified(r, a))
		a->status = 304;
	else if (a->status == 200)
		range_read(r, a);
	count.not_modified += a->status == 304;
}

void answer_text(struct answer *a, int status, const char *type, struct text *body)
{
	a->status = status;
	a->type = type;
	a->text = *body;
	a->end = a->size = body->len;
	*body = (struct text){};
}
