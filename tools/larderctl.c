/* SPDX-License-Identifier: Apache-2.0 */
/*
 * larderctl: the live verbs of a running Larder, over its admin listener.
 *
 * A verb is a row of `verbs[]`: its words, its help and its function. Each asks the server one
 * thing over a plain blocking socket and shows the answer as a table for people or, with -o json,
 * as the server said it. Nothing about caching is known here: what can be computed there is.
 */
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "edge/base/buf.h"
#include "edge/base/clock.h"

#define DEFAULT_ADMIN "127.0.0.1:9000"

enum { TIMEOUT_S = 60, NAME_BYTES = 256, TEXT_BYTES = 64 };

/* What a script may rely on. */
enum outcome {
	OUTCOME_OK = 0,
	OUTCOME_FAILED = 1,
	OUTCOME_USAGE = 2,
	OUTCOME_CONFIG = 3,
	OUTCOME_UNREACHED = 4,
	OUTCOME_REFUSED = 5,
};

static const char *admin = DEFAULT_ADMIN;
static bool wants_json, wants_watch, wants_help;

/* ---- asking ---- */

/* An answer of the server. `bytes` holds all of it; body is the part after the head. */
struct answer {
	struct buf bytes;
	unsigned status;
	struct slice body;
};

static _Noreturn PRINTF_LIKE(2, 3) void give_up(enum outcome outcome, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fputs("larderctl: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit((int)outcome);
}

static _Noreturn void cannot_reach(const char *why)
{
	give_up(OUTCOME_UNREACHED,
	    "cannot reach Larder's admin listener at %s: %s\n"
	    "Is larder running? Its address is the key `admin`; tell me with --admin or LARDER_ADMIN.",
	    admin, why);
}

static int connect_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(un.sun_path))
		cannot_reach("the path is too long for a socket");
	memcpy(un.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)&un, sizeof(un)) != 0)
		cannot_reach(strerror(errno));
	return fd;
}

/* "HOST:PORT", with brackets around an IPv6 address. Tries each address of the name. */
static int connect_tcp(const char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	const char *colon = strrchr(address, ':');
	if (!colon)
		give_up(OUTCOME_USAGE, "--admin %s: write unix:PATH or HOST:PORT", address);
	size_t bracket = address[0] == '[' && colon[-1] == ']';
	char *host = slice_to_str(
	    slice_of(address + bracket, (size_t)(colon - address) - 2 * bracket));
	int failed = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found);
	if (failed)
		cannot_reach(gai_strerror(failed));
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
			freeaddrinfo(found);
			free(host);
			return fd;
		}
		failed = errno;
		close(fd);
	}
	cannot_reach(strerror(failed));
}

static void receive(int fd, struct buf *into)
{
	for (;;) {
		char *room = buf_room(into, 64 * KIB);
		if (!room)
			give_up(OUTCOME_FAILED, "the answer is too large");
		ssize_t got = read(fd, room, 64 * KIB);
		if (got < 0)
			cannot_reach(errno == EAGAIN ? "no answer in time" : strerror(errno));
		if (got == 0)
			return;
		into->len += (size_t)got;
	}
}

/* Reads the head; an answer that was cut short is none. */
static void parse_answer(struct answer *a)
{
	struct slice rest = buf_slice(&a->bytes), line = slice_take_line(&rest);
	uint64_t status = 0, length = 0;
	bool is_http = slice_starts(line, SL("HTTP/1.")) &&
	    slice_to_u64(slice_first(slice_from(line, 9), 3), &status);
	while ((line = slice_take_line(&rest)).len) {
		struct slice name = slice_take_until(&line, ':');
		if (slice_eq_nocase(name, SL("content-length")) &&
		    !slice_to_u64(slice_trim(line), &length))
			is_http = false;
	}
	if (!is_http || rest.len != length)
		give_up(OUTCOME_FAILED, "%s does not answer as Larder does", admin);
	a->status = (unsigned)status;
	a->body = rest;
}

