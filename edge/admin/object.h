/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is stored, for people who look:
 *
 *	GET /v1/object?url=URL    all there is at a URL, each variant in each tier; 404 = nothing
 *	GET /v1/objects           a page of what there is: &host=, &prefix= (of the URL, or of the path
 *	                          when it begins with '/'), &tier=hot|cold, &limit=, &cursor= where the
 *	                          page before it ended
 *	GET /v1/objects/top       what was asked for most often of what is in RAM: &limit=
 *
 * Looking changes nothing: it counts as no hit and brings nothing from disk to RAM. What one call
 * costs is bounded: a page may be short, or empty, although more follows, and a few objects longer
 * than its limit; the cursor tells. The hot tier comes first, then the disk, without what was in
 * RAM when the page was made. What moves between the tiers while one pages may come twice, or not.
 */
#pragma once

#include "edge/admin/admin.h"
#include "edge/admin/reply.h"

enum { OBJECTS_MAX = 1000 };

void object_show(struct admin *, struct reply *) ON_LOOP;
void object_list(struct admin *, struct reply *) ON_LOOP;
void object_top(struct admin *, struct reply *) ON_LOOP;

/*
 * The key of a URL as a request for it would have it, by the settings in force. False when it is no
 * URL of ours, or the arena is full.
 */
bool object_key(struct admin *, struct slice url, struct arena *, struct key *ret_key) ON_LOOP;
#define OBJECT_BAD_URL "url= must be a whole URL, such as http://shop.example/x"
