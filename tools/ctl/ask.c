/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/ask.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TIMEOUT_S = 60 };

const char *admin_address = DEFAULT_ADMIN;
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

static _Noreturn void cannot_reach(const char *why)
{
	give_up(OUTCOME_UNREACHED,
	    "cannot reach Larder's admin listener at %s: %s\n"
	    "Is larder running? Its address is the key `admin`; tell me with --admin or LARDER_ADMIN.",
	    admin_address, why);
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

/* Sends a request. own: the caller closes. */
static int begin(const char *method, const char *path)
{
	struct timeval patience = { .tv_sec = TIMEOUT_S };
	bool is_unix = strncmp(admin_address, "unix:", 5) == 0;
	int fd = is_unix ? connect_unix(admin_address + 5) : connect_tcp(admin_address);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (dprintf(fd,
		"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: larderctl\r\nContent-Length: 0\r\n"
		"Connection: close\r\n\r\n",
		method, path, is_unix ? "localhost" : admin_address) < 0)
		cannot_reach(strerror(errno));
	return fd;
}

/* own: buf_fini(bytes). */
struct answer ask(const char *method, const char *path)
{
	struct answer a = { 0 };
	buf_init(&a.bytes, 0);
	int fd = begin(method, path);
	receive(fd, &a.bytes);
	close(fd);
	parse_answer(&a);
	return a;
}

/* Reads until the head is there, with what came behind it. */
static void receive_head(int fd, struct buf *into)
{
	while (slice_find_slice(buf_slice(into), SL("\r\n\r\n")) == into->len) {
		char *room = buf_room(into, 64 * KIB);
		ssize_t got = room ? read(fd, room, 64 * KIB) : -1;
		if (got < 0)
			cannot_reach(errno == EAGAIN ? "no answer in time" : strerror(errno));
		if (got == 0)
			not_larder();
		into->len += (size_t)got;
	}
}

/* Copies the rest of a body. Returns how many bytes are missing at the end. */
static uint64_t copy_rest(int fd, FILE *to, uint64_t left)
{
	static char bytes[64 * 1024];
	while (left > 0) {
		ssize_t got = read(fd, bytes, sizeof(bytes));
		if (got <= 0 || (uint64_t)got > left)
			return left;
		if (fwrite(bytes, 1, (size_t)got, to) != (size_t)got)
			give_up(OUTCOME_FAILED, "cannot write: %s", strerror(errno));
		left -= (uint64_t)got;
	}
	return 0;
}

static enum outcome copy_body(int fd, const struct head *head, const char *file)
{
	FILE *to = file ? fopen(file, "we") : stdout;
	if (!to)
		give_up(OUTCOME_FAILED, "%s: %s", file, strerror(errno));
	bool is_written = fwrite(head->rest.at, 1, head->rest.len, to) == head->rest.len;
	uint64_t missing = copy_rest(fd, to, head->length - head->rest.len);
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
	int fd = begin("GET", path);
	receive_head(fd, &a.bytes);
	if (!parse_head(buf_slice(&a.bytes), &head) || head.rest.len > head.length)
		not_larder();
	enum outcome outcome;
	if (head.status == 200) {
		outcome = copy_body(fd, &head, file);
	} else {
		receive(fd, &a.bytes);
		parse_answer(&a);
		outcome = show_problem(&a);
	}
	close(fd);
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
	    : a->status == 403  ? OUTCOME_REFUSED
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
