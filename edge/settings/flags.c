/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/flags.h"

#include "edge/conf/nearest.h"
#include "edge/settings/source.h"

/* ---- the verbs ---- */

#define BIT(verb) (1u << (verb))
enum {
	LOADING = BIT(VERB_RUN) | BIT(VERB_CHECK) | BIT(VERB_DUMP), /* verbs that load settings */
	READING = LOADING | BIT(VERB_FMT),                          /* verbs that take files */
};

static const struct {
	const char *name;
	const char *takes;
	const char *doc;
	const char *examples;
} verbs[VERB_COUNT] = {
	[VERB_RUN] =
	    {
		"run",
		"[FLAG]... [FILE]...",
		"Serves requests until it is told to stop: QUIT ends gracefully, TERM at once, HUP\n"
		"reads the configuration again, USR1 opens log files again.",
		"  larder run --origin http://127.0.0.1:8000\n"
		"      in front of one server, on port 8080, without a file\n"
		"  larder run --origin http://app1:3000 --origin http://app2:3000 \\\n"
		"             --listen http://0.0.0.0:80 --store /var/cache/larder\n"
		"      two servers with the same content, port 80, objects kept on disk\n"
		"  larder run --origin http://app:3000 --listen http://0.0.0.0:80 \\\n"
		"             --listen https://0.0.0.0:443 --cert shop.pem --key shop.key\n"
		"      http and https; repeat --cert and --key for more names\n"
		"  larder run -c /etc/larder/larder.yaml --log-level debug\n"
		"      all from the file, but for one key\n",
	    },
	[VERB_CHECK] =
	    {
		"check",
		"[FLAG]... [FILE]...",
		"Reads a configuration and tells all that is wrong with it, each problem as\n"
		"file:line:column. Exits 0 when it is valid, 3 when it is not.",
		"  larder check\n"
		"      " LARDER_CONFIG "\n"
		"  larder check new.yaml && mv new.yaml larder.yaml\n"
		"      before it counts\n"
		"  larder check base.yaml site.yaml\n"
		"      the second over the first, as run would read them\n",
	    },
	[VERB_FMT] =
	    {
		"fmt",
		"[-w | -d] [FILE]...",
		"Writes a configuration in one shape: two spaces a level, one space after a colon.\n"
		"Comments stay on their lines and keys in their order.",
		"  larder fmt larder.yaml\n"
		"      shows it\n"
		"  larder fmt -w larder.yaml\n"
		"      writes it back\n"
		"  larder fmt -d conf.d/*.yaml\n"
		"      in a pipeline: exits 1 when a file is not in shape\n",
	    },
	[VERB_DUMP] =
	    {
		"dump",
		"[FLAG]... [FILE]...",
		"Prints the configuration that would be in force, every key, defaults and variables\n"
		"filled in. What it prints loads again to the same.",
		"  larder dump -c larder.yaml | grep -A3 ttl-by-status\n"
		"      what holds in the end\n"
		"  larder dump --defaults >larder.yaml\n"
		"      a file to begin with: every key with its default, explained\n",
	    },
	[VERB_SCHEMA] =
	    {
		"schema",
		"",
		"Prints the JSON Schema of the configuration, for editors.",
		"  larder schema >larder.schema.json\n"
		"      then begin files with\n"
		"      # yaml-language-server: $schema=larder.schema.json\n",
	    },
	[VERB_VERSION] =
	    {
		"version",
		"",
		"Prints the version.",
		"  larder version\n",
	    },
};

/* ---- the flags ---- */

/* A flag sets a configuration key when it has `open`, else something of struct flags, or it is the
 * second half of one that does. */
struct flag {
	const char *name; /* with its dashes */
	const char *letter;
	const char *takes;        /* NULL = no value */
	const char *open, *close; /* YAML around its values */
	bool repeats;
	unsigned verbs;
	const char *doc;
};

enum {
	FLAG_CONFIG,
	FLAG_WRITE,
	FLAG_DIFFERS,
	FLAG_DEFAULTS,
	FLAG_HELP,
	FLAG_ORIGIN,
	FLAG_LISTEN,
	FLAG_CERT,
	FLAG_KEY
};

