/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/table.h"

void table_init(struct table *t, const char *const *titles, size_t columns)
{
	must(columns > 0 && columns <= TABLE_COLUMNS);
	*t = (struct table){ .columns = columns, .titles = titles };
	buf_init(&t->text, 0);
}

void table_fini(struct table *t)
{
	buf_fini(&t->text);
}

void table_add(struct table *t, const char *fmt, ...)
{
	char *cell = NULL;
	va_list args;
	va_start(args, fmt);
	int len = vasprintf(&cell, fmt, args);
	va_end(args);
	must(len >= 0);
	for (int i = 0; i < len; i++)
		if ((unsigned char)cell[i] < ' ' || cell[i] == 0x7f)
			cell[i] = '?';
	buf_add(&t->text, slice_of(cell, (size_t)len + 1));
	t->cells++;
	free(cell);
}

static bool is_right(const char *title)
{
	return title[0] == '>';
}

static void measure(const struct table *t, int *widths)
{
	const char *at = t->text.at;
	must(t->columns > 0);
	for (size_t c = 0; t->titles && c < t->columns; c++)
		widths[c] = (int)strlen(t->titles[c] + is_right(t->titles[c]));
	for (size_t i = 0; i < t->cells; i++) {
		int len = (int)strlen(at);
		at += len + 1;
		if (len > widths[i % t->columns])
			widths[i % t->columns] = len;
	}
}

/* The last column of a row ends the line: nothing is filled up behind it. */
static void show_cell(const struct table *t, size_t column, const char *text, int width)
{
	bool is_last = column + 1 == t->columns;
	if (t->titles && is_right(t->titles[column]))
		printf("%*s", width, text);
	else
		printf("%-*s", is_last ? 0 : width, text);
	fputs(is_last ? "\n" : "  ", stdout);
}

void table_show(const struct table *t)
{
	int widths[TABLE_COLUMNS] = { 0 };
	const char *at = t->text.at;
	must(t->columns > 0);
	measure(t, widths);
	for (size_t c = 0; t->titles && c < t->columns; c++)
		show_cell(t, c, t->titles[c] + is_right(t->titles[c]), widths[c]);
	for (size_t i = 0; i < t->cells; i++) {
		show_cell(t, i % t->columns, at, widths[i % t->columns]);
		at += strlen(at) + 1;
	}
}
