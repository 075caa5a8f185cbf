/* SPDX-License-Identifier: Apache-2.0 */
/* `larderctl purge`: orders and receipts, for people and for CI. */
#pragma once

#include <getopt.h>

#include "tools/ctl/ask.h"

/* Codes of the long options that purges alone take, behind those of letters. */
enum purge_option {
	PURGE_URL = 256,
	PURGE_TAG,
	PURGE_PREFIX, /* --prefix and --host are other verbs' too */
	PURGE_HOST,
	PURGE_ALL,
	PURGE_EXPR,
	PURGE_REGEX,
	PURGE_SOFT,
	PURGE_HARD,
	PURGE_DRY_RUN,
	PURGE_WAIT,
	PURGE_REFRESH,
	PURGE_REASON,
	PURGE_DEPLOY,
	PURGE_FAIL_IF_EMPTY,
	PURGE_MAX,
	PURGE_CONFIRM,
	PURGE_WAIT_ORIGIN,
	PURGE_FIELD,
	PURGE_JSON,
	PURGE_EQUALS,
	PURGE_TIMEOUT,
	PURGE_KEY,
	PURGE_FROM,
	PURGE_SINCE,
	PURGE_OPTIONS_END,
};

/* For larderctl's table of options. */
#define PURGE_LONG_OPTIONS                                                                         \
	{ "url", required_argument, NULL, PURGE_URL },                                             \
	    { "tag", required_argument, NULL, PURGE_TAG },                                         \
	    { "all", no_argument, NULL, PURGE_ALL },                                               \
	    { "expr", required_argument, NULL, PURGE_EXPR },                                       \
	    { "regex", required_argument, NULL, PURGE_REGEX },                                     \
	    { "soft", no_argument, NULL, PURGE_SOFT }, { "hard", no_argument, NULL, PURGE_HARD },  \
	    { "dry-run", no_argument, NULL, PURGE_DRY_RUN },                                       \
	    { "wait", no_argument, NULL, PURGE_WAIT },                                             \
	    { "refresh", optional_argument, NULL, PURGE_REFRESH },                                 \
	    { "reason", required_argument, NULL, PURGE_REASON },                                   \
	    { "deploy-id", required_argument, NULL, PURGE_DEPLOY },                                \
	    { "fail-if-empty", no_argument, NULL, PURGE_FAIL_IF_EMPTY },                           \
	    { "max-objects", required_argument, NULL, PURGE_MAX },                                 \
	    { "confirm", no_argument, NULL, PURGE_CONFIRM },                                       \
	    { "wait-origin", required_argument, NULL, PURGE_WAIT_ORIGIN },                         \
	    { "origin-field", required_argument, NULL, PURGE_FIELD },                              \
	    { "origin-json", required_argument, NULL, PURGE_JSON },                                \
	    { "json", required_argument, NULL, PURGE_JSON },                                       \
	    { "equals", required_argument, NULL, PURGE_EQUALS },                                   \
	    { "timeout", required_argument, NULL, PURGE_TIMEOUT },                                 \
	    { "idempotency-key", required_argument, NULL, PURGE_KEY },                             \
	    { "from", required_argument, NULL, PURGE_FROM },                                       \
	{                                                                                          \
		"since", required_argument, NULL, PURGE_SINCE                                      \
	}

/* Takes an option; gives up when its value makes no sense. */
void purge_take(enum purge_option, const char *value);
/* Whether any was taken that no other verb takes. */
bool purge_has_options(void);

enum outcome purge_run(char **args, int count);
enum outcome purge_receipt_show(char **args, int count);
enum outcome purge_log_show(char **args, int count);