/* clang-format off */
static const struct flag table[] = {
	[FLAG_CONFIG] = {"--config", "-c", "FILE", .repeats = true, .verbs = READING,
		.doc = "configuration; of several, later ones override"},
	[FLAG_WRITE] = {"--write", "-w", .verbs = BIT(VERB_FMT),
		.doc = "write files back instead of showing them"},
	[FLAG_DIFFERS] = {"--differs", "-d", .verbs = BIT(VERB_FMT),
		.doc = "name the files that would change, and exit 1 when there are some"},
	[FLAG_DEFAULTS] = {"--defaults", NULL, .verbs = BIT(VERB_DUMP),
		.doc = "print every key with its default, commented"},
	[FLAG_HELP] = {"--help", "-h", .verbs = BIT(VERB_COUNT) - 1,
		.doc = "this text"},
	[FLAG_ORIGIN] = {"--origin", NULL, "URL",
		"origins: [{name: default, addresses: [", "]}]", true, LOADING,
		"the server behind; repeat for more addresses of the same content"},
	[FLAG_LISTEN] = {"--listen", NULL, "URL", "listen: [", "]", true, LOADING,
		"where clients are served; repeat for more (http://0.0.0.0:8080)"},
	[FLAG_CERT] = {"--cert", NULL, "FILE", "tls: {certificates: [", "]}", true, LOADING,
		"certificate of https listeners, PEM; repeat with --key for more"},
	[FLAG_KEY] = {"--key", NULL, "FILE", .repeats = true, .verbs = LOADING,
		.doc = "its private key; the first --key belongs to the first --cert"},
	{"--admin", NULL, "ADDRESS", "admin: {listen: ", "}", false, LOADING,
		"host:port, unix:/path or off (off)"},
	{"--store", NULL, "DIR", "store: {path: ", "}", false, LOADING,
		"keep objects on disk here (RAM only)"},
	{"--store-size", NULL, "SIZE", "store: {size: ", "}", false, LOADING,
		"disk to use (10g)"},
	{"--memory-limit", NULL, "SIZE", "memory-limit: ", "", false, LOADING,
		"RAM for everything: 2g, or 60% of the machine or container (60%)"},
	{"--hot-size", NULL, "SIZE", "store: {hot-size: ", "}", false, LOADING,
		"RAM to use (256m)"},
	{"--workers", NULL, "N", "workers: ", "", false, LOADING,
		"threads (0: one for each processor)"},
	{"--access-log", NULL, "FILE", "log: {access: ", "}", false, LOADING,
		"a file, - for stdout, or off (-)"},
	{"--log-level", NULL, "LEVEL", "log: {level: ", "}", false, LOADING,
		"error, warn, info or debug (info)"},
	{"--name", NULL, "NAME", "name: ", "", false, LOADING,
		"what this node calls itself (larder)"},
	{"--user", NULL, "USER", "user: ", "", false, LOADING,
		"user to become once listening"},
	{"--pid-file", NULL, "FILE", "pid-file: ", "", false, LOADING,
		"file that holds the process id"},
};
/* clang-format on */

struct given {
	const struct flag *flag;
	const char *value;
};

/* ---- help ---- */

static void show_overview(FILE *out)
{
	fprintf(out,
	    "Larder " LARDER_VERSION ", a caching edge accelerator.\n\n"
	    "usage: larder VERB [FLAG]... [FILE]...\n\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(out, "  %-8s %.*s\n", verbs[i].name, (int)strcspn(verbs[i].doc, ".,:\n"),
		    verbs[i].doc);
	fprintf(out, "\nlarder VERB --help tells more. To begin:\n\n%s", verbs[VERB_RUN].examples);
}

static void show_flag(const struct flag *f)
{
	char left[64];
	snprintf(left, sizeof(left), "%s%s%s%s%s", f->letter ? f->letter : "",
	    f->letter ? ", " : "", f->name, f->takes ? " " : "", f->takes ? f->takes : "");
	printf("  %-22s %s\n", left, f->doc);
}

static void show_help(enum verb verb)
{
	printf("usage: larder %s %s\n\n%s\n\nflags:\n", verbs[verb].name, verbs[verb].takes,
	    verbs[verb].doc);
	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (table[i].verbs & BIT(verb))
			show_flag(&table[i]);
	printf("\nexamples:\n%s", verbs[verb].examples);
	if (BIT(verb) & READING)
		printf("\nWithout a file%s, %s is read.\n",
		    BIT(verb) & LOADING ? " and --origin" : "", LARDER_CONFIG);
}

/* ---- reading ---- */

