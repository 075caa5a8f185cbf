/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/server.h"

#include <signal.h>
#include <unistd.h>

#include "edge/admin/admin.h"
#include "edge/base/log.h"
#include "edge/conf/print.h"
#include "edge/serve/refreshing.h"
#include "edge/serve/worker.h"
#include "edge/settings/governor.h"
#include "edge/settings/keeper.h"
#include "edge/settings/logs.h"
#include "edge/settings/notify.h"
#include "edge/settings/process.h"
#include "edge/settings/scrape.h"
#include "edge/settings/verbs.h"
#include "purge/log.h"

enum { WORKERS_MAX = 256, WHY_BYTES = 512, SIGNALS = 5 };

/* A worker and its place in the server. */
struct seat {
	struct worker worker;
	struct server *server;
	struct site first_site;   /* what it begins with */
	struct mail drain, close; /* control to worker */
	struct mail drained;      /* worker to control */
	bool is_running, is_drained;
};

struct server {
	const struct flags *flags;
	struct loop control;
	struct settings *settings; /* in force */
	struct premises *premises; /* made of them */
	struct keyring keyring;
	struct keeper keeper;
	struct governor governor;
	struct cache cache;
	struct access_log *access;
	struct audit *audit;
	struct seat *seats;
	struct crew *taggers;
	unsigned worker_count, drained_count;
	_Atomic uint64_t connections;
	struct metrics metrics;
	unsigned known_shares; /* to the metrics */
	struct admin admin;
	struct purge_log *purges;
	struct refreshing *refreshing;
	struct watchdog watchdog;
	struct pid_file pid_file;
	struct ev_signal signals[SIGNALS];
	struct deadline patience; /* of a graceful stop */
	bool has_admin, is_ready, is_stopping;
	char why[WHY_BYTES];
};

/* ---- failing ---- */

static bool say(struct server *s, const char *what, enum err e)
{
	log_error("start: %s: %s", what, s->why[0] ? s->why : err_text(e));
	return false;
}

/* ---- the stages of the start ---- */

static bool load_settings(struct server *s, enum exit_code *ret_code)
{
	struct conf_errors errors;
	conf_errors_init(&errors);
	s->settings = flags_settings(s->flags, &errors);
	if (s->settings)
		s->premises = premises_new(
		    s->settings, &s->keyring, (struct premises_before){ 0 }, &errors);
	if (!s->premises) {
		*ret_code = verb_refuse(&errors);
		return false;
	}
	conf_errors_fini(&errors);
	log_set_level((enum log_level)s->settings->log.level);
	return true;
}

static bool init_workers(struct server *s)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t wanted = s->settings->workers ? s->settings->workers : (uint64_t)processors;
	s->worker_count = (unsigned)min_u64(wanted, WORKERS_MAX);
	s->seats = calloc(s->worker_count, sizeof(*s->seats));
	s->taggers = taggers_new();
	if (!s->seats || !s->taggers)
		return say(s, "workers", ERR_NO_MEMORY);
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct seat *seat = &s->seats[i];
		seat->server = s;
		enum err e = worker_init(&seat->worker, i, &s->cache, s->taggers, &s->connections);
		if (e != ERR_NONE)
			return say(s, "workers", e);
	}
	return true;
}

/* Every worker binds every address. A port 0 is the kernel's choice for the first worker, and the
 * others follow it. */
static bool listen_all(struct server *s)
{
	for (size_t i = 0; i < s->settings->listen.count; i++) {
		struct slice address = settings_listen_at(s->settings, i)->address;
		if (!listener_is_free(address)) {
			snprintf(s->why, sizeof(s->why), "%.*s: %s", SLICE_ARG(address),
			    strerror(EADDRINUSE));
			return say(s, "listen", ERR_SYSTEM);
		}
		for (unsigned w = 0; w < s->worker_count; w++) {
			enum err e = worker_listen(&s->seats[w].worker, address);
			if (e == ERR_NONE)
				continue;
			snprintf(s->why, sizeof(s->why), "%.*s: %s", SLICE_ARG(address),
			    e == ERR_SYSTEM ? strerror(errno) : err_text(e));
			return say(s, "listen", e);
		}
	}
	return true;
}

