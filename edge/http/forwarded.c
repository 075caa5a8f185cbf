/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/forwarded.h"

bool proxies_parse(const struct slice *texts, size_t count, struct arena *arena,
    struct proxies *ret, size_t *ret_bad)
{
	struct proxies p = { arena_alloc(arena, count * sizeof(*p.at)), count };
	*ret_bad = count;
	if (count > 0 && !p.at)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!ip_block_parse(texts[i], &p.at[i])) {
			*ret_bad = i;
			return false;
		}
	*ret = p;
	return true;
}

bool proxies_trust(const struct proxies *p, struct ip ip)
{
	for (size_t i = 0; i < p->count; i++)
		if (ip_is_in(ip, p->at[i]))
			return true;
	return false;
}

/* ---- reading ---- */

/* An address as the fields write it: "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", bare IPv6. */
static bool parse_node(struct slice text, struct ip *ret)
{
	size_t colon = slice_find(text, ':');
	if (slice_take_char(&text, '['))
		return ip_parse(slice_take_until(&text, ']'), ret);
	bool is_v6 = colon < text.len &&
	    slice_find(slice_from(text, colon + 1), ':') < text.len - colon - 1;
	return ip_parse(is_v6 ? text : slice_first(text, colon), ret);
}

static struct slice unquoted(struct slice s)
{
	bool quoted = s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"';
	return quoted ? slice_of(s.at + 1, s.len - 2) : s;
}

/* The parameter of one Forwarded element, without quotes; SLICE_NONE when it has none of the
 * name. */
static struct slice element_value(struct slice element, struct slice name)
{
	while (element.len > 0) {
		struct slice pair = slice_trim(slice_take_until(&element, ';'));
		struct slice key = slice_take_until(&pair, '=');
		if (slice_eq_nocase(key, name))
			return unquoted(pair);
	}
	return SLICE_NONE;
}

static struct slice last_member(struct slice list)
{
	struct slice member, last = SLICE_NONE;
	while (slice_take_member(&list, &member))
		last = member;
	return last;
}

/* The last line's last member: what the peer itself added. */
static struct slice last_of(const struct fields *f, enum field_id id)
{
	struct slice last = SLICE_NONE;
	for (uint32_t i = 0; i < f->count; i++)
		if (f->at[i].id == id)
			last = last_member(f->at[i].value);
	return last;
}

/*
 * Follows a chain of addresses. Read from its end, the client is the first that is not a trusted
 * proxy; read forward, that is the last untrusted one, or the first of all when every one is
 * trusted. What is no address breaks the chain: nothing before it can be believed.
 */
static struct ip follow(
    const struct proxies *p, struct ip peer, const struct fields *f, enum field_id id)
{
	struct ip client = peer, node;
	bool open = true; /* no untrusted address since the last break */
	for (uint32_t i = 0; i < f->count; i++) {
		struct slice member, list = f->at[i].id == id ? f->at[i].value : SLICE_NONE;
		while (slice_take_member(&list, &member)) {
			struct slice text = id == FIELD_FORWARDED ? element_value(member, SL("for"))
								  : member;
			bool known = parse_node(text, &node);
			if (!known)
				client = peer;
			else if (open || !proxies_trust(p, node))
				client = node;
			open = !known;
		}
	}
	return client;
}

static struct slice scheme_of(const struct fields *f, struct slice ours)
{
	struct slice said = last_of(f, FIELD_X_FORWARDED_PROTO);
	if (!said.at)
		said = element_value(last_of(f, FIELD_FORWARDED), SL("proto"));
	if (slice_eq_nocase(said, SL("https")))
		return SL("https");
	return slice_eq_nocase(said, SL("http")) ? SL("http") : ours;
}

struct forwarded forwarded_judge(
    const struct proxies *p, struct ip peer, struct slice scheme, const struct fields *request)
{
	struct forwarded fwd = { .peer = peer, .client = peer, .scheme = scheme };
	fwd.trusted = proxies_trust(p, peer);
	if (!fwd.trusted)
		return fwd;
	/* A proxy that writes one of the two may pass the other on from anyone; the older one is
	 * by far the one that proxies write, so it is believed where it is. */
	bool old = fields_find(request, FIELD_X_FORWARDED_FOR);
	fwd.client = follow(p, peer, request, old ? FIELD_X_FORWARDED_FOR : FIELD_FORWARDED);
	fwd.scheme = scheme_of(request, scheme);
	return fwd;
}

/* ---- writing ---- */

/* Replaces a list by itself and one more member. keep false: by that member alone. */
static bool append(
    struct fields *out, struct arena *arena, enum field_id id, bool keep, struct slice member)
{
	struct slice old = keep ? fields_join(out, arena, id) : SLICE_NONE;
	struct slice all = member;
	if (old.len > 0)
		all = arena_printf(arena, "%.*s, %.*s", SLICE_ARG(old), SLICE_ARG(member));
	fields_remove(out, id);
	return fields_put(out, arena, id, all) && !arena->overflow;
}

/* Sets a field that has one value, unless a trusted proxy has set it. */
static bool set_once(
    struct fields *out, struct arena *arena, enum field_id id, bool keep, struct slice value)
{
	if (keep && fields_find(out, id))
		return true;
	fields_remove(out, id);
	return fields_put(out, arena, id, value);
}

/* One element of Forwarded: what is no token (an IPv6 address, a host with a port) is quoted. */
static struct slice element(
    struct arena *arena, struct slice peer, bool v4, struct slice scheme, struct slice host)
{
	const char *mark = slice_is_token(host) ? "" : "\"";
	return arena_printf(arena, "for=%s%.*s%s;host=%s%.*s%s;proto=%.*s", v4 ? "" : "\"[",
	    SLICE_ARG(peer), v4 ? "" : "]\"", mark, SLICE_ARG(host), mark, SLICE_ARG(scheme));
}

bool forwarded_write(struct fields *out, struct arena *arena, const struct forwarded *fwd,
    const struct request *request, struct slice our_name)
{
	char text[IP_TEXT_MAX];
	size_t len = ip_print(fwd->peer, text);
	struct slice peer = arena_copy(arena, slice_of(text, len));
	struct slice ours = element(
	    arena, peer, ip_is_v4(fwd->peer), request->scheme, request->authority);
	bool keep = fwd->trusted;
	return append(out, arena, FIELD_X_FORWARDED_FOR, keep, peer) &&
	    set_once(out, arena, FIELD_X_FORWARDED_PROTO, keep, fwd->scheme) &&
	    set_once(out, arena, FIELD_X_FORWARDED_HOST, keep, request->authority) &&
	    append(out, arena, FIELD_FORWARDED, keep, ours) &&
	    via_add(out, arena, request->version, our_name);
}

bool via_add(struct fields *f, struct arena *arena, uint8_t version, struct slice our_name)
{
	struct slice us = arena_printf(
	    arena, "%u.%u %.*s", version / 10U, version % 10U, SLICE_ARG(our_name));
	return append(f, arena, FIELD_VIA, true, us);
}

unsigned via_count(const struct fields *f, struct slice our_name)
{
	unsigned count = 0;
	for (uint32_t i = 0; i < f->count; i++) {
		struct slice member, list = f->at[i].id == FIELD_VIA ? f->at[i].value : SLICE_NONE;
		while (slice_take_member(&list, &member)) {
			slice_take_until(&member, ' '); /* the protocol */
			slice_skip_ows(&member);
			if (slice_eq_nocase(slice_take_until(&member, ' '), our_name))
				count++;
		}
	}
	return count;
}