static enum flags_verdict refuse(const char *what, const char *word, struct slice nearest)
{
	fprintf(stderr, "larder: %s \"%s\"", what, word);
	if (nearest.len)
		fprintf(stderr, "; did you mean \"%.*s\"?\n", SLICE_ARG(nearest));
	else
		fprintf(stderr, "; larder --help shows what there is\n");
	return FLAGS_WRONG;
}

static enum flags_verdict read_verb(struct flags *flags, const char *word)
{
	static const char *const aliases[][2] = { { "-t", "check" }, { "-v", "version" },
		{ "-V", "version" }, { "--version", "version" } };
	struct nearest near = nearest_to(slice_str(word));
	for (size_t i = 0; i < COUNT_OF(aliases); i++)
		if (strcmp(word, aliases[i][0]) == 0)
			word = aliases[i][1];
	for (int i = 0; i < VERB_COUNT; i++) {
		nearest_offer(&near, slice_str(verbs[i].name));
		if (strcmp(word, verbs[i].name) == 0) {
			flags->verb = (enum verb)i;
			return FLAGS_RUN;
		}
	}
	return refuse("no verb", word, near.best);
}

/* The words that are left to read. */
struct words {
	const char *const *at;
	size_t count;
};

static const char *take_word(struct words *w)
{
	w->count--;
	return *w->at++;
}

static const struct flag *find_flag(enum verb verb, struct slice name, struct slice *ret_nearest)
{
	struct nearest near = nearest_to(name);
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const struct flag *f = &table[i];
		if (!(f->verbs & BIT(verb)))
			continue;
		nearest_offer(&near, slice_str(f->name));
		if (slice_eq(name, slice_str(f->name)) ||
		    (f->letter && slice_eq(name, slice_str(f->letter))))
			return f;
	}
	*ret_nearest = near.best;
	return NULL;
}

static void give(struct flags *flags, const struct flag *f, const char *value)
{
	if (f == &table[FLAG_CONFIG])
		flags->files[flags->file_count++] = value;
	else if (f == &table[FLAG_WRITE])
		flags->in_place = true;
	else if (f == &table[FLAG_DIFFERS])
		flags->differs = true;
	else if (f == &table[FLAG_DEFAULTS])
		flags->is_defaults = true;
	else
		flags->given[flags->given_count++] = (struct given){ f, value };
}

/* Reads one flag: --name value, --name=value, -n value. */
static enum flags_verdict read_flag(struct flags *flags, const char *word, struct words *rest)
{
	size_t name_len = word[1] == '-' ? strcspn(word, "=") : strlen(word);
	bool has_value = word[name_len] == '=';
	struct slice nearest;
	const struct flag *f = find_flag(flags->verb, slice_of(word, name_len), &nearest);
	if (!f)
		return refuse("no flag", word, nearest);
	if (f == &table[FLAG_HELP]) {
		show_help(flags->verb);
		return FLAGS_DONE;
	}
	if (has_value && !f->takes) {
		fprintf(stderr, "larder: %s takes no value\n", f->name);
		return FLAGS_WRONG;
	}
	if (f->takes && !has_value && rest->count == 0) {
		fprintf(
		    stderr, "larder: %s needs a value; write %s %s\n", f->name, f->name, f->takes);
		return FLAGS_WRONG;
	}
	const char *value = has_value ? word + name_len + 1 : f->takes ? take_word(rest) : NULL;
	give(flags, f, value);
	return FLAGS_RUN;
}

static size_t count_given(const struct flags *flags, const struct flag *f)
{
	size_t count = 0;
	for (size_t i = 0; i < flags->given_count; i++)
		count += flags->given[i].flag == f;
	return count;
}

static bool is_given(const struct flags *flags, const struct flag *f)
{
	return count_given(flags, f) > 0;
}

static enum flags_verdict check_pairs(const struct flags *flags)
{
	size_t certs = count_given(flags, &table[FLAG_CERT]);
	size_t keys = count_given(flags, &table[FLAG_KEY]);
	if (certs == keys)
		return FLAGS_RUN;
	fprintf(stderr,
	    "larder: %zu --cert and %zu --key; each certificate needs its key: "
	    "--cert FILE --key FILE\n",
	    certs, keys);
	return FLAGS_WRONG;
}

