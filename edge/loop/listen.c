/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/listen.h"

#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/conf/address.h"

/* Connections taken in one go, so that those already open get their turn; and how long a loop that
 * is out of descriptors leaves new ones in the kernel's queue. */
enum { ACCEPT_BATCH = 64, PAUSE_MS = 500, BACKLOG = 4096 };

static void on_pause_over(struct deadline *d)
{
	role_loop();
	listener_start(CONTAINER_OF(d, struct listener, pause));
}

/* Who has connected to a unix socket: as the kernel saw him then. */
static void learn_peer(int fd, struct address *peer)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	bool is_known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0;
	*peer = (struct address){ .local = { .family = AF_UNIX, .is_known = is_known } };
	if (is_known)
		peer->local.uid = who.uid;
}

/* False when there is nothing more to take now. */
static bool accept_one(struct listener *l) ON_LOOP
{
	struct address peer = { 0 };
	socklen_t len = sizeof(peer);
	int on = 1;
	int fd = accept4(l->io.fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		/* Level-triggered: without a pause this loop would spin on what it cannot take. */
		listener_stop(l);
		deadline_set(l->home, &l->pause, PAUSE_MS);
		return false;
	}
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	if (peer.any.sa_family == AF_UNIX)
		learn_peer(fd, &peer);
	else
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	l->accept(l, fd, &peer);
	return true;
}

static void on_acceptable(UNUSED struct ev_loop *ev, struct ev_io *io, UNUSED int events)
{
	role_loop();
	struct listener *l = CONTAINER_OF(io, struct listener, io);
	for (int i = 0; i < ACCEPT_BATCH && accept_one(l); i++)
		;
}

static enum err open_on(
    struct listener *l, struct loop *loop, int fd, listener_accept_f *accept, void *owner)
{
	if (listen(fd, BACKLOG) != 0) {
		int why = errno;
		close(fd);
		errno = why;
		return ERR_SYSTEM;
	}
	l->home = loop;
	l->owner = owner;
	l->accept = accept;
	deadline_init(&l->pause, on_pause_over);
	ev_io_init(&l->io, on_acceptable, fd, EV_READ);
	return ERR_NONE;
}

/* Only a literal address can be listened on; a machine's own name is spelled out. */
static bool parse_listen(struct slice text, struct address *ret)
{
	struct host_port at;
	if (!address_of_url(text, &at) && !address_of_pair(text, &at))
		return false;
	if (slice_eq(at.host, SL("localhost")))
		at.host = SL("127.0.0.1");
	return address_parse(at.host, at.port, ret);
}

bool listener_is_free(struct slice address)
{
	int on = 1;
	struct address at;
	int fd = parse_listen(address, &at)
	    ? socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)
	    : -1;
	if (fd < 0)
		return true;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	bool is_free = bind(fd, &at.any, address_len(&at)) == 0 || errno != EADDRINUSE;
	close(fd);
	return is_free;
}

enum err listener_open(struct listener *l, struct loop *loop, struct slice address,
    listener_accept_f *accept, void *owner)
{
	int on = 1;
	if (!parse_listen(address, &l->at))
		return ERR_CONF;
	int fd = socket(l->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_SYSTEM;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	socklen_t len = address_len(&l->at);
	if (bind(fd, &l->at.any, len) != 0) {
		int why = errno;
		close(fd);
		errno = why;
		return ERR_SYSTEM;
	}
	getsockname(fd, &l->at.any, &len);
	return open_on(l, loop, fd, accept, owner);
}

enum err listener_open_unix(struct listener *l, struct loop *loop, const char *path, mode_t mode,
    listener_accept_f *accept, void *owner)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(un.sun_path))
		return ERR_CONF;
	memcpy(un.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_SYSTEM;
	unlink(path);
	/* The mode must hold from the first moment: nobody connects between bind and chmod. */
	mode_t before = umask((mode_t)~mode & 0777);
	int failed = bind(fd, (struct sockaddr *)(void *)&un, sizeof(un));
	umask(before);
	if (failed) {
		int why = errno;
		close(fd);
		errno = why;
		return ERR_SYSTEM;
	}
	return open_on(l, loop, fd, accept, owner);
}

void listener_start(struct listener *l)
{
	ev_io_start(l->home->ev, &l->io);
}

void listener_stop(struct listener *l)
{
	ev_io_stop(l->home->ev, &l->io);
}

void listener_close(struct listener *l)
{
	deadline_clear(&l->pause);
	listener_stop(l);
	close(l->io.fd);
	l->io.fd = -1;
}
