/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/target.h"

#include <arpa/inet.h>

/* ---- authority ---- */

/* RFC 3986 3.2.2 also has sub-delims and escapes; no DNS name has, and a host with a comma, a quote
 * or an escape is somebody's attempt to be read in two ways. */
static bool is_host_byte(char c)
{
	return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || is_digit(c) || c == '-' ||
	    c == '.' || c == '_' || c == '~';
}

/* Takes "[...]" with an IPv6 address in it. A zone is nobody's business but the sender's. */
static bool take_literal(struct slice *s)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct in6_addr address;
	size_t close = slice_find(*s, ']');
	if (close == s->len || close - 1 >= sizeof(text))
		return false;
	memcpy(text, s->at + 1, close - 1);
	*s = slice_from(*s, close + 1);
	return strlen(text) == close - 1 && inet_pton(AF_INET6, text, &address) == 1;
}

/* Takes the host off the front: a literal, or a name or IPv4 address. */
static bool take_host(struct slice *s, struct slice *ret_host)
{
	struct slice all = *s;
	bool valid = true;
	if (s->len > 0 && s->at[0] == '[')
		valid = take_literal(s);
	else
		while (s->len > 0 && is_host_byte(s->at[0]))
			*s = slice_from(*s, 1);
	*ret_host = slice_first(all, all.len - s->len);
	return valid && ret_host->len > 0;
}

/* The rest of an authority: nothing, or a colon and a port, which may be empty. */
static bool read_port(struct slice rest, struct slice *ret_port)
{
	uint64_t port;
	*ret_port = SLICE_NONE;
	if (rest.len == 0)
		return true;
	if (!slice_take_char(&rest, ':'))
		return false;
	*ret_port = rest;
	return rest.len == 0 ||
	    (slice_to_u64(rest, &port) && port > 0 && port <= 65535 && rest.at[0] != '0');
}

static bool is_default_port(struct slice port, struct slice scheme)
{
	return slice_eq(port, slice_eq(scheme, SL("https")) ? SL("443") : SL("80"));
}

static bool has_upper(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] != ascii_lower(s.at[i]))
			return true;
	return false;
}

static struct slice lower(struct slice s, struct arena *arena)
{
	char *to = has_upper(s) ? arena_bytes(arena, s.len) : NULL;
	if (!to)
		return has_upper(s) ? SLICE_NONE : s;
	for (size_t i = 0; i < s.len; i++)
		to[i] = ascii_lower(s.at[i]);
	return slice_of(to, s.len);
}

struct slice authority_normalise(struct slice authority, struct slice scheme, struct arena *arena)
{
	struct slice host, port, rest = authority;
	if (!take_host(&rest, &host) || !read_port(rest, &port))
		return SLICE_NONE;
	/* RFC 9110 4.2.3: the scheme's port, or an empty one, says nothing. */
	bool plain = port.len == 0 || is_default_port(port, scheme);
	return lower(plain ? host : authority, arena);
}

struct slice authority_host(struct slice authority)
{
	bool bracketed = slice_starts(authority, SL("["));
	size_t end = slice_find(authority, bracketed ? ']' : ':') + bracketed;
	struct slice host = slice_first(authority, end);
	return slice_ends(host, SL(".")) ? slice_first(host, host.len - 1) : host;
}

/* ---- path and query ---- */

static int hex_value(char c)
{
	char l = ascii_lower(c);
	return is_digit(c) ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

static bool is_unreserved(char c)
{
	return is_host_byte(c); /* RFC 3986 2.3: the same set */
}

/* The byte that an escape at the front stands for; -1 when there is none. */
static int escaped_byte(struct slice s)
{
	int high = s.len >= 3 && s.at[0] == '%' ? hex_value(s.at[1]) : -1;
	int low = high >= 0 ? hex_value(s.at[2]) : -1;
	return low >= 0 ? high << 4 | low : -1;
}

/*
 * Whether the byte may stand for its escape behind what was written. A digit behind a "%" that
 * began no escape ("%3" of "%3%33") must not: it would make one, and what is normal would change
 * when it is normalised again, here or at the origin.
 */
static bool may_decode(int byte, const char *to, size_t len)
{
	if (byte < 0 || !is_unreserved((char)byte))
		return false;
	bool half = (len >= 1 && to[len - 1] == '%') || (len >= 2 && to[len - 2] == '%');
	return !half || hex_value((char)byte) < 0;
}

/* Copies with normal escapes; returns the length. A "%" that begins no escape stays. */
static size_t copy_normal(char *to, struct slice s)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t len = 0;
	while (s.len > 0) {
		int byte = escaped_byte(s);
		bool decode = may_decode(byte, to, len);
		to[len++] = decode ? (char)byte : s.at[0];
		if (byte >= 0 && !decode) {
			to[len++] = digits[byte >> 4];
			to[len++] = digits[byte & 15];
		}
		s = slice_from(s, byte >= 0 ? 3 : 1);
	}
	return len;
}

