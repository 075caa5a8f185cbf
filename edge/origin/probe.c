/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/probe.h"

#include "cache/rule/json_path.h"
#include "edge/origin/exchange.h"

enum { VALUE_SHOWN = 128, NUMBER_BYTES = 32, NUMBER_DIGITS = 15 };

/* What the question under way has brought. */
enum sight {
	SIGHT_NOTHING, /* no head yet */
	SIGHT_BODY,    /* a good head; the body decides */
	SIGHT_FAULT,   /* no answer that says anything */
	SIGHT_OTHER,   /* an answer without the wanted value */
	SIGHT_WANTED,
};

/* An address: the pool of the same place in the origin, as long as that pool has this address. */
struct spot {
	struct probe *probe; /* NULL = the pool had no address yet */
	struct address address;
	struct exchange *exchange; /* NULL = is not asked now */
	struct flow *body;         /* of its answer, counted; NULL = none, or not wanted */
	struct bell outgrow;       /* of that */
	struct mono asked;         /* when the question under way began */
	struct mono due;           /* when the next may begin */
	unsigned faults;           /* in a row */
	enum sight sight;
	bool is_too_large;
	bool has_shown; /* for ever */
	char line[PROBE_LINE_BYTES];
};

struct probe {
	/* fixed after probe_start */
	struct origin *origin;  /* counted */
	struct arena arena;     /* of the spec's texts */
	struct probe_spec spec; /* a copy */
	struct request request;
	struct fields fields;
	struct mono until;
	/* home loop */
	struct ev_timer tick;
	unsigned asking;     /* spots that are asked now */
	unsigned next;       /* whose turn it is, when not all can be asked at once */
	bool is_over;        /* within on_end */
	struct spot spots[]; /* one per pool */
};

/* ---- notes ---- */