/* own: buf_fini(bytes). */
static struct answer ask(const char *method, const char *path)
{
	struct timeval patience = { .tv_sec = TIMEOUT_S };
	struct answer a = { 0 };
	buf_init(&a.bytes, 0);
	bool is_unix = strncmp(admin, "unix:", 5) == 0;
	int fd = is_unix ? connect_unix(admin + 5) : connect_tcp(admin);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (dprintf(fd,
		"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: larderctl\r\nContent-Length: 0\r\n"
		"Connection: close\r\n\r\n",
		method, path, is_unix ? "localhost" : admin) < 0)
		cannot_reach(strerror(errno));
	receive(fd, &a.bytes);
	close(fd);
	parse_answer(&a);
	return a;
}

static void show_body(const struct answer *a)
{
	fwrite(a->body.at, 1, a->body.len, stdout);
}

/* own: json_decref. fail: NULL. */
static json_t *body_json(const struct answer *a)
{
	return json_loadb(a->body.at, a->body.len, 0, NULL);
}

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

/* Shows why the server did not do it (RFC 9457), and tells the outcome. */
static enum outcome show_problem(const struct answer *a)
{
	json_t *problem = body_json(a), *errors = json_object_get(problem, "errors");
	const char *detail = member(problem, "detail");
	if (wants_json)
		show_body(a);
	for (size_t i = 0; !wants_json && i < json_array_size(errors); i++)
		fprintf(stderr, "%s\n", json_string_value(json_array_get(errors, i)));
	if (!wants_json)
		fprintf(stderr, "larderctl: %s\n", *detail ? detail : member(problem, "title"));
	json_decref(problem);
	return a->status == 422 ? OUTCOME_CONFIG
	    : a->status == 403  ? OUTCOME_REFUSED
				: OUTCOME_FAILED;
}

/* Asks, and shows the answer by that function. */
static enum outcome ask_and_show(
    const char *method, const char *path, void (*show)(const struct answer *))
{
	struct answer a = ask(method, path);
	if (a.status == 200)
		show(&a);
	enum outcome outcome = a.status == 200 ? OUTCOME_OK : show_problem(&a);
	buf_fini(&a.bytes);
	return outcome;
}

/* ---- numbers for people ---- */

enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_SECONDS, UNIT_MOMENT };

static enum unit unit_of(struct slice name)
{
	if (slice_ends(name, SL("_bytes")) || slice_ends(name, SL("_bytes_total")))
		return UNIT_BYTES;
	if (slice_ends(name, SL("_timestamp_seconds")) ||
	    slice_ends(name, SL("_start_time_seconds")))
		return UNIT_MOMENT;
	return slice_ends(name, SL("_seconds")) ? UNIT_SECONDS : UNIT_COUNT;
}

/* Three digits and a step of the scale: "1.23 M". Small whole numbers stay whole. */
static void scale(char *to, double value, double step, const char *const *names, const char *last)
{
	while (value >= step * 0.9995 && *names != last) {
		value /= step;
		names++;
	}
	int decimals = value == floor(value) || value >= 100 ? 0 : value >= 10 ? 1 : 2;
	snprintf(to, TEXT_BYTES, "%.*f%s", decimals, value, *names);
}

static void print_duration(char *to, double s)
{
	static const char *const small[] = { " us", " ms", " s" };
	long minutes = (long)(s / 60);
	if (s < 60)
		scale(to, s * 1e6, 1000, s > 0 ? small : small + 2, small[2]);
	else if (minutes < 24 * 60)
		snprintf(to, TEXT_BYTES, "%ldh %ldm", minutes / 60, minutes % 60);
	else
		snprintf(to, TEXT_BYTES, "%ldd %ldh", minutes / 1440, minutes / 60 % 24);
}

static void print_number(char *to, double value, enum unit unit)
{
	static const char *const counts[] = { "", " k", " M", " G", " T" };
	static const char *const bytes[] = { " B", " KiB", " MiB", " GiB", " TiB" };
	time_t moment = (time_t)value;
	struct tm tm;
	switch (unit) {
	case UNIT_COUNT:
		if (value < 1e5 && value == floor(value))
			snprintf(to, TEXT_BYTES, "%.0f", value);
		else
			scale(to, value, 1000, counts, counts[4]);
		break;
	case UNIT_BYTES: scale(to, value, 1024, bytes, bytes[4]); break;
	case UNIT_SECONDS: print_duration(to, value); break;
	case UNIT_MOMENT:
		strftime(to, TEXT_BYTES, "%Y-%m-%d %H:%M:%S", localtime_r(&moment, &tm));
		break;
	}
}

