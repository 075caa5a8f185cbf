/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/env.h"

#include "edge/base/buf.h"

enum { NAME_BYTES = 128, TEXT_BYTES = 1 << 20 };

static bool is_name_char(char c)
{
	return c == '_' || is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

/* Takes "NAME}" off the front. */
static bool take_name(struct slice *s, struct slice *ret_name)
{
	size_t len = 0;
	while (len < s->len && is_name_char(s->at[len]))
		len++;
	if (len == 0 || len > NAME_BYTES || is_digit(s->at[0]) || len == s->len ||
	    s->at[len] != '}')
		return false;
	*ret_name = slice_first(*s, len);
	*s = slice_from(*s, len + 1);
	return true;
}

static const char *value_of(struct slice name)
{
	char z[NAME_BYTES + 1] = { 0 };
	memcpy(z, name.at, name.len);
	return getenv(z);
}

static enum env_verdict fill(struct slice rest, struct buf *out, struct slice *ret_name)
{
	while (rest.len > 0) {
		size_t plain = slice_find_slice(rest, SL("${"));
		if (plain > 0 && plain < rest.len && rest.at[plain - 1] == '$') {
			buf_add(out, slice_first(rest, plain - 1));
			buf_add(out, SL("${"));
			rest = slice_from(rest, plain + 2);
			continue;
		}
		buf_add(out, slice_first(rest, plain));
		if (plain == rest.len)
			break;
		rest = slice_from(rest, plain + 2);
		struct slice name;
		if (!take_name(&rest, &name))
			return ENV_MALFORMED;
		const char *value = value_of(name);
		if (!value) {
			*ret_name = name;
			return ENV_UNSET;
		}
		buf_add(out, slice_str(value));
	}
	return ENV_OK;
}

enum env_verdict env_expand(
    struct slice raw, struct arena *arena, struct slice *ret_text, struct slice *ret_name)
{
	*ret_text = raw;
	if (slice_find_slice(raw, SL("${")) == raw.len)
		return ENV_OK;
	struct buf out;
	buf_init(&out, TEXT_BYTES);
	enum env_verdict verdict = fill(raw, &out, ret_name);
	if (verdict == ENV_OK)
		*ret_text = arena_copy(arena, buf_slice(&out));
	buf_fini(&out);
	return verdict;
}