static bool become_user(struct server *s)
{
	char *path = slice_to_str(s->settings->pid_file);
	char *user = slice_to_str(s->settings->user);
	enum err e = ERR_NONE;
	if (path[0])
		e = pid_file_take(&s->pid_file, path, s->why, sizeof(s->why));
	if (e == ERR_NONE && user[0])
		e = process_become(user, s->why, sizeof(s->why));
	free(path);
	free(user);
	return e == ERR_NONE || say(s, "process", e);
}

static bool open_cache(struct server *s)
{
	const struct store_settings *store = &s->settings->store;
	uint64_t limit = governor_limit(s->settings->memory_limit);
	char *path = slice_to_str(store->path);
	struct cache_options options = {
		.cold = { .path = path[0] ? path : NULL,
		    .size_bytes = store->size_bytes,
		    .admission = (enum admission)store->admission },
		.hot_bytes = governor_first_budget(limit, store->hot_bytes),
		.memory_bytes = limit,
		.max_object_bytes = store->max_object_bytes,
		.pattern = purge_pattern,
		.pattern_arg = s->purges = purge_log_new(&s->cache, &s->control),
	};
	enum err e = s->purges ? cache_init(&s->cache, &options) : ERR_NO_MEMORY;
	free(path);
	if (e == ERR_NONE)
		s->refreshing = refreshing_new(&s->control, s->purges, s->worker_count);
	if (!s->refreshing)
		return say(s, "cache", e ? e : ERR_NO_MEMORY);
	for (unsigned i = 0; i < s->worker_count; i++) {
		s->seats[i].worker.purges = s->purges;
		refreshing_add(s->refreshing, &s->seats[i].worker);
	}
	shares_divide(&s->settings->shares, &s->cache);
	return true;
}

static bool open_logs(struct server *s)
{
	const struct settings *is = s->settings;
	if (!logs_open_access(&is->log, &s->access, s->why, sizeof(s->why)))
		return say(s, "access log", ERR_SYSTEM);
	if (!logs_open_audit(&is->purge, &s->audit, s->why, sizeof(s->why)))
		return say(s, "audit log", ERR_SYSTEM);
	return !s->audit || purge_log_set_audit(s->purges, s->audit) ||
	    say(s, "audit log", ERR_NO_MEMORY);
}

static void on_worker_start(UNUSED struct loop *loop, void *arg)
{
	role_loop();
	struct seat *seat = arg;
	must(worker_set_site(&seat->worker, &seat->first_site) == ERR_NONE);
	worker_open(&seat->worker);
}

/* Worker: the last client has gone. */
static void on_drained(struct front *front)
{
	struct worker *w = front->owner;
	struct seat *seat = CONTAINER_OF(w, struct seat, worker);
	mail_post(&seat->server->control, &seat->drained);
}

static void deliver_drain(struct mail *m)
{
	role_loop();
	worker_drain(&CONTAINER_OF(m, struct seat, drain)->worker, on_drained);
}

static void deliver_close(struct mail *m)
{
	role_loop();
	worker_close(&CONTAINER_OF(m, struct seat, close)->worker);
}

static void stop_now(struct server *) ON_LOOP;

/* Control: one more worker has no clients left. */
static void deliver_drained(struct mail *m)
{
	role_loop();
	struct seat *seat = CONTAINER_OF(m, struct seat, drained);
	struct server *s = seat->server;
	if (seat->is_drained)
		return;
	seat->is_drained = true;
	if (++s->drained_count == s->worker_count)
		stop_now(s);
}

static bool start_workers(struct server *s)
{
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct seat *seat = &s->seats[i];
		atomic_store(&seat->worker.access, s->access);
		seat->first_site = premises_site(s->premises);
		mail_init(&seat->drain, deliver_drain);
		mail_init(&seat->close, deliver_close);
		mail_init(&seat->drained, deliver_drained);
		enum err e = loop_spawn(&seat->worker.loop, on_worker_start, seat);
		if (e != ERR_NONE)
			return say(s, "workers", e);
		seat->is_running = true;
	}
	return true;
}

