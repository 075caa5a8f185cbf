/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/ask.h"

#include <unistd.h>

#include "tools/ctl/link.h"

const char *admin_address = DEFAULT_ADMIN;
const char *admin_token;
bool wants_json;

_Noreturn void give_up(enum outcome outcome, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fputs("larderctl: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit((int)outcome);
}

/* An order that was sent may have been done, whatever became of its answer. */
static void check_doubt(const struct question *q)
{
	if (!q->in_doubt)
		return;
	fprintf(stderr, "larderctl: %s\n", q->in_doubt);
	exit(OUTCOME_PARTIAL);
}

static void receive(struct link *link, struct buf *into, const struct question *q)
{
	for (;;) {
		char *room = buf_room(into, 64 * KIB);
		if (!room)
			give_up(OUTCOME_FAILED, "the answer is too large");
		ssize_t got = link_read(link, room, 64 * KIB);
		if (got < 0)
			check_doubt(q);
		if (got < 0)
			link_failed(errno == EAGAIN ? "no answer in time" : strerror(errno));
		if (got == 0)
			return;
		into->len += (size_t)got;
	}
}

struct head {
	uint64_t status, length;
	struct slice rest; /* behind it */
};

/* False when it is none of Larder's. */
static bool parse_head(struct slice bytes, struct head *ret_head)
{
	struct slice line = slice_take_line(&bytes);
	bool is_http = slice_starts(line, SL("HTTP/1.")) &&
	    slice_to_u64(slice_first(slice_from(line, 9), 3), &ret_head->status);
	ret_head->length = 0;
	while ((line = slice_take_line(&bytes)).len) {
		struct slice name = slice_take_until(&line, ':');
		if (slice_eq_nocase(name, SL("content-length")) &&
		    !slice_to_u64(slice_trim(line), &ret_head->length))
			is_http = false;
	}
	ret_head->rest = bytes;
	return is_http;
}

/* Whether more of Larder's answer was to come. */
static bool is_cut(struct slice answer)
{
	struct head head = { 0 };
	if (!answer.len)
		return true;
	if (!parse_head(answer, &head))
		return false;
	return slice_find_slice(answer, SL("\r\n\r\n")) == answer.len ||
	    head.rest.len < head.length;
}

static _Noreturn void not_larder(void)
{
	give_up(OUTCOME_FAILED, "%s does not answer as Larder does", admin_address);
}

/* An answer that was cut short is none. */
static void parse_answer(struct answer *a)
{
	struct head head = { 0 };
	if (!parse_head(buf_slice(&a->bytes), &head) || head.rest.len != head.length)
		not_larder();
	a->status = (unsigned)head.status;
	a->body = head.rest;
}

/* Sends a request. own: link_close. */
static struct link *begin(const char *method, const char *path, const struct question *q)
{
	struct buf head;
	struct link *link = link_open();
	buf_init(&head, 0);
	buf_addf(&head,
	    "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: larderctl\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n",
	    method, path, link_host(), q->body.len);
	if (q->body.len)
		buf_add(&head, SL("Content-Type: application/json\r\n"));
	if (q->repeat_key)
		buf_addf(&head, "Idempotency-Key: %s\r\n", q->repeat_key);
	if (admin_token)
		buf_addf(&head, "Authorization: Bearer %s\r\n", admin_token);
	buf_add(&head, SL("\r\n"));
	buf_add(&head, q->body);
	link_write(link, buf_slice(&head));
	buf_fini(&head);
	return link;
}

/* own: buf_fini(bytes). */
struct answer ask(const char *method, const char *path)
{
	return ask_with(method, path, &(struct question){ .body = SLICE_NONE });
}

struct answer ask_with(const char *method, const char *path, const struct question *q)
{
	struct answer a = { 0 };
	buf_init(&a.bytes, 0);
	struct link *link = begin(method, path, q);
	receive(link, &a.bytes, q);
	link_close(&link);
	if (is_cut(buf_slice(&a.bytes)))
		check_doubt(q);
	parse_answer(&a);
	return a;
}

/* Reads until the head is there, with what came behind it. */
static void receive_head(struct link *link, struct buf *into)
{
	while (slice_find_slice(buf_slice(into), SL("\r\n\r\n")) == into->len) {
		char *room = buf_room(into, 64 * KIB);
		ssize_t got = room ? link_read(link, room, 64 * KIB) : -1;
		if (got < 0)
			link_failed(errno == EAGAIN ? "no answer in time" : strerror(errno));
		if (got == 0)
			not_larder();
		into->len += (size_t)got;
	}
}

/* Copies the rest of a body. Returns how many bytes are missing at the end. */
static uint64_t copy_rest(struct link *link, FILE *to, uint64_t left)
{
	static char bytes[64 * 1024];
	while (left > 0) {
		ssize_t got = link_read(link, bytes, sizeof(bytes));
		if (got <= 0 || (uint64_t)got > left)
			return left;
		if (fwrite(bytes, 1, (size_t)got, to) != (size_t)got)
			give_up(OUTCOME_FAILED, "cannot write: %s", strerror(errno));
		left -= (uint64_t)got;
	}
	return 0;
}

static enum outcome copy_body(struct link *link, const struct head *head, const char *file)
{
	FILE *to = file ? fopen(file, "we") : stdout;
	if (!to)
		give_up(OUTCOME_FAILED, "%s: %s", file, strerror(errno));
	bool is_written = fwrite(head->rest.at, 1, head->rest.len, to) == head->rest.len;
	uint64_t missing = copy_rest(link, to, head->length - head->rest.len);
	is_written &= file ? fclose(to) == 0 : fflush(to) == 0;
	if (is_written && !missing)
		return OUTCOME_OK;
	if (file)
		unlink(file);
	fprintf(stderr,
	    missing ? "larderctl: the answer was cut short, %" PRIu64 " bytes are missing\n"
		    : "larderctl: cannot write all of it\n",
	    missing);
	return OUTCOME_FAILED;
}

enum outcome ask_into(const char *path, const char *file)
{
	struct answer a = { 0 };
	struct head head = { 0 };
	buf_init(&a.bytes, 0);
	struct question q = { .body = SLICE_NONE };
	struct link *link = begin("GET", path, &q);
	receive_head(link, &a.bytes);
	if (!parse_head(buf_slice(&a.bytes), &head) || head.rest.len > head.length)
		not_larder();
	enum outcome outcome;
	if (head.status == 200) {
		outcome = copy_body(link, &head, file);
	} else {
		receive(link, &a.bytes, &q);
		parse_answer(&a);
		outcome = show_problem(&a);
	}
	link_close(&link);
	buf_fini(&a.bytes);
	return outcome;
}

void add_escaped(struct buf *to, const char *text)
{
	for (; *text; text++) {
		bool is_plain = is_digit(*text) || strchr("-._~", *text) ||
		    (ascii_lower(*text) >= 'a' && ascii_lower(*text) <= 'z');
		if (is_plain)
			buf_add_char(to, *text);
		else
			buf_addf(to, "%%%02X", (unsigned char)*text);
	}
}

void show_body(const struct answer *a)
{
	fwrite(a->body.at, 1, a->body.len, stdout);
}

json_t *body_json(const struct answer *a)
{
	return json_loadb(a->body.at, a->body.len, 0, NULL);
}

const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

double member_number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

enum outcome show_problem(const struct answer *a)
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
	    : a->status == 401  ? OUTCOME_REFUSED
	    : a->status == 403  ? OUTCOME_REFUSED
	    : a->status == 429  ? OUTCOME_REFUSED
	    : a->status == 400  ? OUTCOME_USAGE
				: OUTCOME_FAILED;
}

enum outcome ask_and_show(const char *method, const char *path, void (*show)(const struct answer *))
{
	struct answer a = ask(method, path);
	if (a.status == 200)
		show(&a);
	enum outcome outcome = a.status == 200 ? OUTCOME_OK : show_problem(&a);
	buf_fini(&a.bytes);
	return outcome;
}
