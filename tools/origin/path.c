/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/origin/path.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/origin/content.h"

enum {
	PATHS = 1 << 20, /* paths counted one by one; later ones share the total only */
	LISTED = 1000,   /* paths named by /-/stats */
	BUCKETS = 1 << 16,
	YEAR_2024 = 1704067200, /* no content is older than that */
};

static struct path *paths[BUCKETS];
struct count count;

struct path *path_find(const char *name, bool make)
{
	struct path **at = &paths[fnv1a64(name) % BUCKETS];
	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	if (*at || !make)
		return *at;
	if (count.paths >= PATHS && strcmp(name, "*") != 0)
		return path_find("*", true);
	struct path *p = calloc(1, sizeof *p + strlen(name) + 1);
	if (!p)
		abort();
	p->revision = 1;
	p->changed = YEAR_2024 + (time_t)(fnv1a64(name) % (300 * 86400));
	memcpy(p->name, name, strlen(name) + 1);
	count.paths++;
	return *at = p;
}

void path_change(struct path *p)
{
	p->revision++;
	p->changed = time(NULL);
}

void make_path_stats(struct text *t, const char *name)
{
	const struct path *p = path_find(name, false);
	text_print(t, "{\"path\":");
	text_quote(t, name);
	text_print(t, ",\"requests\":%" PRIu64 ",\"revision\":%u}\n", p ? p->requests : 0,
	    p ? p->revision : 1);
}

void make_stats(struct text *t)
{
	text_print(t,
	    "{\"requests\":%" PRIu64 ",\"not_modified\":%" PRIu64 ",\"bytes\":%" PRIu64 ",",
	    count.requests, count.not_modified, count.bytes);
	text_print(t,
	    "\"connections\":{\"accepted\":%" PRIu64 ",\"open\":%" PRIu64 "},\n\"paths\":{",
	    count.accepted, count.open);
	size_t listed = 0;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct path *p = paths[i]; p && listed < LISTED; p = p->next) {
			if (!p->requests)
				continue;
			text_print(t, listed++ ? ",\n" : "\n");
			text_quote(t, p->name);
			text_print(t, ":%" PRIu64, p->requests);
		}
	}
	text_print(t, "}}\n");
}

void stats_reset(void)
{
	count.requests = count.not_modified = count.accepted = count.bytes = 0;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct path *p = paths[i]; p; p = p->next)
			p->requests = 0;
}
