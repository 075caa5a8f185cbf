/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/keep.h"

#include "edge/wire/h1_write.h"

static bool is_kept(const struct field *field, const struct keep *how)
{
	if (field_traits(field->id) & FIELD_OURS)
		return false;
	if (field->id == FIELD_CONTENT_LENGTH && !how->keeps_length)
		return false;
	return !how->is_stored || storable_field(field, how->control);
}

struct slice keep_head(struct buf *lines, const struct fields *fields, const struct keep *how)
{
	buf_clear(lines);
	for (uint32_t i = 0; i < fields->count; i++)
		if (is_kept(&fields->at[i], how))
			h1_write_field(lines, fields->at[i].name, fields->at[i].value);
	if (!fields_find(fields, FIELD_DATE))
		h1_write_field(lines, SL("Date"), how->date);
	return buf_slice(lines);
}

bool keep_merge(struct fields *ret_merged, struct arena *arena, const struct fields *stored,
    const struct fields *update, struct slice date)
{
	struct fields fields;
	if (!fields_clone(&fields, arena, update))
		return false;
	if (!fields_find(&fields, FIELD_DATE) && !fields_put(&fields, arena, FIELD_DATE, date))
		return false;
	return storable_merge(ret_merged, arena, stored, &fields);
}
