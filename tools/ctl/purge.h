/* SPDX-License-Identifier: Apache-2.0 */
/* `larderctl purge`: orders and receipts, for people and for CI. */
#pragma once

#include <getopt.h>

#include "tools/ctl/ask.h"

/* Codes of the long options that purges alone take, behind those of letters. */
enum purge_option {
	PURGE_OPTION_URL = 256,
	PURGE_OPTION_TAG,
	PURGE_OPTION_PREFIX, /* --prefix and --host are other verbs' too */
	PURGE_OPTION_HOST,
	PURGE_OPTION_ALL,
	PURGE_OPTION_EXPR,
	PURGE_OPTION_REGEX,
	PURGE_OPTION_SOFT,
	PURGE_OPTION_HARD,
	PURGE_OPTION_DRY_RUN,
	PURGE_OPTION_WAIT,
	PURGE_OPTION_REFRESH,
	PURGE_OPTION_REASON,
	PURGE_OPTION_DEPLOY,
	PURGE_OPTION_FAIL_IF_EMPTY,
	PURGE_OPTION_MAX,
	PURGE_OPTION_CONFIRM,
	PURGE_OPTION_WAIT_ORIGIN,
	PURGE_OPTION_FIELD,
	PURGE_OPTION_JSON,
	PURGE_OPTION_EQUALS,
	PURGE_OPTION_TIMEOUT,
	PURGE_OPTION_KEY,
	PURGE_OPTION_FROM,
	PURGE_OPTION_SINCE,
	PURGE_OPTION_END,
};

/* For larderctl's table of options. */
#define PURGE_LONG_OPTIONS                                                                         \
	{ "url", required_argument, NULL, PURGE_OPTION_URL },                                      \
	    { "tag", required_argument, NULL, PURGE_OPTION_TAG },                                  \
	    { "all", no_argument, NULL, PURGE_OPTION_ALL },                                        \
	    { "expr", required_argument, NULL, PURGE_OPTION_EXPR },                                \
	    { "regex", required_argument, NULL, PURGE_OPTION_REGEX },                              \
	    { "soft", no_argument, NULL, PURGE_OPTION_SOFT },                                      \
	    { "hard", no_argument, NULL, PURGE_OPTION_HARD },                                      \
	    { "dry-run", no_argument, NULL, PURGE_OPTION_DRY_RUN },                                \
	    { "wait", no_argument, NULL, PURGE_OPTION_WAIT },                                      \
	    { "refresh", optional_argument, NULL, PURGE_OPTION_REFRESH },                          \
	    { "reason", required_argument, NULL, PURGE_OPTION_REASON },                            \
	    { "deploy-id", required_argument, NULL, PURGE_OPTION_DEPLOY },                         \
	    { "fail-if-empty", no_argument, NULL, PURGE_OPTION_FAIL_IF_EMPTY },                    \
	    { "max-objects", required_argument, NULL, PURGE_OPTION_MAX },                          \
	    { "confirm", no_argument, NULL, PURGE_OPTION_CONFIRM },                                \
	    { "wait-origin", required_argument, NULL, PURGE_OPTION_WAIT_ORIGIN },                  \
	    { "origin-field", required_argument, NULL, PURGE_OPTION_FIELD },                       \
	    { "origin-json", required_argument, NULL, PURGE_OPTION_JSON },                         \
	    { "json", required_argument, NULL, PURGE_OPTION_JSON },                                \
	    { "equals", required_argument, NULL, PURGE_OPTION_EQUALS },                            \
	    { "timeout", required_argument, NULL, PURGE_OPTION_TIMEOUT },                          \
	    { "idempotency-key", required_argument, NULL, PURGE_OPTION_KEY },                      \
	    { "from", required_argument, NULL, PURGE_OPTION_FROM },                                \
	{                                                                                          \
		"since", required_argument, NULL, PURGE_OPTION_SINCE                               \
	}

/* Takes an option; gives up when its value makes no sense. */
void purge_take(enum purge_option, const char *value);
/* Whether any was taken that no other verb takes. */
bool purge_has_options(void);

enum outcome purge_run(char **args, int count);
enum outcome purge_receipt_show(char **args, int count);
enum outcome purge_log_show(char **args, int count);
