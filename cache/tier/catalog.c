/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/catalog.h"

#include "cache/tier/store.h"

/* ---- keys ---- */

/* Splits "scheme://authority/path" into what stands behind "://" up to the path, and the path. */
static struct slice split(struct slice url, struct slice *ret_path)
{
	struct slice rest = slice_from(url, slice_find_slice(url, SL("://")) + 3);
	size_t end = slice_find(rest, '/');
	*ret_path = slice_from(rest, end);
	return slice_first(rest, end);
}

/* The same host when the filter names no port: then any port will do. */
static bool is_host(struct slice authority, struct slice host)
{
	if (!slice_starts_nocase(authority, host))
		return false;
	struct slice port = slice_from(authority, host.len);
	return port.len == 0 || slice_starts(port, SL(":"));
}

bool key_fits(const struct key_filter *filter, struct slice key)
{
	struct slice url = key_url(key), path;
	struct slice authority = split(url, &path);
	if (filter->host.len && !is_host(authority, filter->host))
		return false;
	bool is_path = filter->prefix.len && filter->prefix.at[0] == '/';
	return slice_starts(is_path ? path : url, filter->prefix);
}

/* ---- records ---- */

/* Whether somebody could be served from it. */
static bool counts(const struct store *s, const struct record *r)
{
	return ledger_holds(&s->ledger, r->span);
}

/* Keeps a record's object. False without memory. */
static bool keep(struct catalog *look, const struct record *r, struct hash128 hash) ON_WORKER
{
	struct object *head = record_object(r, hash);
	if (!head) {
		look->err = ERR_NO_MEMORY;
		return false;
	}
	bool is_purged = !store_admits(look->store, head);
	look->items[look->count++] = (struct catalog_item){ head, r->body_bytes, r->span.first,
		is_purged };
	return true;
}

static bool make_room(struct catalog *look, size_t items)
{
	look->items = calloc(items ? items : 1, sizeof(*look->items));
	if (!look->items)
		look->err = ERR_NO_MEMORY;
	return look->items;
}

/* Lets nobody close the store. False when it is closed already. */
static bool enter(struct catalog *look)
{
	if (gate_enter(&look->store->gate))
		return true;
	look->err = ERR_STORE_IO;
	return false;
}

/* ---- finding ---- */

/* Looks at one hash. Returns what was kept of it; NULL = nothing. */
static const struct object *find_one(struct catalog *look, struct hash128 hash) ON_WORKER
{
	struct store *s = look->store;
	struct meta_key key = meta_key_of(hash);
	struct rocks_value value;
	struct record record;
	uint32_t moment;
	if (!forgets_moment(&s->forgets, hash, &moment))
		return NULL;
	enum rocks_look found = store_get(s, ROCKS_META, KEY_SLICE(key), &value);
	if (found == ROCKS_FAILED)
		look->err = ERR_STORE_IO;
	if (found != ROCKS_FOUND)
		return NULL;
	bool is_kept = record_read(value.bytes, &record) == ERR_NONE && counts(s, &record) &&
	    keep(look, &record, hash);
	rocks_unpin(&value);
	return is_kept ? look->items[look->count - 1].object : NULL;
}

static bool is_asked_for(const struct catalog *look, struct hash128 hash)
{
	for (size_t i = 0; i < look->hash_count; i++)
		if (hash128_eq(look->hashes[i], hash))
			return true;
	return false;
}

static void find(struct catalog *look) ON_WORKER
{
	size_t variants = 0;
	for (size_t i = 0; i < look->hash_count; i++) {
		const struct object *o = find_one(look, look->hashes[i]);
		for (uint32_t v = 0; o && v < o->variant_count && variants < CATALOG_HASHES; v++) {
			if (is_asked_for(look, o->variants[v]))
				continue;
			find_one(look, o->variants[v]);
			variants++;
		}
	}
}

static void work_find(struct job *job)
{
	role_worker();
	struct catalog *look = CONTAINER_OF(job, struct catalog, job);
	if (make_room(look, look->hash_count + CATALOG_HASHES) && enter(look)) {
		find(look);
		gate_leave(&look->store->gate);
	}
	mail_post(look->home, &look->mail);
}

/* ---- walking ---- */

static bool hash_of_key(struct slice key, struct hash128 *ret_hash)
{
	if (key.len != sizeof(*ret_hash))
		return false;
	memcpy(ret_hash, key.at, sizeof(*ret_hash));
	return true;
}

/* One record on the way. False without memory. */
static bool meet(struct catalog *look, struct slice value) ON_WORKER
{
	struct record record;
	uint32_t moment;
	bool fits = record_read(value, &record) == ERR_NONE &&
	    key_fits(&look->filter, record.key) && counts(look->store, &record) &&
	    forgets_moment(&look->store->forgets, look->from, &moment);
	return !fits || keep(look, &record, look->from);
}

/* The record where it ends is looked at no more: there the next part begins. */
static void walk(struct catalog *look) ON_WORKER
{
	struct meta_key from = meta_key_of(look->from);
	struct slice key, value;
	enum err err = ERR_NONE;
	struct rocks_walk *w = rocks_walk_new(look->store->rocks, ROCKS_META, KEY_SLICE(from));
	for (int looked = 0;; looked++, rocks_walk_next(w)) {
		look->is_over = !rocks_walk_at(w, &key, &value, &err);
		if (look->is_over)
			break;
		if (!hash_of_key(key, &look->from))
			continue;
		if (looked >= CATALOG_LOOKS || look->count == look->limit || !meet(look, value))
			break;
	}
	rocks_walk_free(&w);
	store_tell(look->store, HEALTH_READS, err);
	look->err = err ? err : look->err;
}

static void work_walk(struct job *job)
{
	role_worker();
	struct catalog *look = CONTAINER_OF(job, struct catalog, job);
	if (make_room(look, look->limit) && enter(look)) {
		walk(look);
		gate_leave(&look->store->gate);
	}
	mail_post(look->home, &look->mail);
}

/* ---- a look's life ---- */

static void on_found(struct mail *mail)
{
	role_loop();
	struct catalog *look = CONTAINER_OF(mail, struct catalog, mail);
	look->done(look);
}

static bool begin(struct cold *cold, struct catalog *look, job_f *work) ON_LOOP
{
	look->job = (struct job){ .work = work };
	look->err = ERR_NONE;
	look->count = 0;
	mail_init(&look->mail, on_found);
	return cold_look(cold, &look->job, &look->store);
}

bool catalog_find(struct cold *cold, struct catalog *look)
{
	must(look->hash_count <= CATALOG_HASHES);
	return begin(cold, look, work_find);
}

bool catalog_walk(struct cold *cold, struct catalog *look)
{
	must(look->limit <= CATALOG_ITEMS);
	return begin(cold, look, work_walk);
}

void catalog_fini(struct catalog *look)
{
	for (size_t i = 0; look->items && i < look->count; i++)
		object_unref(&look->items[i].object);
	free(look->items);
	look->items = NULL;
	look->count = 0;
}