/* Removes "." and ".." segments in place (RFC 3986 5.2.4); returns the length. */
static size_t remove_dots(char *path, size_t len)
{
	size_t kept = 0;
	struct slice rest = slice_of(path, len);
	while (slice_take_char(&rest, '/')) {
		struct slice segment = slice_first(rest, slice_find(rest, '/'));
		rest = slice_from(rest, segment.len);
		bool is_up = slice_eq(segment, SL("..")), is_dot = slice_eq(segment, SL("."));
		while (is_up && kept > 0 && path[--kept] != '/')
			;
		if (!is_up && !is_dot) {
			path[kept++] = '/';
			memmove(path + kept, segment.at, segment.len);
			kept += segment.len;
		} else if (rest.len == 0) {
			path[kept++] = '/'; /* "/a/.." ends in a slash, as "/a/../" does */
		}
	}
	return kept;
}

/* Whether a segment begins with a dot: one of the two may be there. */
static bool has_dot_segment(struct slice path)
{
	for (size_t i = 1; i < path.len; i++) {
		i += slice_find(slice_from(path, i), '.');
		if (i < path.len && path.at[i - 1] == '/')
			return true;
	}
	return false;
}

struct slice target_normal_path(struct slice path, struct arena *arena)
{
	if (slice_find(path, '%') == path.len && !has_dot_segment(path))
		return path;
	char *to = arena_bytes(arena, path.len);
	if (!to)
		return SLICE_NONE;
	size_t len = copy_normal(to, path);
	return slice_of(to, has_dot_segment(slice_of(to, len)) ? remove_dots(to, len) : len);
}

struct slice target_normal_query(struct slice query, struct arena *arena)
{
	if (slice_find(query, '%') == query.len)
		return query;
	char *to = arena_bytes(arena, query.len);
	return to ? slice_of(to, copy_normal(to, query)) : SLICE_NONE;
}

/* ---- request targets ---- */

/* Sets path and query from what follows the authority. */
static bool set_path(struct request *r, struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] <= ' ' || text.at[i] == 0x7f || text.at[i] == '#')
			return false;
	size_t mark = slice_find(text, '?');
	r->path = slice_first(text, mark);
	r->has_query = mark < text.len;
	r->query = slice_from(text, mark + 1);
	return true;
}

/* Takes "http://" or "https://". False when neither is there. */
static bool take_scheme(struct slice *s, struct slice *ret_scheme)
{
	*ret_scheme = slice_starts_nocase(*s, SL("https://")) ? SL("https") : SL("http");
	size_t len = ret_scheme->len;
	if (!slice_starts_nocase(*s, *ret_scheme) || !slice_starts(slice_from(*s, len), SL("://")))
		return false;
	*s = slice_from(*s, len + 3);
	return true;
}

/* Takes what comes before the path, the query or the end. */
static struct slice take_authority(struct slice *s)
{
	size_t n = 0;
	while (n < s->len && s->at[n] != '/' && s->at[n] != '?')
		n++;
	struct slice authority = slice_first(*s, n);
	*s = slice_from(*s, n);
	return authority;
}

/* RFC 9112 3.2.2, 3.2.4 */
static enum err parse_absolute(struct slice target, struct request *r, struct arena *arena)
{
	struct slice scheme, host = r->authority;
	if (!take_scheme(&target, &scheme) || !slice_eq(scheme, r->scheme))
		return ERR_BAD_TARGET;
	r->authority = authority_normalise(take_authority(&target), scheme, arena);
	/* RFC 9112 3.2.2 lets the target win over Host; which of two names an origin believes is
	 * nothing to guess at, so they must agree. */
	if (!r->authority.at || (host.len > 0 && !slice_eq(r->authority, host)) ||
	    !set_path(r, target))
		return ERR_BAD_TARGET;
	if (r->path.len == 0)
		r->path = r->method == METHOD_OPTIONS && !r->has_query ? SL("*") : SL("/");
	return ERR_NONE;
}

