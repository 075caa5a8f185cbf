/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/conn.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* At the edge of near, the kernel's doubled buffer still carries 2 Gbit/s on one connection. */
enum { NEAR_RTT_US = 500, NEAR_SEND_BYTES = 64 * 1024 };

/* ---- what is watched ---- */

/* The socket does not tell of bytes that the layer has read already. */
static void tell_unread(struct conn *c) ON_LOOP
{
	if (c->layer && (c->wanted & EV_READ) && c->layer->has_unread(c))
		ev_feed_event(c->home->ev, &c->io, EV_READ);
}

/* Watches for what the user wants, and for what the layer needs to get rid of what it holds. */
static void rewatch(struct conn *c) ON_LOOP
{
	int events = c->wanted | (conn_is_flushed(c) ? 0 : EV_WRITE);
	/* libev keeps flags of its own in the mask. */
	if ((c->io.events & (EV_READ | EV_WRITE)) == events && (ev_is_active(&c->io) || !events))
		return;
	/* What was fed and not told yet is lost with the stop. */
	bool is_pending = ev_is_pending(&c->io);
	ev_io_stop(c->home->ev, &c->io);
	/* modify, not set: a mask that goes off and on within one round costs no system call. */
	ev_io_modify(&c->io, events);
	if (events)
		ev_io_start(c->home->ev, &c->io);
	if (is_pending)
		tell_unread(c);
}

/* Lets the layer send what it holds. What is broken, the user learns by reading. */
static int flush(struct conn *c, int events) ON_LOOP
{
	switch (c->layer->flush(c)) {
	case IO_OK: break;
	case IO_AGAIN: return events & ~EV_WRITE;
	case IO_EOF:
	case IO_BROKEN: rewatch(c); return c->wanted ? c->wanted : EV_READ;
	}
	rewatch(c);
	return events & c->wanted;
}

static void on_io(UNUSED struct ev_loop *ev, struct ev_io *io, int events)
{
	role_loop();
	struct conn *c = CONTAINER_OF(io, struct conn, io);
	if (c->layer && (events & EV_WRITE))
		events = flush(c, events);
	if (events)
		c->ready(c, events);
}

/* ---- life ---- */

void conn_open(struct conn *c, struct loop *home, int fd, conn_ready_f *ready)
{
	*c = (struct conn){ .home = home, .ready = ready };
	ev_io_init(&c->io, on_io, fd, 0);
}

void conn_move(struct conn *to, struct conn *from, conn_ready_f *ready)
{
	ev_io_stop(from->home->ev, &from->io);
	/* The watcher is copied, not made: libev knows by it whether the descriptor is news, or one
	 * that the kernel watches already. */
	*to = *from;
	to->ready = ready;
	to->wanted = 0;
	from->layer = NULL;
	from->layer_state = NULL;
	from->io.fd = -1;
	rewatch(to); /* what the layer holds still goes out */
}

enum err conn_connect(
    struct conn *c, struct loop *home, const struct address *to, conn_ready_f *ready)
{
	int on = 1;
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	conn_open(c, home, fd, ready);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? ERR_NO_FDS : ERR_ORIGIN_CONNECT;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &to->any, address_len(to)) != 0 && errno != EINPROGRESS) {
		conn_close(c);
		return ERR_ORIGIN_CONNECT;
	}
	return ERR_NONE;
}

enum err conn_connected(struct conn *c)
{
	int failure = 0;
	socklen_t len = sizeof(failure);
	if (getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0 || failure != 0)
		return ERR_ORIGIN_CONNECT;
	return ERR_NONE;
}

static void end(struct conn *c, bool is_reset) ON_LOOP
{
	ev_io_stop(c->home->ev, &c->io);
	if (c->layer)
		c->layer->close(c, is_reset);
	c->layer = NULL;
	close(c->io.fd);
	c->io.fd = -1;
}

void conn_close(struct conn *c)
{
	if (conn_is_open(c))
		end(c, false);
}

void conn_reset(struct conn *c)
{
	struct linger at_once = { .l_onoff = 1 };
	if (!conn_is_open(c))
		return;
	setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	end(c, true);
}

uint32_t conn_unsent(const struct conn *c)
{
	int bytes = 0;
	size_t held = c->layer ? c->layer->held(c) : 0;
	return (uint32_t)held + (ioctl(c->io.fd, SIOCOUTQ, &bytes) == 0 ? (uint32_t)bytes : 0);
}

bool conn_is_taking(const struct conn *c, uint32_t *unsent)
{
	uint32_t before = *unsent;
	*unsent = conn_unsent(c);
	return *unsent < before;
}

/* ---- reading and writing ---- */

void conn_watch(struct conn *c, int events)
{
	bool reads_anew = (events & EV_READ) && !(c->wanted & EV_READ);
	c->wanted = (uint8_t)events;
	rewatch(c);
	if (reads_anew)
		tell_unread(c);
}

static enum io outcome(ssize_t n, size_t *ret_bytes)
{
	if (n > 0) {
		*ret_bytes = (size_t)n;
		return IO_OK;
	}
	if (n == 0)
		return IO_EOF;
	return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_BROKEN;
}

enum io conn_read(struct conn *c, void *to, size_t room, size_t *ret_bytes)
{
	*ret_bytes = 0;
	if (!c->layer)
		return outcome(read(c->io.fd, to, room), ret_bytes);
	enum io io = c->layer->read(c, to, room, ret_bytes);
	rewatch(c);      /* reading may make it answer */
	if (io == IO_OK) /* an end that was told is told again to who asks anew */
		tell_unread(c);
	return io;
}

enum io conn_writev(struct conn *c, struct iovec *iov, int count, size_t *ret_bytes)
{
	*ret_bytes = 0;
	if (c->layer) {
		enum io io = c->layer->writev(c, iov, count, ret_bytes);
		rewatch(c);
		return io;
	}
	/* One buffer is the usual case, and write is the cheaper call. SIGPIPE is ignored. */
	ssize_t n = count == 1 ? write(c->io.fd, iov->iov_base, iov->iov_len)
			       : writev(c->io.fd, iov, count);
	return outcome(n, ret_bytes);
}

void conn_ready_bulk(struct conn *c)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int bytes = NEAR_SEND_BYTES;
	if (getsockopt(c->io.fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return;
	if (info.tcpi_rtt > 0 && info.tcpi_rtt < NEAR_RTT_US)
		setsockopt(c->io.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

void conn_shut(struct conn *c)
{
	if (!c->layer) {
		shutdown(c->io.fd, SHUT_WR);
		return;
	}
	c->layer->shut(c);
	rewatch(c);
}

void conn_stirred(struct conn *c)
{
	rewatch(c);
	tell_unread(c);
}

size_t address_print(const struct address *a, char *to, size_t room)
{
	const void *from = a->any.sa_family == AF_INET6 ? (const void *)&a->v6.sin6_addr
							: (const void *)&a->v4.sin_addr;
	bool is_ip = a->any.sa_family == AF_INET6 || a->any.sa_family == AF_INET;
	if (is_ip && inet_ntop(a->any.sa_family, from, to, (socklen_t)room))
		return strlen(to);
	return (size_t)snprintf(to, room, "unix");
}

uint16_t address_port(const struct address *a)
{
	return ntohs(a->any.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

socklen_t address_len(const struct address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

bool address_parse(struct slice host, uint16_t port, struct address *ret)
{
	char text[INET6_ADDRSTRLEN];
	if (host.len == 0 || host.len >= sizeof(text))
		return false;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	*ret = (struct address){ 0 };
	if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		return true;
	}
	if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		return true;
	}
	return false;
}
