/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole configuration as one immutable, counted snapshot. A reload builds a new one and swaps
 * it whole, or, when anything is wrong, not at all; journeys under way keep the one they began
 * with.
 */
#pragma once

#include "edge/admin/options.h"
#include "edge/base/arena.h"
#include "edge/conf/load.h"
#include "edge/origin/options.h"
#include "edge/route/route.h"
#include "edge/settings/shares.h"
#include "edge/tls/options.h"
#include "edge/wire/limits.h"
#include "purge/options.h"

enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_COMBINED };

struct log_settings {
	struct slice access;  /* "off", "-" for stdout, or a file */
	int format;           /* enum log_format */
	int level;            /* enum log_level of the error log */
	uint64_t queue_bytes; /* access lines waiting to be written; more are dropped and counted */
};

struct store_settings {
	struct slice path;   /* empty = RAM only */
	uint64_t size_bytes; /* disk */
	uint64_t hot_bytes;  /* RAM tier; 0 = what memory_limit leaves */
	uint64_t
	    max_object_bytes; /* larger answers are passed through; 0 = a sixteenth of a tier */
	int admission;        /* enum admission of cache/tier/cold.h */
};

/* Where clients are served. */
struct listen_options {
	struct slice address;               /* "http://host:port" or "https://host:port" */
	struct conf_strings proxy_protocol; /* whose connections begin with a PROXY header */
	struct tls_options tls;             /* of an https:// address */
};

struct settings {
	_Atomic uint32_t refs;
	struct arena arena;
	uint64_t workers;         /* 0 = one per processor */
	uint64_t memory_limit;    /* CONF_MEMORY */
	struct conf_list listen;  /* struct listen_options, at least one */
	struct tls_options tls;   /* what each listener's starts from */
	struct security security; /* what each route's starts from */
	struct admin_settings admin;
	struct slice name; /* node name in Via and Cache-Status */
	struct slice user; /* switch to this user once listening; empty = stay */
	struct slice pid_file;
	int64_t stop_ms;                     /* deadline of a graceful stop */
	struct conf_strings trusted_proxies; /* addresses and blocks whose forwarded fields count */
	struct limits limits;
	struct store_settings store;
	struct log_settings log;
	struct purge_settings purge;
	struct cache_policy cache; /* what each route's policy starts from */
	struct conf_list origins;  /* struct origin_options, at least one */
	struct routes routes;      /* at least one, each bound to its origin */
	struct conf_list shares;   /* struct share_options */
};

extern const struct conf_table settings_table;

/*
 * Loads sources, later ones over earlier ones, fills defaults and checks the whole: that routes
 * name origins, that https has a certificate, that nothing is there twice. One origin without
 * routes gets a route for everything. Text only: certificates are read by who uses them.
 * own: settings_unref. fail: NULL, every problem in `errors`.
 */
struct settings *settings_load(
    const struct conf_source *sources, size_t count, struct conf_errors *errors);

/* The i-th listener. */
static inline const struct listen_options *settings_listen_at(const struct settings *s, size_t i)
{
	return (const struct listen_options *)s->listen.at + i;
}

/* Whether they differ in what takes effect at a start only. */
bool settings_need_start(const struct settings *now, const struct settings *next);

/* Writes every key with its default, commented: the text of conf.d/larder.yaml. */
void settings_print_defaults(struct buf *);

/* thread: any. The last unref frees, NULLs the pointer always. */
struct settings *settings_ref(struct settings *);
void settings_unref(struct settings **);
