/* SPDX-License-Identifier: Apache-2.0 */
#include "purge/regex.h"

/* PCRE2 has one interface for each width of its characters. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { BYTES_OF_A_STEP = 32 };

struct regex {
	pcre2_code *code; /* fixed after regex_new */
	_Atomic uint64_t cuts;
};

/* ---- what a match works in: one for each thread, so that a match allocates nothing ---- */

struct scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
};

static pthread_key_t scratch_key;

static void free_scratch(void *of_thread)
{
	struct scratch *s = of_thread;
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	free(s);
}

static void make_key(void)
{
	must(pthread_key_create(&scratch_key, free_scratch) == 0);
}

static struct scratch *new_scratch(void)
{
	struct scratch *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->data = pcre2_match_data_create(1, NULL);
	s->context = pcre2_match_context_create(NULL);
	if (!s->data || !s->context || pthread_setspecific(scratch_key, s) != 0) {
		free_scratch(s);
		return NULL;
	}
	pcre2_set_heap_limit(s->context, REGEX_HEAP_KIB);
	return s;
}

static struct scratch *scratch(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_key);
	struct scratch *s = pthread_getspecific(scratch_key);
	return s ? s : new_scratch();
}

/* ---- matching ---- */

struct budget {
	size_t left; /* steps */
	size_t at;   /* where the last item began */
};

/* An item of the pattern is tried: it pays for the bytes that the one before it read. */
static int on_item(pcre2_callout_block *item, void *of_match)
{
	struct budget *b = of_match;
	size_t at = item->current_position;
	size_t price = 1 + (at > b->at ? (at - b->at) / BYTES_OF_A_STEP : 0);
	b->at = at;
	if (price > b->left)
		return PCRE2_ERROR_CALLOUT;
	b->left -= price;
	return 0;
}

bool regex_matches(struct regex *r, struct slice url)
{
	struct budget budget = { REGEX_STEPS, 0 };
	struct scratch *s = scratch();
	int found = PCRE2_ERROR_NOMEMORY;
	if (s) {
		pcre2_set_callout(s->context, on_item, &budget);
		const char *at = url.at ? url.at : "";
		found = pcre2_match(
		    r->code, (PCRE2_SPTR)at, url.len, 0, PCRE2_NO_JIT, s->data, s->context);
	}
	if (found >= 0 || found == PCRE2_ERROR_NOMATCH)
		return found >= 0;
	atomic_fetch_add_explicit(&r->cuts, 1, memory_order_relaxed);
	return true;
}

uint64_t regex_cuts(const struct regex *r)
{
	return atomic_load_explicit(&r->cuts, memory_order_relaxed);
}

/* ---- compiling ---- */

static enum err refuse(struct regex_problem *problem, size_t at, const char *why)
{
	problem->at = at;
	snprintf(problem->why, sizeof(problem->why), "%s", why);
	return ERR_BAD_PATTERN;
}

/*
 * Where a number in braces passes the bound, or text.len. Braces that stand for themselves, in a
 * class or behind \Q, are taken for repeats, too: nobody looks for such URLs.
 */
static size_t find_large_repeat(struct slice text)
{
	bool in_brace = false;
	uint64_t number = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c == '\\' && !in_brace) {
			i++;
			continue;
		}
		number = in_brace && is_digit(c) ? number * 10 + (uint64_t)(c - '0') : 0;
		if (number > REGEX_REPEAT)
			return i;
		in_brace = c == '{' || (in_brace && (is_digit(c) || is_ows(c) || c == ','));
	}
	return text.len;
}

static enum err check(struct slice text, struct regex_problem *ret_problem)
{
	if (text.len == 0)
		return refuse(ret_problem, 0, "is empty");
	if (text.len > REGEX_TEXT)
		return refuse(ret_problem, REGEX_TEXT, "longer than 1024 bytes");
	/* A limit of its own, set to nothing, would make everything a match. */
	if (slice_starts(text, SL("(*")))
		return refuse(ret_problem, 0, "options before the pattern are not allowed");
	size_t large = find_large_repeat(text);
	if (large < text.len)
		return refuse(ret_problem, large, "a repeat of more than 256");
	return ERR_NONE;
}

static enum err compile(struct slice text, pcre2_code **ret, struct regex_problem *ret_problem)
{
	const uint32_t options = PCRE2_AUTO_CALLOUT | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY |
	    PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	if (!context)
		return ERR_NO_MEMORY;
	pcre2_set_parens_nest_limit(context, REGEX_NESTING);
	int problem = 0;
	PCRE2_SIZE at = 0;
	*ret = pcre2_compile((PCRE2_SPTR)text.at, text.len, options, &problem, &at, context);
	pcre2_compile_context_free(context);
	if (*ret)
		return ERR_NONE;
	if (problem == PCRE2_ERROR_HEAP_FAILED)
		return ERR_NO_MEMORY;
	ret_problem->at = min_size(at, text.len);
	pcre2_get_error_message(problem, (PCRE2_UCHAR *)ret_problem->why, sizeof(ret_problem->why));
	return ERR_BAD_PATTERN;
}

static enum err check_code(const pcre2_code *code, struct regex_problem *ret_problem)
{
	uint32_t back_references = 0;
	must(pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &back_references) == 0);
	if (back_references > 0)
		return refuse(ret_problem, 0, "back references are not allowed");
	return ERR_NONE;
}

enum err regex_new(struct slice text, struct regex **ret, struct regex_problem *ret_problem)
{
	struct regex *r = NULL;
	enum err e = check(text, ret_problem);
	if (e)
		return e;
	r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_NO_MEMORY;
	e = compile(text, &r->code, ret_problem);
	if (!e)
		e = check_code(r->code, ret_problem);
	if (e)
		regex_free(&r);
	else
		*ret = r;
	return e;
}

void regex_free(struct regex **r)
{
	if (*r)
		pcre2_code_free((*r)->code);
	free(*r);
	*r = NULL;
}