/* ---- metrics and admin ---- */

static void add_metrics(struct server *s)
{
	struct metrics *m = &s->metrics;
	metrics_init(m, LARDER_VERSION);
	for (unsigned i = 0; i < s->worker_count; i++)
		scrape_worker(m, &s->seats[i].worker);
	scrape_cache(m, &s->cache);
	metrics_add_table(m, &governor_meter_table, &s->governor.meters, "");
	metrics_add_table(m, &purge_meter_table, purge_meters(s->purges), "");
	s->known_shares = 1;
	scrape_shares(m, &s->cache, &s->known_shares);
	if (s->access)
		metrics_add_table(m, &access_meter_table, access_meters(s->access), "");
	if (s->audit)
		metrics_add_table(m, &audit_meter_table, audit_meters(s->audit), "");
	metrics_add_table(m, &admin_meter_table, &s->admin.meters, "");
}

static const char *unready(void *owner)
{
	const struct server *s = owner;
	return s->is_stopping ? "draining" : s->is_ready ? NULL : "starting";
}

static void dump(void *owner, struct buf *b)
{
	const struct server *s = owner;
	conf_dump(b, &settings_table, s->settings);
}

static void list_certs(void *owner, struct buf *b)
{
	const struct server *s = owner;
	certs_list(b, s->premises, wall_now());
}

static void show_store(void *owner, struct buf *b)
{
	const struct server *s = owner;
	scrape_show_store(b, &s->settings->store, &s->cache);
}

static struct site site_of(void *owner)
{
	return premises_site(((struct server *)owner)->premises);
}

static const struct cache_policy *policy_of(void *owner, struct slice authority, struct slice path)
{
	const struct server *s = owner;
	const struct route *route = route_find(&s->settings->routes, authority, path);
	return route ? &route->cache : &s->settings->cache;
}

static void reload(struct server *, struct conf_errors *) ON_LOOP;
static void renew(struct server *, struct conf_errors *) ON_LOOP;

static void admin_asks_reload(void *owner, enum admin_what what, struct admin_reload *asked)
{
	role_loop();
	struct server *s = owner;
	struct conf_errors errors;
	conf_errors_init(&errors);
	if (what == ADMIN_CERTS)
		renew(s, &errors);
	else
		reload(s, &errors);
	admin_reloaded(&asked, errors.count == 0, buf_slice(&errors.text));
	conf_errors_fini(&errors);
}

static bool start_admin(struct server *s) ON_LOOP
{
	if (slice_eq(s->settings->admin.listen, SL("off")))
		return true;
	struct admin_options options = {
		.address = s->settings->admin.listen,
		.access = premises_admin(s->premises),
		.metrics = &s->metrics,
		.owner = s,
		.unready = unready,
		.dump = dump,
		.certs = list_certs,
		.store = show_store,
		.policy = policy_of,
		.site = site_of,
		.cache = &s->cache,
		.purges = s->purges,
		.reload = admin_asks_reload,
	};
	s->has_admin = true;
	enum err e = admin_start(&s->admin, &s->control, &options, s->why, sizeof(s->why));
	return e == ERR_NONE || say(s, "admin", e);
}

/* ---- reload ---- */

struct site_letter {
	struct mail mail;
	struct worker *worker;
	struct site site;
};

static void deliver_site(struct mail *m)
{
	role_loop();
	struct site_letter *letter = CONTAINER_OF(m, struct site_letter, mail);
	if (worker_set_site(letter->worker, &letter->site) != ERR_NONE)
		log_error("config: no memory, a worker keeps the configuration before this one");
	free(letter);
}

