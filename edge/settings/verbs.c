/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/verbs.h"

#include <sys/stat.h>
#include <unistd.h>

#include "edge/conf/fmt.h"
#include "edge/conf/print.h"
#include "edge/conf/schema.h"
#include "edge/settings/premises.h"
#include "edge/settings/source.h"

/* ---- telling ---- */

/* Prints a text and frees it. */
static enum exit_code print(struct buf *text)
{
	bool well = !text->overflow && fwrite(text->at, 1, text->len, stdout) == text->len &&
	    fflush(stdout) == 0;
	buf_fini(text);
	if (!well)
		fprintf(stderr, "larder: cannot write to stdout\n");
	return well ? EXIT_OK : EXIT_FAILED;
}

enum exit_code verb_refuse(struct conf_errors *errors)
{
	fprintf(stderr, "%.*s", SLICE_ARG(buf_slice(&errors->text)));
	if (errors->count > 1)
		fprintf(stderr, "%u problems\n", errors->count);
	conf_errors_fini(errors);
	return EXIT_CONFIG;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- check, dump, schema, version ---- */

/* Reads the certificates, as a start would. */
static bool can_be_served(struct settings *s, struct conf_errors *errors)
{
	struct keyring keyring = { 0 };
	struct premises *premises = premises_new(
	    s, &keyring, (struct premises_before){ 0 }, errors);
	bool can = premises != NULL;
	premises_unref(&premises);
	keyring_fini(&keyring);
	return can;
}

static enum exit_code check(const struct flags *flags)
{
	struct conf_errors errors;
	conf_errors_init(&errors);
	struct settings *s = flags_settings(flags, &errors);
	if (!s || !can_be_served(s, &errors)) {
		settings_unref(&s);
		return verb_refuse(&errors);
	}
	printf("valid: %zu listener%s, %zu origin%s, %zu route%s\n", s->listen.count,
	    plural(s->listen.count), s->origins.count, plural(s->origins.count),
	    s->routes.list.count, plural(s->routes.list.count));
	settings_unref(&s);
	conf_errors_fini(&errors);
	return EXIT_OK;
}

static enum exit_code dump(const struct flags *flags)
{
	struct conf_errors errors;
	struct buf text;
	buf_init(&text, 0);
	if (flags->is_defaults) {
		settings_print_defaults(&text);
		return print(&text);
	}
	conf_errors_init(&errors);
	struct settings *s = flags_settings(flags, &errors);
	if (!s)
		return verb_refuse(&errors);
	conf_dump(&text, &settings_table, s);
	settings_unref(&s);
	conf_errors_fini(&errors);
	return print(&text);
}

static enum exit_code schema(void)
{
	struct buf text;
	buf_init(&text, 0);
	conf_schema(&text, &settings_table, "Larder's configuration");
	return print(&text);
}

static enum exit_code version(void)
{
	struct buf text;
	buf_init(&text, 0);
	buf_add(&text, SL("larder " LARDER_VERSION "\n"));
	return print(&text);
}

/* ---- fmt ---- */

static bool write_all(int fd, struct slice s)
{
	while (s.len > 0) {
		ssize_t wrote = write(fd, s.at, s.len);
		if (wrote < 0)
			return false;
		s = slice_from(s, (size_t)wrote);
	}
	return true;
}

/* Writes beside the file, then takes its place: a crash leaves the old one or the new one. */
static bool replace_file(const char *path, struct slice text)
{
	char real[PATH_MAX], beside[PATH_MAX + 16];
	struct stat st;
	if (!realpath(path, real) || stat(real, &st) != 0)
		return false;
	snprintf(beside, sizeof(beside), "%s.XXXXXX", real);
	int fd = mkstemp(beside);
	if (fd < 0)
		return false;
	bool well = write_all(fd, text) && fchmod(fd, st.st_mode & 07777) == 0 && fsync(fd) == 0;
	well = close(fd) == 0 && well && rename(beside, real) == 0;
	if (!well)
		unlink(beside);
	return well;
}

static enum exit_code give_back(
    const struct flags *flags, const struct conf_source *source, struct buf *text)
{
	bool differs = !slice_eq(buf_slice(text), source->text);
	if (!flags->differs && !flags->in_place)
		return print(text);
	enum exit_code code = EXIT_OK;
	if (flags->differs && differs) {
		printf("%.*s\n", SLICE_ARG(source->name));
		code = EXIT_FAILED;
	} else if (flags->in_place && differs) {
		char *path = slice_to_str(source->name);
		if (!replace_file(path, buf_slice(text))) {
			fprintf(stderr, "%s: cannot be written: %s\n", path, strerror(errno));
			code = EXIT_FAILED;
		}
		free(path);
	}
	buf_fini(text);
	return code;
}

static enum exit_code fmt_file(const struct flags *flags, const char *path)
{
	struct conf_errors errors;
	struct source_list sources;
	struct buf text;
	enum exit_code code;
	conf_errors_init(&errors);
	source_list_init(&sources, 1);
	buf_init(&text, 0);
	if (!source_add_file(&sources, path, &errors) ||
	    !conf_fmt(&text, &sources.at[0], &errors)) {
		buf_fini(&text);
		code = verb_refuse(&errors);
	} else {
		conf_errors_fini(&errors);
		code = give_back(flags, &sources.at[0], &text);
	}
	source_list_fini(&sources);
	return code;
}

static enum exit_code fmt(const struct flags *flags)
{
	enum exit_code worst = flags->file_count ? EXIT_OK : fmt_file(flags, LARDER_CONFIG);
	for (size_t i = 0; i < flags->file_count; i++) {
		enum exit_code code = fmt_file(flags, flags->files[i]);
		worst = code > worst ? code : worst;
	}
	return worst;
}

enum exit_code verb_run_offline(const struct flags *flags)
{
	switch (flags->verb) {
	case VERB_CHECK: return check(flags);
	case VERB_FMT: return fmt(flags);
	case VERB_DUMP: return dump(flags);
	case VERB_SCHEMA: return schema();
	case VERB_VERSION: return version();
	case VERB_RUN:
	case VERB_COUNT: break;
	}
	must(flags->verb != VERB_RUN);
	return EXIT_FAILED;
}
