/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/origin/request.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Takes what is before `mark` off `*rest`; NULL, and nothing taken, where the mark is not found. */
static char *take_until(char **rest, const char *mark)
{
	char *token = *rest, *end = strstr(token, mark);
	if (!end)
		return NULL;
	*end = 0;
	*rest = end + strlen(mark);
	return token;
}

const char *field(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->field_count; i++)
		if (!strcasecmp(r->fields[i].name, name))
			return r->fields[i].value;
	return NULL;
}

/* `Origin-Delay-Ms: 5` is the option delay_ms, without a mark in the URL. */
static bool field_read(struct request *r, char *line)
{
	char *value = strchr(line, ':');
	if (!value || value == line || r->field_count == FIELDS)
		return false;
	*value++ = 0;
	value += strspn(value, " \t");
	for (size_t len = strlen(value); len && strchr(" \t", value[len - 1]);)
		value[--len] = 0;
	r->fields[r->field_count].name = line;
	r->fields[r->field_count++].value = value;
	if (!strncasecmp(line, "Origin-", 7)) {
		for (char *c = line + 7; *c; c++)
			*c = *c == '-' ? '_' : (char)tolower(*c);
		ask_set(&r->ask, line + 7, value);
	}
	return true;
}

static int request_line(struct request *r, char *line)
{
	char *method = strsep(&line, " "), *target = strsep(&line, " ");
	if (!target || !line || strncmp(line, "HTTP/1.", 7) != 0)
		return 400;
	if (!strncmp(target, "http://", 7))
		target = strchrnul(target + 7, '/');
	r->method = method;
	r->path = strsep(&target, "?");
	r->http10 = line[7] == '0';
	ask_read(&r->ask, target);
	return 0;
}

void request_clear(struct request *r)
{
	free(r->copy);
	*r = (struct request){ .method = "GET", .path = "/" };
	ask_clear(&r->ask);
}

/* How long the body is. Both ways of telling at once are the smuggler's: refused. */
static int request_framing(struct request *r)
{
	const char *coding = field(r, "Transfer-Encoding"), *length = field(r, "Content-Length");
	const char *connection = field(r, "Connection");
	r->keep = connection ? !strcasestr(connection, "close") : !r->http10;
	if (coding && (length || strcasecmp(coding, "chunked") != 0))
		return length ? 400 : 501;
	r->chunked = coding;
	if (length && number_read(length) == UNSET)
		return 400;
	r->left = length ? (uint64_t)number_read(length) : 0;
	return r->ask.wrong ? 400 : 0;
}

int request_read(struct request *r, const char *head, size_t len)
{
	char *rest = r->copy = malloc(len + 1);
	if (!rest)
		abort();
	/* Not strndup: the head is no string, and a sanitizer may read on to where one would
	 * end. */
	memcpy(rest, head, len);
	rest[len] = 0;
	char *line = take_until(&rest, "\r\n");
	int status = line ? request_line(r, line) : 400;
	while (!status && (line = take_until(&rest, "\r\n")) && *line)
		status = field_read(r, line) ? 0 : 400;
	return status ? status : request_framing(r);
}

bool is(const struct request *r, const char *method)
{
	return !strcmp(r->method, method);
}
