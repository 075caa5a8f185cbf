/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/keyring.h"

#include "edge/base/log.h"

static struct keyring_set *find(struct keyring *k, struct slice path)
{
	for (size_t i = 0; i < k->count; i++)
		if (slice_eq(slice_str(k->sets[i].path), path))
			return &k->sets[i];
	return NULL;
}

static enum err add(struct keyring *k, struct slice path, struct keyring_set **ret)
{
	if (k->count == KEYRING_SETS)
		return ERR_BUSY;
	struct keyring_set *set = &k->sets[k->count];
	enum err e = tickets_new(&set->tickets);
	if (e != ERR_NONE)
		return e;
	set->path = slice_to_str(path);
	k->count++;
	*ret = set;
	return ERR_NONE;
}

enum err keyring_find(
    struct keyring *k, struct slice path, struct tickets **ret, char *why, size_t why_room)
{
	struct keyring_set *set = find(k, path);
	enum err e = set ? ERR_NONE : add(k, path, &set);
	if (e == ERR_NONE && path.len > 0)
		e = tickets_read(set->tickets, set->path, why, why_room);
	else if (e != ERR_NONE)
		snprintf(why, why_room, "ticket keys: %s", err_text(e));
	if (e == ERR_NONE)
		*ret = set->tickets;
	return e;
}

void keyring_turn(struct keyring *k)
{
	struct keyring_set *own = find(k, SL(""));
	if (own && tickets_rotate(own->tickets) != ERR_NONE)
		log_warn("tls: no randomness for a new ticket key, the one before stays in use");
}

void keyring_fini(struct keyring *k)
{
	for (size_t i = 0; i < k->count; i++) {
		tickets_free(&k->sets[i].tickets);
		free(k->sets[i].path);
	}
	k->count = 0;
}
