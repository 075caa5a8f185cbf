/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/cache_status.h"

/* RFC 9651 3.3.4 */
static bool is_sf_token(struct slice s)
{
	if (s.len == 0 ||
	    (s.at[0] != '*' && (ascii_lower(s.at[0]) < 'a' || ascii_lower(s.at[0]) > 'z')))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_tchar(s.at[i]) && s.at[i] != ':' && s.at[i] != '/')
			return false;
	return true;
}

/* RFC 9651 3.3.3: printable ASCII only */
static void add_string(struct buf *b, struct slice s)
{
	size_t plain = 0; /* what needs no care, up to i */
	buf_add_char(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		if (c >= 0x20 && c <= 0x7e && c != '"' && c != '\\')
			continue;
		buf_add(b, slice_of(s.at + plain, i - plain));
		buf_addf(b, c == '"' || c == '\\' ? "\\%c" : "%%%02X", (unsigned char)c);
		plain = i + 1;
	}
	buf_add(b, slice_from(s, plain));
	buf_add_char(b, '"');
}

/* Every hit writes one: no printf here. */
static void add_number(struct buf *b, struct slice name, int64_t value)
{
	buf_add(b, name);
	if (value < 0)
		buf_add_char(b, '-');
	buf_add_u64(b, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static void add_token(struct buf *b, struct slice s)
{
	if (is_sf_token(s))
		buf_add(b, s);
	else
		add_string(b, s);
}

void cache_status_write(struct buf *b, struct slice given, const struct cache_status *s)
{
	if (given.len > 0) {
		buf_add(b, given);
		buf_add(b, SL(", "));
	}
	add_token(b, s->name);
	if (s->hit) { /* RFC 9211 2.1: never together with fwd */
		buf_add(b, SL("; hit"));
	} else if (s->fwd.len > 0) {
		buf_add(b, SL("; fwd="));
		buf_add(b, s->fwd);
	}
	if (s->fwd_status)
		add_number(b, SL("; fwd-status="), s->fwd_status);
	if (s->has_ttl)
		add_number(b, SL("; ttl="), s->ttl_s);
	if (s->stored)
		buf_add(b, SL("; stored"));
	if (s->collapsed)
		buf_add(b, SL("; collapsed"));
	if (s->key.len > 0) {
		buf_add(b, SL("; key="));
		add_string(b, s->key);
	}
	if (s->detail.len > 0) {
		buf_add(b, SL("; detail="));
		add_token(b, s->detail);
	}
}

void proxy_status_write(struct buf *b, const struct proxy_status *s)
{
	add_token(b, s->name);
	buf_addf(b, "; error=%.*s; details=", SLICE_ARG(s->error));
	add_string(b, s->details);
}