/* Puts new premises in force: for new connections at once, for open ones with the next request. */
static void move_in(struct server *s, struct premises *next) ON_LOOP
{
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct site_letter *letter = must_alloc(sizeof(*letter));
		mail_init(&letter->mail, deliver_site);
		letter->worker = &s->seats[i].worker;
		letter->site = premises_site(next);
		mail_post(&letter->worker->loop, &letter->mail);
	}
	struct admin_access access = premises_admin(next);
	if (s->has_admin)
		admin_set_access(&s->admin, &access);
	keeper_take(&s->keeper, next);
	premises_unref(&s->premises);
	s->premises = next;
}

/* Reads the certificates again. What cannot be read stays as it is: see premises.h. */
static void renew(struct server *s, struct conf_errors *errors) ON_LOOP
{
	struct premises_before before = { s->premises, true };
	keeper_look(&s->keeper);
	struct premises *next = premises_new(s->settings, &s->keyring, before, errors);
	if (next)
		move_in(s, next);
	if (errors->count > 0)
		log_error("files: certificates and tokens: what was in force stays: %.*s",
		    SLICE_ARG(buf_slice(&errors->text)));
	else
		log_info("files: certificates and tokens loaded, in force for new connections");
}

static void on_files_changed(void *owner)
{
	role_loop();
	struct conf_errors errors;
	conf_errors_init(&errors);
	renew(owner, &errors);
	conf_errors_fini(&errors);
}

static void reload(struct server *s, struct conf_errors *errors)
{
	notify_reloading();
	struct premises *premises = NULL;
	struct settings *next = flags_settings(s->flags, errors);
	if (next)
		premises = premises_new(
		    next, &s->keyring, (struct premises_before){ s->premises, false }, errors);
	metrics_reloaded(&s->metrics, premises != NULL);
	if (!premises) {
		settings_unref(&next);
		log_error("config: %u problems, the configuration before stays in force:\n%.*s",
		    errors->count, SLICE_ARG(buf_slice(&errors->text)));
		notify_ready();
		return;
	}
	if (settings_need_start(s->settings, next))
		log_warn("config: listen, workers, admin's listen, store, user and the targets of "
			 "the access and audit logs take effect at the next start only");
	log_set_level((enum log_level)next->log.level);
	governor_set(&s->governor, governor_limit(next->memory_limit), next->store.hot_bytes);
	shares_divide(&next->shares, &s->cache);
	scrape_shares(&s->metrics, &s->cache, &s->known_shares);
	move_in(s, premises);
	settings_unref(&s->settings);
	s->settings = next;
	log_info("config: loaded, in force for new requests");
	notify_ready();
}

/* ---- stop ---- */

static void stop_now(struct server *s)
{
	s->is_stopping = true;
	loop_stop(&s->control);
}

static void on_patience_over(struct deadline *d)
{
	role_loop();
	struct server *s = CONTAINER_OF(d, struct server, patience);
	log_warn("stop: the deadline has come, answers under way are cut");
	stop_now(s);
}

static void stop_gracefully(struct server *s) ON_LOOP
{
	if (s->is_stopping)
		return;
	s->is_stopping = true;
	log_info("stop: draining, %" PRIi64 " ms at most", s->settings->stop_ms);
	notify_stopping();
	refreshing_stop(s->refreshing);
	deadline_set(&s->control, &s->patience, s->settings->stop_ms);
	for (unsigned i = 0; i < s->worker_count; i++)
		mail_post(&s->seats[i].worker.loop, &s->seats[i].drain);
}

static void on_signal(struct ev_loop *ev, struct ev_signal *signal, UNUSED int events)
{
	role_loop();
	struct loop *loop = ev_userdata(ev);
	struct server *s = loop->owner;
	struct conf_errors errors;
	switch (signal->signum) {
	case SIGHUP:
		conf_errors_init(&errors);
		reload(s, &errors);
		conf_errors_fini(&errors);
		break;
	case SIGUSR1:
		if (s->access)
			access_reopen(s->access);
		break;
	case SIGQUIT: stop_gracefully(s); break;
	default: stop_now(s);
	}
}

static void watch_signals(struct server *s)
{
	static const int numbers[SIGNALS] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 };
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SIGNALS; i++) {
		ev_signal_init(&s->signals[i], on_signal, numbers[i]);
		ev_signal_start(s->control.ev, &s->signals[i]);
	}
}

