/* SPDX-License-Identifier: Apache-2.0 */
/*
 * origin: the sample catalog that Larder stands in front of, in the demo, in scenes and under load.
 *
 * It shares no line with Larder on purpose: what it says on the wire is the second opinion. One
 * thread, one libev loop, HTTP/1.1 with keep-alive and pipelining. What it serves is in content.h,
 * what can be asked of it in ask.c, how a connection lives in conn.h.
 */
#include <errno.h>
#include <ev.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tools/origin/conn.h"

struct ev_loop *loop;
ev_io door;
bool quiet;

static const char usage[] =
    "origin: a sample catalog over HTTP/1.1, for demos, tests and load.\n\n"
    "  origin [--listen HOST:PORT] [--quiet]   (127.0.0.1:8000; port 0 picks a free one)\n\n"
    "  /products/ID   a product in JSON      /products?page=N&sort=WORD   a list of 20\n"
    "  /images/ID     bytes made from ID     any other path               an HTML page\n"
    "  They measure 1-2 KiB, 10 KiB, 64 KiB, 4 KiB, or size=. For a browser there are\n"
    "  /              a shop of 24 of them   /pictures/ID.svg             a still life\n\n"
    "  PUT, POST, PATCH, DELETE give a path its next revision. X-Origin-Count tells how often\n"
    "  the path was asked for, Server-Timing when what a browser shows was made.\n\n"
    "  GET  /-/stats[?path=/products/1]      POST /-/reset   zero the counters\n"
    "  POST /-/fail?status=503 | ?mode=close | ?mode=hang    POST /-/ok\n\n"
    "Ask for an answer in the query, or in fields: delay_ms=5 is also Origin-Delay-Ms: 5\n\n";

static const char examples[] =
    "\nExamples:\n"
    "  curl -i 'http://127.0.0.1:8000/products/1?cc=max-age%3D1&vary=Accept-Language'\n"
    "  curl -i 'http://127.0.0.1:8000/products/1?chunked=1&trickle_ms=100&trailer=1'\n"
    "  curl -r 1000000-1000099 'http://127.0.0.1:8000/images/7?size=4g' | xxd\n"
    "  curl -i 'http://127.0.0.1:8000/products/1?hdr=Surrogate-Key:red&hdr=X-Team:web'\n"
    "  curl -X PUT -d new http://127.0.0.1:8000/products/1    # its revision is 2 now\n"
    "  curl -X POST 'http://127.0.0.1:8000/-/fail?mode=hang'  # and from now on: silence\n";

static void help(void)
{
	fputs(usage, stdout);
	ask_help();
	fputs(examples, stdout);
}

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "origin: %s: %s; try --help\n", what, why);
	exit(1);
}

static void on_door(struct ev_loop *, ev_io *w, int)
{
	int fd;
	while ((fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		conn_new(fd);
	if (errno == EMFILE || errno == ENFILE)
		ev_io_stop(loop, w);
}

static int listen_on(const char *where)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found;
	char host[256], *name = host;
	snprintf(host, sizeof host, "%s", where);
	char *port = strrchr(host, ':');
	if (!port)
		fail(where, "HOST:PORT expected");
	*port++ = 0;
	if (*name == '[' && port[-2] == ']') {
		port[-2] = 0;
		name++;
	}
	int wrong = getaddrinfo(*name ? name : NULL, port, &want, &found);
	if (wrong)
		fail(where, gai_strerror(wrong));
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, 4096))
		fail(where, strerror(errno));
	freeaddrinfo(found);
	return fd;
}

static void announce(int fd)
{
	struct sockaddr_storage at = {};
	socklen_t len = sizeof at;
	char host[64], port[16];
	getsockname(fd, (struct sockaddr *)&at, &len);
	getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port,
	    NI_NUMERICHOST | NI_NUMERICSERV);
	bool v6 = at.ss_family == AF_INET6;
	printf("origin: listening on http://%s%s%s:%s\n", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

int main(int argc, char **argv)
{
	const char *where = "127.0.0.1:8000";
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--listen") && i + 1 < argc) {
			where = argv[++i];
		} else if (!strcmp(argv[i], "--quiet")) {
			quiet = true;
		} else if (!strcmp(argv[i], "--help")) {
			help();
			return 0;
		} else {
			fail(argv[i], "unknown, or its value is missing");
		}
	}
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	setvbuf(stdout, NULL, _IOLBF, 0);
	int fd = listen_on(where);
	loop = ev_default_loop(0);
	ev_io_init(&door, on_door, fd, EV_READ);
	ev_io_start(loop, &door);
	announce(fd);
	ev_run(loop, 0);
}