/* ---- stat ---- */

struct row {
	char name[NAME_BYTES]; /* with its labels */
	char value[TEXT_BYTES];
	char rate[TEXT_BYTES]; /* empty = none */
	char more[NAME_BYTES]; /* of a histogram */
};

static void row_name(struct row *row, const json_t *series)
{
	struct buf text;
	const char *label, *comma = "{";
	json_t *value;
	buf_init(&text, 0);
	buf_addf(&text, "%s", member(series, "name"));
	json_object_foreach(json_object_get(series, "labels"), label, value)
	{
		buf_addf(&text, "%s%s=%s", comma, label, json_string_value(value));
		comma = ",";
	}
	buf_add(&text, *comma == ',' ? SL("}") : SLICE_NONE);
	snprintf(row->name, sizeof(row->name), "%.*s", SLICE_ARG(buf_slice(&text)));
	buf_fini(&text);
}

static void row_quantiles(struct row *row, const json_t *series)
{
	static const char *const names[] = { "p50", "p90", "p99" };
	size_t len = 0;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char text[TEXT_BYTES];
		print_duration(text, json_number_value(json_object_get(series, names[i])));
		len += (size_t)snprintf(
		    row->more + len, sizeof(row->more) - len, "  %s %s", names[i], text);
	}
}

/* Fills a row, and notes its number in `now` for the rate of the next look. */
static void row_fill(
    struct row *row, const json_t *series, const json_t *before, json_t *now, double elapsed_s)
{
	const char *kind = member(series, "kind");
	bool is_histogram = strcmp(kind, "histogram") == 0;
	enum unit unit = is_histogram ? UNIT_COUNT : unit_of(slice_str(member(series, "name")));
	double number = json_number_value(
	    json_object_get(series, is_histogram ? "count" : "value"));
	*row = (struct row){ 0 };
	row_name(row, series);
	print_number(row->value, number, unit);
	if (is_histogram && number > 0)
		row_quantiles(row, series);
	const json_t *last = json_object_get(before, row->name);
	double grown = number - json_number_value(last);
	if (last && grown > 0 && strcmp(kind, "gauge") != 0) {
		char text[TEXT_BYTES];
		print_number(text, grown / elapsed_s, unit);
		snprintf(row->rate, sizeof(row->rate), "%.60s/s", text);
	}
	json_object_set_new(now, row->name, json_real(number));
}

static void widen(int *width, const char *text)
{
	int len = (int)strlen(text);
	*width = len > *width ? len : *width;
}

static void show_rows(const struct row *rows, size_t count)
{
	int name = 0, value = 0, rate = 0;
	for (size_t i = 0; i < count; i++) {
		widen(&name, rows[i].name);
		widen(&value, rows[i].value);
		widen(&rate, rows[i].rate);
	}
	for (size_t i = 0; i < count; i++) {
		printf("%-*s  %*s", name, rows[i].name, value, rows[i].value);
		if (rate && (rows[i].rate[0] || rows[i].more[0]))
			printf("  %*s", rate, rows[i].rate);
		printf("%s\n", rows[i].more);
	}
}

/* Shows all series once. Returns what they were, for the rates of the next look. */
static json_t *show_stat(const struct answer *a, const json_t *before, double elapsed_s)
{
	json_t *all = body_json(a), *list = json_object_get(all, "series");
	json_t *now = json_object();
	size_t count = json_array_size(list);
	struct row *rows = must_alloc((count + 1) * sizeof(*rows));
	for (size_t at = 0; at < count; at++)
		row_fill(&rows[at], json_array_get(list, at), before, now, elapsed_s);
	if (wants_watch && isatty(STDOUT_FILENO))
		printf("\033[H\033[J");
	show_rows(rows, count);
	if (count == 0)
		fprintf(stderr, "larderctl: no series begins so; `larderctl stat` shows all\n");
	free(rows);
	json_decref(all);
	return now;
}