static void note(struct spot *, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Writes what the address was last seen with, for people and their terminals. */
static void note(struct spot *s, const char *fmt, ...)
{
	struct probe *p = s->probe;
	struct slice address = p->origin->pools[s - p->spots].text;
	int len = snprintf(s->line, sizeof(s->line), "%.*s: ", SLICE_ARG(address));
	va_list args;
	va_start(args, fmt);
	vsnprintf(s->line + len, sizeof(s->line) - (size_t)len, fmt, args);
	va_end(args);
	for (char *c = s->line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static void note_failure(struct spot *s, enum err e)
{
	struct slice detail = exchange_detail(s->exchange);
	switch (e) {
	case ERR_ORIGIN_CONNECT: note(s, "connection refused"); break;
	case ERR_ORIGIN_CONNECT_SLOW: note(s, "no connection in time"); break;
	default: note(s, detail.len ? "%s (%.*s)" : "%s", err_text(e), SLICE_ARG(detail));
	}
}

static enum sight fault(struct spot *s, const char *why)
{
	note(s, "%s", why);
	return SIGHT_FAULT;
}

/* ---- is it what is wanted? ---- */

static enum sight judge(struct spot *s, struct slice what, struct slice value)
{
	struct slice shown = slice_first(value, VALUE_SHOWN);
	note(s, "%.*s: %.*s", (int)min_size(what.len, VALUE_SHOWN / 2), what.at, SLICE_ARG(shown));
	return slice_eq(value, s->probe->spec.equals) ? SIGHT_WANTED : SIGHT_OTHER;
}

static enum sight lack(struct spot *s, struct slice what, const char *where)
{
	note(s, "no %.*s in the %s", (int)min_size(what.len, VALUE_SHOWN), what.at, where);
	return SIGHT_OTHER;
}

static enum sight judge_field(struct spot *s, const struct response *response)
{
	struct slice name = s->probe->spec.field;
	struct arena arena;
	arena_init(&arena, s->probe->origin->options.head_bytes + KIB);
	struct slice value = fields_join_name(&response->fields, &arena, name);
	enum sight sight = fields_find_name(&response->fields, name) ? judge(s, name, value)
								     : lack(s, name, "answer");
	arena_fini(&arena);
	return sight;
}

static enum sight judge_value(struct spot *s, const json_t *value)
{
	char number[NUMBER_BYTES] = "";
	struct slice path = s->probe->spec.json;
	switch (json_typeof(value)) {
	case JSON_STRING:
		return judge(
		    s, path, slice_of(json_string_value(value), json_string_length(value)));
	case JSON_INTEGER:
		snprintf(
		    number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return judge(s, path, slice_str(number));
	case JSON_REAL:
		snprintf(number, sizeof(number), "%.*g", NUMBER_DIGITS, json_real_value(value));
		return judge(s, path, slice_str(number));
	case JSON_TRUE: return judge(s, path, SL("true"));
	case JSON_FALSE: return judge(s, path, SL("false"));
	case JSON_NULL: return judge(s, path, SL("null"));
	default: break;
	}
	note(s, "%.*s: an object or an array", (int)min_size(path.len, VALUE_SHOWN), path.at);
	return SIGHT_OTHER;
}

struct look {
	struct spot *spot;
	bool found;
	enum sight sight;
};

static bool on_found(void *ctx, json_t *value)
{
	struct look *l = ctx;
	l->found = true;
	l->sight = judge_value(l->spot, value);
	return l->sight == SIGHT_WANTED;
}

/* Every value that the path finds must be as wanted; the first that is not is told. */
static enum sight judge_values(struct spot *s, json_t *root)
{
	struct look look = { s, false, SIGHT_OTHER };
	struct json_path path;
	if (json_path_parse(s->probe->spec.json, &path))
		(void)json_path_walk(&path, root, on_found, &look);
	return look.found ? look.sight : lack(s, s->probe->spec.json, "body");
}

/* For jansson, which asks for bytes. */
static size_t feed(void *to, size_t room, void *reader)
{
	struct iovec iov;
	enum flow_state state;
	if (flow_peek(reader, &iov, 1, room, &state) == 0)
		return 0;
	memcpy(to, iov.iov_base, iov.iov_len);
	flow_advance(reader, iov.iov_len);
	return iov.iov_len;
}

/* The body is complete and was kept, so that reading it waits for nothing. */
static enum sight judge_body(struct spot *s)
{
	struct flow_reader reader;
	if (!flow_attach(&reader, s->body, 0, s->probe->origin->home))
		return fault(s, "the body cannot be read");
	json_error_t error;
	json_t *root = json_load_callback(feed, &reader, JSON_DECODE_ANY, &error);
	flow_detach(&reader);
	if (!root) {
		note(s, "the body is not JSON: line %d: %s", error.line, error.text);
		return SIGHT_FAULT;
	}
	enum sight sight = judge_values(s, root);
	json_decref(root);
	return sight;
}

/* ---- a question and its answer ---- */

static enum sight note_too_large(struct spot *s)
{
	note(s, "the body is larger than %d KiB", PROBE_BODY_BYTES / 1024);
	return SIGHT_FAULT;
}

/* The body goes on past what is kept. Its exchange must not be ended from in here: the next tick
 * does. */
static void on_outgrow(struct bell *b)
{
	CONTAINER_OF(b, struct spot, outgrow)->is_too_large = true;
}

static struct flow *begin_body(struct spot *s, const struct response *response)
{
	uint64_t length = FLOW_LENGTH_UNKNOWN;
	if (response->framing == FRAMING_LENGTH)
		length = response->content_length;
	if (response->framing == FRAMING_NONE)
		length = 0;
	s->is_too_large = length != FLOW_LENGTH_UNKNOWN && length > PROBE_BODY_BYTES;
	if (!s->is_too_large)
		s->body = flow_new(length, PROBE_BODY_BYTES, 0);
	if (!s->body)
		return NULL;
	s->outgrow.ring = on_outgrow;
	flow_on_outgrow(s->body, &s->outgrow);
	return flow_ref(s->body);
}

static void on_interim(UNUSED void *owner, UNUSED const struct response *response)
{
}

static struct flow *on_head(void *owner, const struct response *response)
{
	role_loop();
	struct spot *s = owner;
	s->sight = SIGHT_FAULT;
	if (response->status / 100 != 2) {
		note(s, "status %u", response->status);
		return NULL;
	}
	if (s->probe->spec.field.len > 0) {
		s->sight = judge_field(s, response);
		return NULL;
	}
	struct flow *body = begin_body(s, response);
	if (body)
		s->sight = SIGHT_BODY;
	else if (s->is_too_large)
		s->sight = note_too_large(s);
	else
		s->sight = fault(s, err_text(ERR_NO_MEMORY));
	return body;
}

/* How long to leave it alone: twice as long with each failure in a row. */
static int64_t pause_ms(const struct spot *s)
{
	int64_t ms = s->probe->spec.interval_ms;
	int64_t longest = ms > PROBE_BACKOFF_MS ? ms : PROBE_BACKOFF_MS;
	for (unsigned i = 1; i < s->faults && ms < longest; i++)
		ms *= 2;
	return ms < longest ? ms : longest;
}

/* The question is over. */
static void settle(struct spot *s) ON_LOOP
{
	s->exchange = NULL;
	flow_unref(&s->body);
	s->probe->asking--;
	s->faults = s->sight == SIGHT_FAULT ? s->faults + 1 : 0;
	s->has_shown = s->sight == SIGHT_WANTED;
	s->due.us = s->probe->origin->home->now.us + pause_ms(s) * 1000;
}

static bool is_undecided(const struct spot *s)
{
	return s->sight == SIGHT_NOTHING || s->sight == SIGHT_BODY;
}

/* What comes behind a head that told enough is of no interest, a failure neither. */
static void on_end(void *owner, enum err end)
{
	role_loop();
	struct spot *s = owner;
	if (is_undecided(s) && s->is_too_large) {
		s->sight = note_too_large(s);
	} else if (is_undecided(s) && end != ERR_NONE) {
		note_failure(s, end);
		s->sight = SIGHT_FAULT;
	} else if (is_undecided(s)) {
		s->sight = judge_body(s);
	}
	settle(s);
}

static const struct exchange_events answer_events = { on_interim, on_head, on_end };

static void ask(struct probe *p, struct spot *s) ON_LOOP
{
	struct exchange_spec exchange = {
		.request = &p->request,
		.fields = &p->fields,
		.host = p->spec.host,
		.only = &p->origin->pools[s - p->spots],
		.events = &answer_events,
		.owner = s,
	};
	s->sight = SIGHT_NOTHING;
	s->is_too_large = false;
	s->asked = p->origin->home->now;
	p->asking++;
	enum err e = exchange_start(p->origin, &exchange, &s->exchange);
	if (e == ERR_NONE)
		return;
	s->sight = fault(s, err_text(e));
	settle(s);
}

/* Ends a question that will have no answer, or none that is worth waiting for. */
static void give_up(struct spot *s) ON_LOOP
{
	exchange_cancel(&s->exchange);
	if (is_undecided(s))
		s->sight = s->is_too_large ? note_too_large(s) : fault(s, "no answer in time");
	settle(s);
}

/* ---- the tick ---- */

/* A pool that got an address, or another one, is a new spot. */
static void renew(struct probe *p, unsigned i) ON_LOOP
{
	struct spot *s = &p->spots[i];
	const struct address *address = &p->origin->pools[i].address;
	if (s->probe && memcmp(&s->address, address, address_len(address)) == 0)
		return;
	if (s->exchange)
		give_up(s);
	*s = (struct spot){ .probe = p, .address = *address };
	note(s, "has not answered yet");
}

/* An address that went: what it has shown is forgotten, it may come back as another machine. */
static void forget(struct spot *s) ON_LOOP
{
	if (s->exchange)
		give_up(s);
	s->probe = NULL;
}

/* Whether there is no more to wait for: neither for the rest of a body that nobody wants. */
static bool is_stuck(const struct spot *s) ON_LOOP
{
	struct mono now = s->probe->origin->home->now;
	return s->exchange &&
	    (!is_undecided(s) || s->is_too_large || mono_ms_since(s->asked, now) >= PROBE_ASK_MS);
}

/* Brings the spots up to what the resolver and the clock say. */
static void look(struct probe *p) ON_LOOP
{
	for (unsigned i = 0; i < p->origin->pool_count; i++) {
		struct spot *s = &p->spots[i];
		if (!p->origin->pools[i].is_listed) {
			forget(s);
			continue;
		}
		renew(p, i);
		if (is_stuck(s))
			give_up(s);
	}
}

static void ask_due(struct probe *p) ON_LOOP
{
	const struct origin *o = p->origin;
	unsigned first = p->next;
	for (unsigned k = 0; k < o->pool_count && p->asking < PROBE_AT_ONCE; k++) {
		unsigned i = (first + k) % o->pool_count;
		struct spot *s = &p->spots[i];
		if (!o->pools[i].is_listed || s->has_shown || s->exchange ||
		    s->due.us > o->home->now.us)
			continue;
		ask(p, s);
		p->next = i + 1;
	}
}

/* Adds the lines of those that have shown it, or have not. */
static void add_lines(
    const struct probe *p, bool has_shown, struct slice *lines, struct probe_result *result)
{
	for (unsigned i = 0; i < p->origin->pool_count; i++) {
		const struct spot *s = &p->spots[i];
		if (!p->origin->pools[i].is_listed || s->has_shown != has_shown)
			continue;
		result->addresses++;
		result->shown += has_shown;
		if (result->line_count < PROBE_LINES)
			lines[result->line_count++] = slice_str(s->line);
	}
}

static void destroy(struct probe *p) ON_LOOP
{
	ev_timer_stop(p->origin->home->ev, &p->tick);
	for (unsigned i = 0; i < p->origin->pool_count; i++) {
		exchange_cancel(&p->spots[i].exchange);
		flow_unref(&p->spots[i].body);
	}
	origin_unref(&p->origin);
	arena_fini(&p->arena);
	free(p);
}

static void finish(struct probe *p, const struct probe_result *result) ON_LOOP
{
	p->is_over = true;
	p->spec.on_end(p->spec.owner, result);
	destroy(p);
}

/* Ends the probe when nothing holds it up any more, or it is too late. */
static bool end_when_due(struct probe *p) ON_LOOP
{
	struct slice lines[PROBE_LINES];
	char text[PROBE_LINE_BYTES];
	struct probe_result result = { .lines = lines };
	struct slice unknown = origin_unknown(p->origin);
	if (unknown.len > 0) {
		snprintf(text, sizeof(text), "%.*s: its addresses are not known",
		    (int)min_size(unknown.len, VALUE_SHOWN), unknown.at);
		lines[result.line_count++] = slice_str(text);
	}
	add_lines(p, false, lines, &result);
	result.is_ok = result.addresses == 0 && unknown.len == 0;
	if (!result.is_ok && p->origin->home->now.us < p->until.us)
		return false;
	add_lines(p, true, lines, &result);
	finish(p, &result);
	return true;
}

static void on_tick(UNUSED struct ev_loop *ev, struct ev_timer *tick, UNUSED int happened)
{
	role_loop();
	struct probe *p = CONTAINER_OF(tick, struct probe, tick);
	look(p);
	if (!end_when_due(p))
		ask_due(p);
}

/* ---- life ---- */

static bool copy_spec(struct probe *p, const struct probe_spec *spec)
{
	struct arena *a = &p->arena;
	p->spec = *spec;
	p->spec.host = arena_copy(a, spec->host);
	p->spec.path = arena_copy(a, spec->path);
	p->spec.query = arena_copy(a, spec->query);
	p->spec.field = arena_copy(a, spec->field);
	p->spec.json = arena_copy(a, spec->json);
	p->spec.equals = arena_copy(a, spec->equals);
	if (spec->interval_ms <= 0)
		p->spec.interval_ms = PROBE_INTERVAL_MS;
	p->request = (struct request){
		.method = METHOD_GET,
		.method_name = SL("GET"),
		.path = p->spec.path,
		.query = p->spec.query,
		.has_query = spec->has_query,
		.framing = FRAMING_NONE,
	};
	/* Caches on the way must not answer for the origin (RFC 9111 5.2.1.4). */
	return fields_put(&p->fields, a, FIELD_USER_AGENT, SL("Larder")) &&
	    fields_put(&p->fields, a, FIELD_CACHE_CONTROL, SL("no-cache")) &&
	    fields_put(&p->fields, a, FIELD_ACCEPT_ENCODING, SL("identity")) && !a->overflow;
}

/* They go into a request line as they are: with a space or a line's end they would be another. */
static bool is_target(const struct probe_spec *spec)
{
	const struct slice parts[] = { spec->host, spec->path, spec->query };
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		for (size_t k = 0; k < parts[i].len; k++)
			if ((unsigned char)parts[i].at[k] <= ' ' || parts[i].at[k] == 0x7f)
				return false;
	return slice_starts(spec->path, SL("/"));
}

enum err probe_start(struct origin *o, const struct probe_spec *spec, struct probe **ret_probe)
{
	struct json_path path;
	if (o->endpoint_count == 0)
		return ERR_NO_ORIGIN;
	if (spec->field.len == 0 && !json_path_parse(spec->json, &path))
		return ERR_BAD_REQUEST;
	if (!is_target(spec))
		return ERR_BAD_TARGET;
	struct probe *p = calloc(1, sizeof(*p) + o->pool_count * sizeof(*p->spots));
	if (!p)
		return ERR_NO_MEMORY;
	arena_init(&p->arena, PROBE_WORD_BYTES);
	if (!copy_spec(p, spec)) {
		arena_fini(&p->arena);
		free(p);
		return ERR_NO_MEMORY;
	}
	p->origin = o;
	origin_ref(o);
	p->until.us = o->home->now.us +
	    (int64_t)min_u64((uint64_t)spec->timeout_ms, PROBE_LONGEST_MS) * 1000;
	ev_timer_init(&p->tick, on_tick, 0, PROBE_TICK_MS / 1000.0);
	ev_timer_start(o->home->ev, &p->tick);
	*ret_probe = p;
	return ERR_NONE;
}

void probe_cancel(struct probe **probe)
{
	struct probe *p = *probe;
	*probe = NULL;
	if (p && !p->is_over)
		destroy(p);
}
