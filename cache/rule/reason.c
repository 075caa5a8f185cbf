/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rule/reason.h"

static const struct {
	struct slice name, clause, text;
} table[REASON_COUNT] = {
#define X(id, name, clause, text)                                                                  \
	[REASON_##id] = { { name, sizeof(name) - 1 }, { clause, sizeof(clause) - 1 },              \
		{ text, sizeof(text) - 1 } },
	REASONS(X)
#undef X
};

struct slice reason_name(enum reason reason)
{
	return table[reason].name;
}

struct slice reason_clause(enum reason reason)
{
	return table[reason].clause;
}

struct slice reason_text(enum reason reason)
{
	return table[reason].text;
}

struct slice reason_fwd(enum reason reason)
{
	switch (reason) {
	case REASON_BYPASS:
	case REASON_TUNNEL:
	case REASON_KNOWN_UNCACHEABLE:
	case REASON_WAIT_LIMIT:
	case REASON_WAIT_TIMEOUT: return SL("bypass");
	case REASON_METHOD: return SL("method");
	case REASON_URI_MISS:
	case REASON_COLLAPSED: return SL("uri-miss");
	case REASON_VARY_MISS: return SL("vary-miss");
	case REASON_STALE:
	case REASON_PURGED:
	case REASON_NO_CACHE:
	case REASON_INVALIDATED: return SL("stale");
	case REASON_REQUEST_NO_CACHE:
	case REASON_REQUEST_MAX_AGE:
	case REASON_REQUEST_MIN_FRESH:
	case REASON_REQUEST_MIN_SEQ:
	case REASON_REQUEST_NO_STORE: return SL("request");
	case REASON_PARTIAL_REQUEST: return SL("partial");
	default: return SL("");
	}
}
