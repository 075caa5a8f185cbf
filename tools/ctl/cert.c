/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/cert.h"

enum { COLUMNS = 6, CELL_BYTES = 256, FINGERPRINT_SHOWN = 16 };

struct line {
	char cells[COLUMNS][CELL_BYTES];
};

/* The names, " +N" standing for those that do not fit. */
static void print_names(char *to, const json_t *names)
{
	size_t count = json_array_size(names), len = 0;
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		if (i > 0 && len + strlen(name) > 40) {
			snprintf(to + len, CELL_BYTES - len, " +%zu", count - i);
			return;
		}
		len += (size_t)snprintf(
		    to + len, CELL_BYTES - len, "%s%.200s", i > 0 ? " " : "", name);
	}
}

static void fill(struct line *line, const json_t *cert)
{
	print_names(line->cells[0], json_object_get(cert, "names"));
	snprintf(line->cells[1], CELL_BYTES, "%s", member(cert, "key"));
	snprintf(line->cells[2], CELL_BYTES, "%.10s", member(cert, "not_after"));
	snprintf(line->cells[3], CELL_BYTES, "%" JSON_INTEGER_FORMAT,
	    json_integer_value(json_object_get(cert, "days_left")));
	snprintf(line->cells[4], CELL_BYTES, "%s", member(cert, "listener"));
	snprintf(line->cells[5], CELL_BYTES, "%.*s  %s", FINGERPRINT_SHOWN,
	    member(cert, "fingerprint"), member(cert, "path"));
}

static void show(const struct line *lines, size_t count)
{
	int widths[COLUMNS] = { 0 };
	for (size_t i = 0; i < count; i++)
		for (int c = 0; c < COLUMNS - 1; c++) {
			int len = (int)strlen(lines[i].cells[c]);
			widths[c] = len > widths[c] ? len : widths[c];
		}
	for (size_t i = 0; i < count; i++) {
		for (int c = 0; c < COLUMNS - 1; c++)
			printf("%-*s  ", widths[c], lines[i].cells[c]);
		puts(lines[i].cells[COLUMNS - 1]);
	}
}

static void show_list(const struct answer *a)
{
	static const struct line title = {
		{ "NAMES", "KEY", "EXPIRES", "DAYS", "LISTENER", "FINGERPRINT       FILE" },
	};
	json_t *all = body_json(a), *certs = json_object_get(all, "certificates");
	size_t count = json_array_size(certs);
	struct line *lines = calloc(count + 1, sizeof(*lines));
	if (!lines)
		give_up(OUTCOME_FAILED, "out of memory");
	lines[0] = title;
	for (size_t i = 0; i < count; i++)
		fill(&lines[i + 1], json_array_get(certs, i));
	if (count > 0)
		show(lines, count + 1);
	else
		puts("no listener speaks https");
	free(lines);
	json_decref(all);
}

enum outcome cert_list(UNUSED char **args, UNUSED int count)
{
	return ask_and_show("GET", "/v1/certs", wants_json ? show_body : show_list);
}

static void show_reloaded(UNUSED const struct answer *a)
{
	puts("the certificates were read and are in force");
}

enum outcome cert_reload(UNUSED char **args, UNUSED int count)
{
	return ask_and_show("POST", "/v1/certs/reload", wants_json ? show_body : show_reloaded);
}
