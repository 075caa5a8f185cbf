/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/control.h"

#include "edge/http/sf.h"

/* What a directive's argument may be, and which of two is the stricter. */
enum kind {
	FLAG,  /* none: bool */
	NAMES, /* none, or field names: bool, with the names at `names`; unqualified is stricter */
	LIFETIME, /* seconds, malformed = 0; the smaller is stricter */
	WINDOW,   /* seconds, malformed = absent; the smaller is stricter */
	AT_LEAST, /* seconds, malformed = absent; the larger is stricter */
	ANY,      /* max-stale: seconds as WINDOW, or none = as many as there are */
};

#define AT(member) offsetof(struct control, member)

static const struct directive {
	struct slice name;
	enum kind kind;
	size_t at, names;
} directives[] = {
	{ { "max-age", 7 }, LIFETIME, AT(max_age_s), 0 },
	{ { "s-maxage", 8 }, LIFETIME, AT(s_maxage_s), 0 },
	{ { "no-cache", 8 }, NAMES, AT(no_cache), AT(no_cache_names) },
	{ { "no-store", 8 }, FLAG, AT(no_store), 0 },
	{ { "public", 6 }, FLAG, AT(is_public), 0 },
	{ { "private", 7 }, NAMES, AT(is_private), AT(private_names) },
	{ { "must-revalidate", 15 }, FLAG, AT(must_revalidate), 0 },
	{ { "proxy-revalidate", 16 }, FLAG, AT(proxy_revalidate), 0 },
	{ { "must-understand", 15 }, FLAG, AT(must_understand), 0 },
	{ { "no-transform", 12 }, FLAG, AT(no_transform), 0 },
	{ { "only-if-cached", 14 }, FLAG, AT(only_if_cached), 0 },
	{ { "immutable", 9 }, FLAG, AT(immutable), 0 },
	{ { "stale-while-revalidate", 22 }, WINDOW, AT(stale_while_revalidate_s), 0 },
	{ { "stale-if-error", 14 }, WINDOW, AT(stale_if_error_s), 0 },
	{ { "max-stale", 9 }, ANY, AT(max_stale_s), 0 },
	{ { "min-fresh", 9 }, AT_LEAST, AT(min_fresh_s), 0 },
};

/* The argument of a directive, whichever syntax it came in. */
struct argument {
	bool given;
	struct slice text;
	int64_t seconds; /* SECONDS_NONE = not a number of seconds */
};

struct control control_none(void)
{
	return (struct control){
		.max_age_s = SECONDS_NONE,
		.s_maxage_s = SECONDS_NONE,
		.max_stale_s = SECONDS_NONE,
		.min_fresh_s = SECONDS_NONE,
		.stale_while_revalidate_s = SECONDS_NONE,
		.stale_if_error_s = SECONDS_NONE,
	};
}

static int64_t held(int64_t seconds)
{
	return seconds < SECONDS_MAX ? seconds : SECONDS_MAX;
}

/* RFC 9111 1.2.2: what is too large to hold counts as 2^31 */
static int64_t seconds_of(struct slice text)
{
	uint64_t seconds;
	for (size_t i = 0; i < text.len; i++)
		if (!is_digit(text.at[i]))
			return SECONDS_NONE;
	if (text.len == 0)
		return SECONDS_NONE;
	return slice_to_u64(text, &seconds) ? held((int64_t)min_u64(seconds, INT64_MAX))
					    : SECONDS_MAX;
}

/* ---- one directive into the struct ---- */

static void set_smaller(int64_t *to, int64_t seconds)
{
	if (*to == SECONDS_NONE || seconds < *to)
		*to = seconds;
}

static void set_names(bool *flag, struct slice *names, struct slice given)
{
	/* RFC 9111 5.2.2.4: the unqualified form is about the whole answer. Two lists that differ
	 * count as that, too: stricter than either, and it takes no copy. */
	bool differs = *flag && !slice_eq(*names, given);
	*names = differs ? SLICE_NONE : given;
	*flag = true;
}