/* ---- up and down ---- */

static void tell_ready(struct server *s)
{
	s->is_ready = true;
	notify_ready();
	printf("larder: ready");
	for (size_t i = 0; i < s->settings->listen.count; i++)
		printf(" %.*s", SLICE_ARG(settings_listen_at(s->settings, i)->address));
	printf(", %u worker%s\n", s->worker_count, s->worker_count == 1 ? "" : "s");
	fflush(stdout);
	log_info("start: ready, version %s", LARDER_VERSION);
}

static bool bring_up(struct server *s, enum exit_code *ret_code) ON_LOOP
{
	if (!load_settings(s, ret_code))
		return false;
	process_tune_heap();
	process_raise_fds();
	if (loop_init(&s->control, "larder-control", 0, s) != ERR_NONE)
		return say(s, "control loop", ERR_SYSTEM);
	deadline_init(&s->patience, on_patience_over);
	watch_signals(s);
	if (!init_workers(s) || !listen_all(s) || !become_user(s) || !open_cache(s) ||
	    !open_logs(s))
		return false;
	add_metrics(s);
	keeper_init(&s->keeper, &s->control, &s->keyring, &s->metrics, on_files_changed, s);
	keeper_take(&s->keeper, s->premises);
	if (purge_log_start(s->purges) != ERR_NONE)
		return say(s, "purges", ERR_SYSTEM);
	if (!start_admin(s) || !start_workers(s))
		return false;
	governor_start(&s->governor, &s->control, &s->cache,
	    governor_limit(s->settings->memory_limit), s->settings->store.hot_bytes);
	return true;
}

static void stop_workers(struct server *s) ON_LOOP
{
	for (unsigned i = 0; i < s->worker_count; i++)
		if (s->seats[i].is_running)
			mail_post(&s->seats[i].worker.loop, &s->seats[i].close);
	for (unsigned i = 0; i < s->worker_count; i++)
		if (s->seats[i].is_running)
			loop_join(&s->seats[i].worker.loop);
		else if (s->seats[i].worker.front.home) /* the start failed */
			worker_close(&s->seats[i].worker);
}

static void take_down(struct server *s) ON_LOOP
{
	notify_stopping();
	governor_stop(&s->governor);
	if (s->has_admin)
		admin_stop(&s->admin);
	stop_workers(s);
	refreshing_free(&s->refreshing);
	crew_free(&s->taggers);
	watchdog_fini(&s->watchdog);
	access_close(&s->access);
	purge_log_stop(s->purges);
	if (s->cache.hot)
		cache_fini(&s->cache);
	purge_log_free(&s->purges);
	audit_close(&s->audit);
	if (s->has_admin)
		admin_fini(&s->admin);
	for (unsigned i = 0; s->seats && i < s->worker_count; i++)
		worker_fini(&s->seats[i].worker);
	keeper_stop(&s->keeper);
	metrics_fini(&s->metrics);
	loop_fini(&s->control);
	pid_file_drop(&s->pid_file);
	premises_unref(&s->premises);
	keyring_fini(&s->keyring);
	settings_unref(&s->settings);
	free(s->seats);
}

static void start_watchdog(struct server *s) ON_LOOP
{
	struct loop *loops[WORKERS_MAX];
	for (unsigned i = 0; i < s->worker_count; i++)
		loops[i] = &s->seats[i].worker.loop;
	watchdog_start(&s->watchdog, &s->control, loops, s->worker_count);
}

enum exit_code server_run(const struct flags *flags)
{
	role_loop();
	struct server *s = calloc(1, sizeof(*s));
	enum exit_code code = EXIT_FAILED;
	must(s != NULL);
	s->flags = flags;
	s->pid_file.fd = -1;
	if (bring_up(s, &code)) {
		code = EXIT_OK;
		start_watchdog(s);
		tell_ready(s);
		loop_run(&s->control);
		watchdog_stop(&s->watchdog);
		log_info("stop: closing");
	}
	take_down(s);
	free(s);
	return code;
}