static enum outcome watch(const char *path)
{
	json_t *before = NULL;
	struct mono last = { 0 };
	for (;; sleep(1)) {
		struct answer a = ask("GET", path);
		struct mono now = mono_now();
		if (a.status != 200)
			return show_problem(&a);
		json_t *seen = show_stat(&a, before, (double)(now.us - last.us) / 1e6);
		json_decref(before);
		before = seen;
		last = now;
		buf_fini(&a.bytes);
		if (!wants_watch)
			break;
		printf("\n");
		fflush(stdout);
	}
	json_decref(before);
	return OUTCOME_OK;
}

static enum outcome run_stat(char **prefixes, int count)
{
	static const char fit[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	struct buf path;
	buf_init(&path, 0);
	buf_addf(&path, "/v1/stat");
	for (int i = 0; i < count; i++) {
		if (prefixes[i][strspn(prefixes[i], fit)])
			give_up(OUTCOME_USAGE, "no name of a series begins `%s`", prefixes[i]);
		buf_addf(&path, "%cprefix=%s", i ? '&' : '?', prefixes[i]);
	}
	buf_add(&path, slice_of("", 1)); /* a string now */
	enum outcome outcome = wants_json ? ask_and_show("GET", path.at, show_body)
					  : watch(path.at);
	buf_fini(&path);
	return outcome;
}

/* ---- the other verbs ---- */

static enum outcome run_metrics(UNUSED char **args, UNUSED int count)
{
	return ask_and_show("GET", wants_json ? "/v1/stat" : "/metrics", show_body);
}

static void show_ready(UNUSED const struct answer *a)
{
	puts("ready");
}

static enum outcome run_ready(UNUSED char **args, UNUSED int count)
{
	return ask_and_show("GET", "/readyz", wants_json ? show_body : show_ready);
}

static void show_reloaded(UNUSED const struct answer *a)
{
	puts("the configuration was loaded and is in force");
}

static enum outcome run_config_reload(UNUSED char **args, UNUSED int count)
{
	return ask_and_show("POST", "/v1/config/reload", wants_json ? show_body : show_reloaded);
}

static void show_wrapped(const struct answer *a)
{
	json_t *yaml = json_pack("{s:s%}", "yaml", a->body.at, a->body.len);
	json_dumpf(yaml, stdout, 0);
	putchar('\n');
	json_decref(yaml);
}

static enum outcome run_config_dump(UNUSED char **args, UNUSED int count)
{
	return ask_and_show("GET", "/v1/config", wants_json ? show_wrapped : show_body);
}

/* ---- verbs ---- */

static const struct verb {
	const char *words;
	const char *args; /* empty = takes none */
	const char *line; /* of the list */
	const char *help;
	enum outcome (*run)(char **args, int count);
} verbs[] = {
	{ "stat", " [--watch] [PREFIX...]", "counters and gauges, as a table",
	    "Shows the series whose names begin with one of the prefixes; all without one.\n"
	    "--watch looks again each second and shows rates; -o json gives exact numbers.\n\n"
	    "  larderctl stat                    everything\n"
	    "  larderctl stat cache_ origin_     the cache and the origins\n"
	    "  larderctl stat --watch http_      traffic, live\n"
	    "  larderctl -o json stat cache_results_total | jq '.series[]'\n",
	    run_stat },
	{ "ready", "", "whether traffic may come",
	    "Exits 0 when Larder is ready, 1 with the reason while it starts or drains.\n\n"
	    "  until larderctl ready; do sleep 1; done\n",
	    run_ready },
	{ "metrics", "", "the same as Prometheus text",
	    "Prints what a Prometheus server scrapes from /metrics.\n\n"
	    "  larderctl metrics | promtool check metrics\n",
	    run_metrics },
	{ "config reload", "", "load the configuration again",
	    "Reads the files again. Exits 0 once the new configuration is in force; when anything\n"
	    "in it is wrong, shows every error, changes nothing and exits 3.\n\n"
	    "  larder check --config /etc/larder/larder.yaml && larderctl config reload\n",
	    run_config_reload },
	{ "config dump", "", "print the configuration in force",
	    "Prints every key with its value, defaults included, as YAML that larder reads.\n\n"
	    "  larderctl config dump | diff - /etc/larder/larder.yaml\n",
	    run_config_dump },
};

static void show_help(const struct verb *verb)
{
	if (verb) {
		printf("larderctl %s%s: %s\n\n%s", verb->words, verb->args, verb->line, verb->help);
		return;
	}
	printf("usage: larderctl [--admin unix:PATH|HOST:PORT] [-o text|json] VERB [ARG...]\n\n");
	for (size_t i = 0; i < COUNT_OF(verbs); i++)
		printf("  %-14s %s\n", verbs[i].words, verbs[i].line);
	printf("\n`larderctl VERB --help` shows examples of a verb.\n\n"
	       "  --admin ADDRESS   Larder's admin listener; else LARDER_ADMIN, else " DEFAULT_ADMIN
	       "\n"
	       "  -o, --output      text for people (the default) or json for programs\n"
	       "  -w, --watch       look again each second (stat)\n"
	       "  -h, --help        this\n\n"
	       "exit codes: 0 ok, 1 failure, 2 usage, 3 configuration invalid,\n"
	       "            4 cannot reach the admin listener, 5 refused\n\n"
	       "  larderctl stat --watch http_ cache_\n"
	       "  LARDER_ADMIN=unix:/run/larder/admin.sock larderctl config reload\n");
}

/* Letters to insert, drop or change to make one word of the other. */
static size_t edits(struct slice a, struct slice b)
{
	size_t row[TEXT_BYTES], len = min_size(b.len, TEXT_BYTES - 1);
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; i < a.len; i++) {
		size_t diagonal = row[0]++;
		for (size_t j = 1; j <= len; j++) {
			size_t least = min_size(row[j], row[j - 1]) + 1;
			least = min_size(least, diagonal + (a.at[i] != b.at[j - 1]));
			diagonal = row[j];
			row[j] = least;
		}
	}
	return row[len];
}

