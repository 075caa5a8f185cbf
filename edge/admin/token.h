/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens of the admin listener: who shows one, what it allows, and how often it may change
 * something. A token is "larder_" and 256 random bits in base64url. Only its SHA-256 is known here,
 * one line a token:
 *
 *	# NAME SCOPES SHA256HEX [RATE]
 *	ci purge:select,read 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 10/s
 *
 * so who reads the file can do nothing with it, and guessing is hopeless without a slow hash. Two
 * lines may have one name: while a token is replaced, the old and the new one both count.
 *
 * A loaded file is immutable but for how much of each rate is left, which goes on in the next
 * loading. Counted, as the premises that hold it are.
 *
 * thread: loaded and asked on the control loop; freed on any.
 */
#pragma once

#include "edge/base/clock.h"
#include "edge/conf/load.h"

/* What operators call a scope; a scope of ours is what a purge hits (cache/rule/scope.h). */
enum grant {
	GRANT_NONE = 0,         /* whoever may connect */
	GRANT_READ = 1,         /* looks at everything, changes nothing */
	GRANT_PURGE_SELECT = 2, /* purges what it names */
	GRANT_PURGE_ALL = 4,    /* purges also everything, and by patterns */
	GRANT_ADMIN = 8,        /* reloads */
	GRANT_ALL = 15,
};

enum {
	TOKEN_FILE_BYTES = 1024 * 1024,
	TOKEN_NAME_BYTES = 64,
	TOKENS_MAX = 4096,
	TOKEN_RATE = 1000, /* per second, when its line says none */
	TOKEN_RATE_MAX = 1000 * 1000,
};

struct token {
	struct slice name;
	unsigned scopes; /* enum grant, OR-ed, with what they imply */
	unsigned char hash[32];
	uint64_t rate; /* per second */
	/* control loop */
	uint64_t spent_us; /* of a second's worth; a call costs 1/rate of a second */
	struct mono at;    /* as of then */
};

struct tokens {
	_Atomic uint32_t refs;
	/* fixed after tokens_load */
	struct arena arena;
	struct token *at;
	size_t count;
};

/*
 * Reads a file of tokens. before: the one in force, whose tokens' rates go on; may be NULL.
 * own: tokens_unref. fail: NULL, with a line "FILE:LINE: ..." for each problem in `errors`.
 */
struct tokens *tokens_load(
    struct slice path, const struct tokens *before, struct conf_errors *errors);
struct tokens *tokens_ref(struct tokens *);
/* Accepts NULL. */
void tokens_unref(struct tokens **);

/* Finds the token that was shown; NULL = none of them. It takes as long for each, and tells nothing
 * of how much of it was right. */
struct token *tokens_find(struct tokens *, struct slice shown);
/* Takes one call from its rate; a second's worth may come at once. 0, or how many ms to wait. */
int64_t token_spend(struct token *, struct mono now);

/* Reads "purge:select,read", with what is implied. False when one is no scope. */
bool grants_parse(struct slice text, unsigned *ret_scopes);
/* The scope's name. Static. */
const char *grant_name(enum grant);
/* Checks one scope for option tables. */
const char *grant_check(struct slice);