/* RFC 9112 3.2.3 */
static enum err parse_authority(struct slice target, struct request *r, struct arena *arena)
{
	struct slice host = r->authority;
	r->authority = authority_normalise(target, r->scheme, arena);
	r->path = r->query = SL("");
	bool agrees = host.len == 0 || slice_eq(r->authority, host);
	return r->authority.at && agrees ? ERR_NONE : ERR_BAD_TARGET;
}

/* Sets the authority from Host. */
static enum err parse_host(struct slice host, bool has_host, struct request *r, struct arena *arena)
{
	r->authority = SL("");
	if (!has_host) /* RFC 9112 3.2: only HTTP/1.0 may leave it out */
		return r->version == 10 ? ERR_NONE : ERR_BAD_HOST;
	/* RFC 9110 4.2.1: an http URI without a host is not valid, so an empty Host is none. */
	r->authority = authority_normalise(host, r->scheme, arena);
	return r->authority.at ? ERR_NONE : ERR_BAD_HOST;
}

static enum err parse_form(struct slice target, struct request *r, struct arena *arena)
{
	r->has_query = false;
	if (r->method == METHOD_CONNECT)
		return parse_authority(target, r, arena);
	if (slice_starts(target, SL("/")) || /* RFC 9112 3.2.1; 3.2.4 */
	    (slice_eq(target, SL("*")) && r->method == METHOD_OPTIONS))
		return set_path(r, target) ? ERR_NONE : ERR_BAD_TARGET;
	return parse_absolute(target, r, arena);
}

enum err target_parse(struct slice target, struct slice host_field, bool has_host,
    struct request *r, struct arena *arena)
{
	enum err e = parse_host(host_field, has_host, r, arena);
	if (e == ERR_NONE)
		e = parse_form(target, r, arena);
	return e != ERR_NONE && arena->overflow ? ERR_NO_MEMORY : e;
}

/* ---- references ---- */

/* Takes a scheme and an authority, where the reference has them; else they are the base's. */
static bool resolve_authority(struct slice *s, struct arena *arena, struct request *r)
{
	size_t colon = slice_find(*s, ':');
	bool has_scheme = colon < slice_find(*s, '/') && colon < slice_find(*s, '?');
	if (has_scheme ? !take_scheme(s, &r->scheme) : !slice_starts(*s, SL("//")))
		return !has_scheme;
	if (!has_scheme)
		*s = slice_from(*s, 2);
	r->authority = authority_normalise(take_authority(s), r->scheme, arena);
	if (s->len == 0 || s->at[0] == '?') /* no path is "/" (RFC 9110 4.2.3) */
		*s = arena_printf(arena, "/%.*s", SLICE_ARG(*s));
	return r->authority.at;
}

/* The base's path up to its last slash, and the reference's after it (RFC 3986 5.2.3). */
static struct slice merge(struct slice base, struct slice path, struct arena *arena)
{
	size_t end = base.len;
	while (end > 0 && base.at[end - 1] != '/')
		end--;
	return arena_printf(arena, "%.*s%.*s", (int)end, base.at, SLICE_ARG(path));
}

bool target_resolve(
    const struct request *base, struct slice reference, struct arena *arena, struct request *ret)
{
	struct request r = { .scheme = base->scheme, .authority = base->authority };
	struct slice s = slice_first(reference, slice_find(reference, '#'));
	if (!resolve_authority(&s, arena, &r) || !set_path(&r, s))
		return false;
	if (r.path.len == 0) {
		r.path = base->path;
		r.query = r.has_query ? r.query : base->query;
		r.has_query |= base->has_query;
	} else if (r.path.at[0] != '/') {
		r.path = merge(base->path, r.path, arena);
	}
	r.path = target_normal_path(r.path, arena);
	*ret = r;
	return !arena->overflow && r.path.len > 0 && r.path.at[0] == '/';
}