static void apply(struct control *c, const struct directive *d, struct argument a)
{
	char *base = (char *)c;
	bool *flag = (bool *)(base + d->at);
	int64_t *seconds = (int64_t *)(void *)(base + d->at);
	switch (d->kind) {
	case FLAG: *flag = true; break;
	case NAMES: set_names(flag, (struct slice *)(void *)(base + d->names), a.text); break;
	case LIFETIME:
		/* RFC 9111 4.2.1: an answer with invalid freshness information is best taken as
		 * stale. */
		set_smaller(seconds, a.seconds == SECONDS_NONE ? 0 : a.seconds);
		break;
	case ANY: c->max_stale_any |= !a.given; [[fallthrough]];
	case WINDOW:
		if (a.seconds != SECONDS_NONE)
			set_smaller(seconds, a.seconds);
		break;
	case AT_LEAST: *seconds = a.seconds > *seconds ? a.seconds : *seconds; break;
	}
}

/* Cache-Control's names come in any case (RFC 9111 5.2), keys of Structured Fields in lower
 * case. */
static const struct directive *directive_of(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(directives); i++)
		if (slice_eq_nocase(directives[i].name, name))
			return &directives[i];
	return NULL; /* RFC 9111 5.2.3: unknown directives are ignored */
}

/* ---- Cache-Control ---- */

/* What stands between the quotes, or SLICE_NONE when they are not the first and last byte. */
static struct slice unquote(struct slice text)
{
	bool quoted = text.len >= 2 && text.at[0] == '"' && text.at[text.len - 1] == '"';
	return quoted ? slice_of(text.at + 1, text.len - 2) : SLICE_NONE;
}

/* RFC 9111 5.2: a value may be a token or a quoted string, whichever the directive asks for */
static void read_directive(struct control *c, struct slice member)
{
	struct slice name = slice_take_token(&member);
	const struct directive *d = directive_of(name);
	struct argument a = { .given = member.len > 0 };
	if (slice_take_char(&member, '='))
		a.text = slice_is_token(member) ? member : unquote(member);
	a.seconds = seconds_of(a.text);
	c->present = true;
	if (d)
		apply(c, d, a);
}

static void read_value(struct control *c, struct slice value)
{
	struct slice member;
	while (slice_take_member(&value, &member))
		read_directive(c, member);
}

struct control control_parse_value(struct slice value)
{
	struct control c = control_none();
	read_value(&c, value);
	return c;
}

struct control control_parse(const struct fields *f)
{
	struct control c = control_none();
	for (uint32_t i = 0; i < f->count; i++)
		if (f->at[i].id == FIELD_CACHE_CONTROL)
			read_value(&c, f->at[i].value);
	return c;
}

struct control control_of_request(const struct fields *f)
{
	struct control c = control_parse(f);
	const struct field *pragma = c.present ? NULL : fields_find(f, FIELD_PRAGMA);
	/* RFC 9111 5.4: Pragma counts only where there is no Cache-Control. */
	if (pragma)
		c.no_cache = control_parse_value(pragma->value).no_cache;
	return c;
}

/* ---- targeted fields ---- */

static int64_t seconds_of_item(const struct sf_item *item)
{
	bool fits = item->kind == SF_INTEGER && item->integer >= 0;
	return fits ? held(item->integer) : SECONDS_NONE;
}

/* False when the value's type is not the directive's. */
static bool read_member(struct control *c, const struct sf_member *m)
{
	const struct directive *d = directive_of(m->key);
	bool is_bare = m->value.kind == SF_BOOLEAN;
	struct argument a = { .given = !is_bare, .text = m->value.text };
	a.seconds = seconds_of_item(&m->value);
	c->present = true;
	if (!d || (is_bare && !m->value.integer))
		return true; /* unknown, or "private=?0": not said */
	/* RFC 9213 2.1: a lifetime is an integer, and nothing else will do. */
	if (d->kind == LIFETIME && a.seconds == SECONDS_NONE)
		return false;
	apply(c, d, a);
	return true;
}

bool control_parse_targeted(
    const struct fields *f, struct arena *arena, struct slice name, struct control *ret_control)
{
	struct sf_dictionary d;
	struct control c = control_none();
	struct slice text = fields_join_name(f, arena, name);
	/* RFC 9213 2.2: an empty field, or one that fails to parse, is as if it were not there. */
	if (text.len == 0 || !sf_parse_dictionary(text, arena, &d))
		return false;
	for (uint32_t i = 0; i < d.count; i++)
		if (!read_member(&c, &d.at[i]))
			return false;
	*ret_control = c;
	return c.present;
}

bool control_names_field(struct slice names, struct slice field_name)
{
	struct slice name;
	while (slice_take_member(&names, &name))
		if (slice_eq_nocase(name, field_name))
			return true;
	return false;
}
