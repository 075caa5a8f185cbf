/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/notes.h"

#include "cache/tier/store.h"

#define PATTERN_PREFIX "pattern "

/* ---- writing ---- */

struct fence_key {
	char bytes[10];
};

static struct fence_key key_of(struct scope scope, enum purge_mode mode)
{
	struct fence_key key;
	key.bytes[0] = (char)scope.kind;
	key.bytes[1] = (char)mode;
	memcpy(key.bytes + 2, &scope.id, sizeof(scope.id));
	return key;
}

/* As it is kept, in the machine's order. */
struct fence_value {
	uint64_t number;
	int64_t at_ms;
};

void notes_put_scope(struct rocks_batch *b, struct rocks *rocks, struct scope scope,
    struct purge_act act, uint64_t number)
{
	struct fence_key key = key_of(scope, act.mode);
	struct fence_value kept = { number, act.at.ms };
	struct slice value = slice_of((const char *)&kept, sizeof(kept));
	rocks_batch_put(b, rocks, ROCKS_FENCE, KEY_SLICE(key), &value, 1);
}

struct pattern_key {
	char text[32];
};

static struct pattern_key pattern_key_of(uint64_t number)
{
	struct pattern_key key;
	snprintf(key.text, sizeof(key.text), PATTERN_PREFIX "%016" PRIx64, number);
	return key;
}

void notes_put_pattern(
    struct rocks_batch *b, struct rocks *rocks, uint64_t number, struct slice text)
{
	struct pattern_key key = pattern_key_of(number);
	rocks_batch_put(b, rocks, ROCKS_CONTROL, slice_str(key.text), &text, 1);
}

void notes_drop_pattern(struct rocks_batch *b, struct rocks *rocks, uint64_t number)
{
	struct pattern_key key = pattern_key_of(number);
	rocks_batch_delete(b, rocks, ROCKS_CONTROL, slice_str(key.text));
}

void notes_put_text(
    struct rocks_batch *b, struct rocks *rocks, uint64_t seq, uint64_t number, struct slice text)
{
	struct rocks_id key = rocks_id_of(seq);
	struct slice parts[] = { slice_of((const char *)&number, sizeof(number)), text };
	rocks_batch_put(b, rocks, ROCKS_PURGES, KEY_SLICE(key), parts, COUNT_OF(parts));
}

/* ---- reading ---- */

bool notes_recall(struct store *s, struct scope scope, struct purge_mark *ret_mark)
{
	*ret_mark = (struct purge_mark){ 0 };
	for (enum purge_mode mode = 0; mode < PURGE_MODES; mode++) {
		struct fence_key key = key_of(scope, mode);
		struct rocks_value value;
		struct fence_value kept = { 0 };
		enum rocks_look look = store_get(s, ROCKS_FENCE, KEY_SLICE(key), &value);
		if (look == ROCKS_FAILED)
			return false;
		if (look != ROCKS_FOUND)
			continue;
		if (value.bytes.len == sizeof(kept))
			memcpy(&kept, value.bytes.at, sizeof(kept));
		rocks_unpin(&value);
		ret_mark->numbers[mode] = kept.number;
		if (mode == PURGE_SOFT)
			ret_mark->soft_at.ms = kept.at_ms;
	}
	return true;
}

uint64_t notes_number(struct slice value)
{
	struct fence_value kept = { 0 };
	if (value.len == sizeof(kept))
		memcpy(&kept, value.at, sizeof(kept));
	return kept.number;
}

enum err notes_read(struct store *s, uint64_t seq, notes_entry_f *show, void *arg)
{
	struct rocks_id from = rocks_id_of(seq);
	struct slice key, value;
	enum err err;
	struct rocks_walk *walk = rocks_walk_new(s->rocks, ROCKS_PURGES, KEY_SLICE(from));
	for (; rocks_walk_at(walk, &key, &value, &err); rocks_walk_next(walk)) {
		uint64_t number;
		if (key.len != sizeof(seq) || value.len < sizeof(number))
			continue;
		memcpy(&seq, key.at, sizeof(seq));
		memcpy(&number, value.at, sizeof(number));
		if (!show(arg, __builtin_bswap64(seq), number, slice_from(value, sizeof(number))))
			break;
	}
	rocks_walk_free(&walk);
	return err;
}

enum err notes_patterns(struct store *s, notes_pattern_f *show, void *arg)
{
	struct slice key, value, prefix = SL(PATTERN_PREFIX);
	enum err err;
	struct rocks_walk *walk = rocks_walk_new(s->rocks, ROCKS_CONTROL, prefix);
	for (; rocks_walk_at(walk, &key, &value, &err); rocks_walk_next(walk)) {
		char text[17] = "";
		struct slice digits = slice_from(key, prefix.len);
		if (!slice_starts(key, prefix))
			break;
		memcpy(text, digits.at, min_size(digits.len, sizeof(text) - 1));
		show(arg, strtoull(text, NULL, 16), value);
	}
	rocks_walk_free(&walk);
	return err;
}