static enum flags_verdict read_file(struct flags *flags, const char *word)
{
	if (!(BIT(flags->verb) & READING)) {
		fprintf(stderr, "larder: %s takes no \"%s\"\n", verbs[flags->verb].name, word);
		return FLAGS_WRONG;
	}
	give(flags, &table[FLAG_CONFIG], word);
	return FLAGS_RUN;
}

enum flags_verdict flags_read(struct flags *flags, int argc, const char *const *argv)
{
	size_t count = argc > 0 ? (size_t)argc : 0;
	*flags = (struct flags){
		.files = must_alloc((count + 1) * sizeof(*flags->files)),
		.given = must_alloc((count + 1) * sizeof(*flags->given)),
	};
	bool asks_help = count > 1 &&
	    (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0);
	if (count < 2 || asks_help) {
		show_overview(asks_help ? stdout : stderr);
		return asks_help ? FLAGS_DONE : FLAGS_WRONG;
	}
	struct words rest = { argv + 2, count - 2 };
	enum flags_verdict verdict = read_verb(flags, argv[1]);
	bool files_only = false;
	while (verdict == FLAGS_RUN && rest.count > 0) {
		const char *word = take_word(&rest);
		bool is_flag = !files_only && word[0] == '-' && word[1] != '\0';
		if (is_flag && strcmp(word, "--") == 0)
			files_only = true;
		else
			verdict = is_flag ? read_flag(flags, word, &rest) : read_file(flags, word);
	}
	return verdict == FLAGS_RUN ? check_pairs(flags) : verdict;
}

void flags_fini(struct flags *flags)
{
	free(flags->files);
	free(flags->given);
	*flags = (struct flags){ 0 };
}

/* ---- loading ---- */

/* Writes a value; of a certificate, with the key that was given for it. */
static void write_value(struct buf *out, const struct flags *flags, const struct given *given)
{
	if (given->flag != &table[FLAG_CERT]) {
		buf_add_json(out, slice_str(given->value));
		return;
	}
	size_t before = 0;
	for (const struct given *g = flags->given; g < given; g++)
		before += g->flag == given->flag;
	const struct given *key = flags->given;
	while (key->flag != &table[FLAG_KEY] || before-- > 0)
		key++;
	buf_add(out, SL("{cert: "));
	buf_add_json(out, slice_str(given->value));
	buf_add(out, SL(", key: "));
	buf_add_json(out, slice_str(key->value));
	buf_add_char(out, '}');
}

/* Writes the YAML of all that was given for a flag. Of a flag that does not repeat, the last. */
static void write_yaml(struct buf *out, const struct flags *flags, const struct flag *f)
{
	buf_add(out, slice_str(f->open));
	size_t start = out->len;
	for (size_t i = 0; i < flags->given_count; i++) {
		if (flags->given[i].flag != f)
			continue;
		if (!f->repeats)
			out->len = start;
		if (out->len > start)
			buf_add(out, SL(", "));
		write_value(out, flags, &flags->given[i]);
	}
	buf_add(out, slice_str(f->close));
}

static void add_flags(struct source_list *sources, const struct flags *flags)
{
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		if (!table[i].open || !is_given(flags, &table[i]))
			continue;
		struct buf yaml;
		buf_init(&yaml, 0);
		write_yaml(&yaml, flags, &table[i]);
		source_add_flag(sources, table[i].name, buf_slice(&yaml));
		buf_fini(&yaml);
	}
}

static bool add_files(
    struct source_list *sources, const struct flags *flags, struct conf_errors *errors)
{
	if (flags->file_count == 0 && is_given(flags, &table[FLAG_ORIGIN]))
		return true;
	bool well = true;
	for (size_t i = 0; i < flags->file_count; i++)
		well &= source_add_file(sources, flags->files[i], errors);
	if (flags->file_count == 0 && !source_add_file(sources, LARDER_CONFIG, errors)) {
		buf_addf(&errors->text,
		    "name another file with --config FILE, or do without: "
		    "--origin http://host:port\n");
		well = false;
	}
	return well;
}

struct settings *flags_settings(const struct flags *flags, struct conf_errors *errors)
{
	struct source_list sources;
	struct settings *settings = NULL;
	source_list_init(&sources, flags->file_count + 1 + COUNT_OF(table));
	if (add_files(&sources, flags, errors)) {
		add_flags(&sources, flags);
		settings = settings_load(sources.at, sources.count, errors);
	}
	source_list_fini(&sources);
	return settings;
}