/* How far the front of args is from the verb's words. ret_count: of its words. */
static size_t distance(const struct verb *verb, char **args, int count, int *ret_count)
{
	struct slice words = slice_str(verb->words);
	size_t total = 0;
	int at = 0;
	for (; words.len; at++) {
		struct slice typed = at < count ? slice_str(args[at]) : SLICE_NONE;
		total += edits(typed, slice_take_until(&words, ' '));
	}
	*ret_count = at;
	return total;
}

static enum outcome run_verb(const struct verb *verb, char **args, int count)
{
	if (wants_help) {
		show_help(verb);
		return OUTCOME_OK;
	}
	if (count > 0 && !*verb->args)
		give_up(OUTCOME_USAGE, "`%s` takes no `%s`", verb->words, args[0]);
	return verb->run(args, count);
}

static enum outcome run(char **args, int count)
{
	const char *near = NULL;
	size_t fewest = 3;
	int words;
	if (count == 0) {
		show_help(NULL);
		return wants_help ? OUTCOME_OK : OUTCOME_USAGE;
	}
	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		size_t far = distance(&verbs[i], args, count, &words);
		if (far == 0)
			return run_verb(&verbs[i], args + words, count - words);
		near = far < fewest ? verbs[i].words : near;
		fewest = min_size(fewest, far);
	}
	if (near)
		give_up(OUTCOME_USAGE, "no such verb; did you mean `%s`?", near);
	give_up(OUTCOME_USAGE, "no such verb; `larderctl --help` lists them");
}

static void read_output(const char *name)
{
	wants_json = strcmp(name, "json") == 0;
	if (!wants_json && strcmp(name, "text") != 0)
		give_up(OUTCOME_USAGE, "-o %s: write text or json", name);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "admin", required_argument, NULL, 'a' },
		{ "output", required_argument, NULL, 'o' },
		{ "watch", no_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	signal(SIGPIPE, SIG_IGN); /* a server that hangs up is told of as every other failure */
	const char *from_env = getenv("LARDER_ADMIN");
	if (from_env && *from_env)
		admin = from_env;
	for (int c; (c = getopt_long(argc, argv, "a:o:wh", options, NULL)) != -1;) {
		switch (c) {
		case 'a': admin = optarg; break;
		case 'o': read_output(optarg); break;
		case 'w': wants_watch = true; break;
		case 'h': wants_help = true; break;
		default: return OUTCOME_USAGE;
		}
	}
	return (int)run(argv + optind, argc - optind);
}
