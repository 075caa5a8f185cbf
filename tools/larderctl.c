/* SPDX-License-Identifier: Apache-2.0 */
/*
 * larderctl: the live verbs of a running Larder, over its admin listener.
 *
 * A verb is a row of `verbs[]`: its words, its help and its function. Each asks the server one
 * thing over a plain blocking socket and shows the answer as a table for people or, with -o json,
 * as the server said it. Nothing about caching is known here: what can be computed there is.
 */
#include <getopt.h>
#include <signal.h>
#include <unistd.h>

#include "edge/base/clock.h"
#include "tools/ctl/access.h"
#include "tools/ctl/ask.h"
#include "tools/ctl/cert.h"
#include "tools/ctl/link.h"
#include "tools/ctl/number.h"
#include "tools/ctl/object.h"
#include "tools/ctl/purge.h"
#include "tools/ctl/store.h"

enum { NAME_BYTES = 256 };

static bool wants_watch, wants_help;
static const char *output; /* -o as given; NULL = not */
static char given[16];     /* letters of options that not every verb takes, once each */

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
		number_print_duration(text, json_number_value(json_object_get(series, names[i])));
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
	enum unit unit = is_histogram ? UNIT_COUNT
				      : number_unit_of(slice_str(member(series, "name")));
	double number = json_number_value(
	    json_object_get(series, is_histogram ? "count" : "value"));
	*row = (struct row){ 0 };
	row_name(row, series);
	number_print(row->value, number, unit);
	if (is_histogram && number > 0)
		row_quantiles(row, series);
	const json_t *last = json_object_get(before, row->name);
	double grown = number - json_number_value(last);
	if (last && grown > 0 && strcmp(kind, "gauge") != 0) {
		char text[TEXT_BYTES];
		number_print(text, grown / elapsed_s, unit);
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
	enum outcome outcome = OUTCOME_OK;
	for (;; sleep(1)) {
		struct answer a = ask("GET", path);
		struct mono now = mono_now();
		if (a.status != 200) {
			outcome = show_problem(&a);
			buf_fini(&a.bytes);
			break;
		}
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
	return outcome;
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
	const char *takes; /* letters of options that are not everybody's */
} verbs[] = {
	{ "stat store", "", "how the store does, on one screen",
	    "Shows the store's state and why it is so; how full RAM and disk are; from where answers\n"
	    "come; what was evicted and why; what admission took and refused; queues, times of reads\n"
	    "and writes, and how often the disk wrote each byte. -o json has the exact numbers.\n\n"
	    "  larderctl stat store\n"
	    "  larderctl -o json stat store | jq .store.state\n",
	    store_stat, "" },
	{ "stat", " [--watch] [PREFIX...]", "counters and gauges, as a table",
	    "Shows the series whose names begin with one of the prefixes; all without one.\n"
	    "--watch looks again each second and shows rates; -o json gives exact numbers.\n\n"
	    "  larderctl stat                    everything\n"
	    "  larderctl stat cache_ origin_     the cache and the origins\n"
	    "  larderctl stat --watch http_      traffic, live\n"
	    "  larderctl -o json stat cache_results_total | jq '.series[]'\n",
	    run_stat, "w" },
	{ "object get", " URL [-H 'Name: value']...", "all that is stored at a URL",
	    "Shows each variant with its place (RAM, disk), status, size, how long it is fresh and may\n"
	    "be served stale, validators and hits. -H gives a field of a request, and shows only the\n"
	    "variant that answers it. Exits 1 when nothing is stored. Looking changes nothing.\n\n"
	    "  larderctl object get http://shop.example/\n"
	    "  larderctl object get https://shop.example/ -H 'Accept-Language: de'\n"
	    "  larderctl -o json object get URL | jq '.objects[].fresh_until'\n\n"
	    "The scheme and host are those of the client's request: an https:// URL is another key.\n",
	    object_get, "H" },
	{ "object list", " [--host H] [--prefix P] [--tier hot|cold] [--limit N]", "what is stored",
	    "Lists stored objects, those in RAM first, then those on disk only, in no order that means\n"
	    "anything; 100 unless --limit says more. --prefix is of the URL, or of the path when it\n"
	    "begins with '/'. A filter that little passes through reads all of the store: a million\n"
	    "objects take a second or two.\n\n"
	    "  larderctl object list --host shop.example --prefix /images/\n"
	    "  larderctl object list --tier cold --limit 5000\n"
	    "  larderctl -o json object list --limit 1000000 | jq -r '.objects[].url' | sort\n",
	    object_list, "NPTn" },
	{ "object top", " [--limit N]", "what is asked for most often",
	    "Shows the objects in RAM with the most hits since they came there, 20 unless --limit says\n"
	    "more (1000 at most).\n\n"
	    "  larderctl object top --limit 50\n",
	    object_top, "n" },
	{ "object export", " URL [-H 'Name: value']... [--body] [-o FILE]",
	    "a stored answer, as bytes",
	    "Writes the stored answer as an HTTP message: status line, fields, body; with --body the\n"
	    "body alone. -H selects a variant, as for `object get`; -o is a file here, else stdout. It\n"
	    "streams, so it may be of any size. Exits 1, without the file, when it was cut short.\n\n"
	    "  larderctl object export http://shop.example/big.iso --body -o big.iso\n"
	    "  larderctl object export http://shop.example/ | head -20\n"
	    "  larderctl object export http://shop.example/ --body | sha256sum\n",
	    object_export, "HBo" },
	{ "purge receipt", " SEQ [--wait]", "how a purge fared",
	    "Shows what a purge was for and what came of it. --wait waits until all is counted, and\n"
	    "what is to be refreshed was.\n\n"
	    "  larderctl purge receipt 17 --wait\n",
	    purge_receipt_show, "" },
	{ "purge log", " [--since SEQ] [-n N]", "what was purged, by whom and why",
	    "Lists the latest purges in the order of their numbers, 100 unless -n says more. --since\n"
	    "lists those behind a number; --since 0 begins with the first.\n\n"
	    "  larderctl purge log --since 1000 -n 20\n"
	    "  larderctl -o json purge log | jq '.purges[] | select(.actor == \"ci\")'\n",
	    purge_log_show, "n" },
	{ "purge", " [URL...] [OPTION...]", "make stored answers stale, or remove them",
	    "What: URLs (each with its variants), --tag T[,T...], --prefix HOST/PATH, --host H, --all,\n"
	    "--expr 'a AND NOT b', --regex R. --from FILE|- has a URL on each line; a long list is\n"
	    "sent in several orders, a line of output each, and ends at the first that fails.\n"
	    "How: --soft (stale at once, refreshed when asked for; the default but for URLs alone),\n"
	    "--hard (gone). --refresh[=RPS] fetches what matched again, most asked for first.\n"
	    "Before: --dry-run shows what would happen; --fail-if-empty; --max-objects N refuses more\n"
	    "unless --confirm; --wait-origin URL with --header NAME or --json PATH (or --origin-field,\n"
	    "--origin-json), --equals V, --timeout 60s: not before every address of the origin shows it.\n"
	    "After: --wait until all is counted and refreshed. --reason, --deploy-id go to the log;\n"
	    "--idempotency-key K: the same order twice is done once.\n\n"
	    "It is in force, and on disk, when this returns. Exits 1 when nothing was purged, as the\n"
	    "origin did not show V in time or Larder failed, 5 when refused, 6 when in force but not on\n"
	    "disk or --wait did not hear the end of it, 7 when nothing matched and --fail-if-empty was\n"
	    "given.\n\n"
	    "  larderctl purge https://shop.example/p/17\n"
	    "  larderctl purge --tag product-17,list --wait --reason 'price change'\n"
	    "  larderctl purge --prefix shop.example/img --dry-run\n"
	    "  git diff --name-only HEAD~1 -- public | sed 's,^public,https://shop.example,' |\n"
	    "    larderctl purge --from -\n"
	    "  larderctl purge --tag site --refresh=50 --wait --deploy-id \"$GITHUB_SHA\" \\\n"
	    "    --wait-origin https://shop.example/version --header X-Version --equals 42\n",
	    purge_run, "NPH" },
	{ "ready", "", "whether traffic may come",
	    "Exits 0 when Larder is ready, 1 with the reason while it starts or drains.\n\n"
	    "  until larderctl ready; do sleep 1; done\n",
	    run_ready, "" },
	{ "metrics", "", "the same as Prometheus text",
	    "Prints what a Prometheus server scrapes from /metrics.\n\n"
	    "  larderctl metrics | promtool check metrics\n",
	    run_metrics, "" },
	{ "config reload", "", "load the configuration again",
	    "Reads the files again. Exits 0 once the new configuration is in force; when anything\n"
	    "in it is wrong, shows every error, changes nothing and exits 3.\n\n"
	    "  larder check --config /etc/larder/larder.yaml && larderctl config reload\n",
	    run_config_reload, "" },
	{ "config dump", "", "print the configuration in force",
	    "Prints every key with its value, defaults included, as YAML that larder reads.\n\n"
	    "  larderctl config dump | diff - /etc/larder/larder.yaml\n",
	    run_config_dump, "" },
	{ "cert list", "", "the certificates in force",
	    "Shows the names, the key and the days left of each certificate that a listener shows.\n\n"
	    "  larderctl cert list\n"
	    "  larderctl -o json cert list | jq '.certificates[] | select(.days_left < 14)'\n",
	    cert_list, "" },
	{ "cert reload", "", "read the certificates again",
	    "Reads all certificates and keys again, as Larder does by itself when the files change.\n"
	    "Connections stay. A pair that cannot be read is told of, stays as it was, and makes it\n"
	    "exit 3.\n\n"
	    "  certbot renew --deploy-hook 'larderctl cert reload'\n",
	    cert_reload, "" },
	{ "token new", " NAME --scope S[,S...] [--rate N/s]", "make a token for the admin listener",
	    "Prints a new token on stdout, once, and on stderr its line for the file that\n"
	    "`admin: tokens:` names, which holds only its SHA-256. Scopes: read, purge:select (purges\n"
	    "what is named), purge:all, admin. Larder reads the file again within seconds. Two lines\n"
	    "of one name both count while a token is replaced. Asks no server.\n\n"
	    "  larderctl token new ci --scope purge:select,read 2>>/etc/larder/tokens >ci.token\n"
	    "  larderctl -o json token new ci --scope purge:all --rate 10/s | jq -r .line\n",
	    token_new, "SR" },
	{ "audit verify", " FILE [HASH]", "check the log of purges",
	    "Checks that each line of the audit log follows from the one before it, and prints the\n"
	    "hash of the last. Names the first line that does not, and exits 1. A HASH that an earlier\n"
	    "call printed must be among those of the lines: else the log was cut short, or written\n"
	    "anew. Asks no server.\n\n"
	    "  larderctl audit verify /var/log/larder/audit.log\n"
	    "  larderctl -o json audit verify FILE | jq -r .head\n",
	    audit_check, "" },
};

static void show_help(const struct verb *verb)
{
	if (verb) {
		printf("larderctl %s%s: %s\n\n%s", verb->words, verb->args, verb->line, verb->help);
		return;
	}
	printf(
	    "usage: larderctl [--admin unix:PATH|[https://]HOST:PORT] [-o text|json] VERB [ARG...]\n\n");
	for (size_t i = 0; i < COUNT_OF(verbs); i++)
		printf("  %-14s %s\n", verbs[i].words, verbs[i].line);
	printf(
	    "\n`larderctl VERB --help` shows examples of a verb.\n\n"
	    "  --admin ADDRESS   Larder's admin listener; else LARDER_ADMIN, else " DEFAULT_ADMIN
	    "\n"
	    "  --token TOKEN     that is shown to it; better LARDER_TOKEN, which ps does not show\n"
	    "  --cacert FILE     CAs that may have signed its certificate, of https://\n"
	    "  --cert, --key F   my own certificate and key\n"
	    "  -o, --output      text for people (the default) or json for programs\n"
	    "  -w, --watch       look again each second (stat)\n"
	    "  -H, --header F    a field of a request, to select a variant (object)\n"
	    "  -h, --help        this\n\n"
	    "exit codes: 0 ok, 1 failure, 2 usage, 3 configuration invalid,\n"
	    "            4 cannot reach the admin listener, 5 refused,\n"
	    "            6 in force but not on disk, or not known how it fared,\n"
	    "            7 nothing matched\n\n"
	    "  larderctl stat --watch http_ cache_\n"
	    "  LARDER_ADMIN=unix:/run/larder/admin.sock larderctl config reload\n");
}

/* Whether words may follow it, and not options alone. */
static bool takes_words(const struct verb *verb)
{
	static const char *const words[] = { " URL", "[URL...]", "PREFIX...", " NAME", " FILE ",
		" SEQ [" };
	bool takes = false;
	for (size_t i = 0; i < COUNT_OF(words); i++)
		takes |= strstr(verb->args, words[i]) != NULL;
	return takes;
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

static void read_output(const char *name)
{
	wants_json = strcmp(name, "json") == 0;
	if (!wants_json && strcmp(name, "text") != 0)
		give_up(OUTCOME_USAGE, "-o %s: write text or json", name);
}

/* Options that mean nothing to this verb are an error: their user meant something by them. */
static void check_options(const struct verb *verb)
{
	static const struct {
		char letter;
		const char *name;
	} names[] = { { 'w', "--watch" }, { 'H', "-H" }, { 'N', "--host" }, { 'P', "--prefix" },
		{ 'T', "--tier" }, { 'n', "--limit" }, { 'B', "--body" }, { 'S', "--scope" },
		{ 'R', "--rate" } };
	const char *takes = verb->takes;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strchr(given, names[i].letter) && !strchr(takes, names[i].letter))
			give_up(OUTCOME_USAGE, "`%s` takes no %s", verb->words, names[i].name);
	if (purge_has_options() && !slice_starts(slice_str(verb->words), SL("purge")))
		give_up(OUTCOME_USAGE, "`%s` takes no option of `purge`", verb->words);
	if (output && strchr(takes, 'o'))
		object_options.file = output;
	else if (output)
		read_output(output);
}

static enum outcome run_verb(const struct verb *verb, char **args, int count)
{
	if (wants_help) {
		show_help(verb);
		return OUTCOME_OK;
	}
	check_options(verb);
	if (count > 0 && !takes_words(verb))
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

static bool take_option(int letter, const char *value)
{
	struct object_options *o = &object_options;
	if (letter >= PURGE_OPTION_URL && letter < PURGE_OPTION_END) {
		purge_take((enum purge_option)letter, value);
		return true;
	}
	switch (letter) {
	case 'a': admin_address = value; return true;
	case 't': admin_token = value; return true;
	case 'A': link_options.cacert = value; return true;
	case 'C': link_options.cert = value; return true;
	case 'K': link_options.key = value; return true;
	case 'o': output = value; return true;
	case 'h': wants_help = true; return true;
	case 'w': wants_watch = true; break;
	case 'N':
		o->host = value;
		purge_take(PURGE_OPTION_HOST, value);
		break;
	case 'P':
		o->prefix = value;
		purge_take(PURGE_OPTION_PREFIX, value);
		break;
	case 'T': o->tier = value; break;
	case 'n': o->limit = value; break;
	case 'B': o->is_body_only = true; break;
	case 'S': token_options.scopes = value; break;
	case 'R': token_options.rate = value; break;
	case 'H':
		if (o->header_count == HEADERS_MAX)
			give_up(OUTCOME_USAGE, "more than %d fields", HEADERS_MAX);
		o->headers[o->header_count++] = value;
		break;
	default: return false;
	}
	if (!strchr(given, letter))
		given[strlen(given)] = (char)letter;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "admin", required_argument, NULL, 'a' },
		{ "token", required_argument, NULL, 't' },
		{ "cacert", required_argument, NULL, 'A' },
		{ "cert", required_argument, NULL, 'C' },
		{ "key", required_argument, NULL, 'K' },
		{ "scope", required_argument, NULL, 'S' },
		{ "rate", required_argument, NULL, 'R' },
		{ "output", required_argument, NULL, 'o' },
		{ "watch", no_argument, NULL, 'w' },
		{ "header", required_argument, NULL, 'H' },
		{ "host", required_argument, NULL, 'N' },
		{ "prefix", required_argument, NULL, 'P' },
		{ "tier", required_argument, NULL, 'T' },
		{ "limit", required_argument, NULL, 'n' },
		{ "body", no_argument, NULL, 'B' },
		{ "help", no_argument, NULL, 'h' },
		PURGE_LONG_OPTIONS,
		{ 0 },
	};
	signal(SIGPIPE, SIG_IGN); /* a server that hangs up is told of as every other failure */
	const char *from_env = getenv("LARDER_ADMIN");
	if (from_env && *from_env)
		admin_address = from_env;
	from_env = getenv("LARDER_TOKEN");
	if (from_env && *from_env)
		admin_token = from_env;
	for (int c; (c = getopt_long(argc, argv, "a:o:wH:n:h", options, NULL)) != -1;)
		if (!take_option(c, optarg))
			return OUTCOME_USAGE;
	return (int)run(argv + optind, argc - optind);
}
