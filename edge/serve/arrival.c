/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/arrival.h"

#include "edge/tls/line.h"
#include "edge/wire/h2.h"
#include "edge/wire/proxy.h"
#include "edge/wire/session.h"

enum state { STATE_HERALD, STATE_SHAKE };

struct arrival {
	struct conn conn;
	struct guest guest;
	struct deadline deadline;
	struct front *front;
	struct tls_local *local;
	struct tls_server *tls; /* a ref; NULL = plain */
	struct address peer;
	struct buf header; /* what has come of the PROXY header, and nothing of what follows it */
	enum state state;
};

/* ---- the end ---- */

static void arrival_free(struct arrival *a)
{
	deadline_clear(&a->deadline);
	tls_server_unref(&a->tls);
	buf_fini(&a->header);
	free(a);
}

static void turn_back(struct arrival *a) ON_LOOP
{
	conn_close(&a->conn);
	front_leave(a->front, &a->guest);
	arrival_free(a);
}

/* Ends it from outside: in the middle of what it waits for. */
static void give_up(struct arrival *a, bool is_late) ON_LOOP
{
	if (a->state == STATE_SHAKE)
		tls_line_give_up(&a->conn, is_late);
	else if (is_late)
		meter_add(&a->front->meters.proxy_bad, 1);
	turn_back(a);
}

static void refuse_header(struct arrival *a) ON_LOOP
{
	meter_add(&a->front->meters.proxy_bad, 1);
	turn_back(a);
}

/* Hands the connection to the protocol that it speaks. */
static void settle(struct arrival *a) ON_LOOP
{
	struct visit visit = { .conn = &a->conn, .guest = &a->guest, .peer = &a->peer };
	if (a->tls)
		visit.secure = tls_line_secure(&a->conn);
	bool is_h2 = a->tls && tls_line_is_h2(&a->conn);
	bool is_taken = is_h2 ? h2_take(a->front, &visit) : session_take(a->front, &visit);
	if (is_taken)
		arrival_free(a);
	else
		turn_back(a);
}

/* ---- TLS ---- */

static void shake(struct arrival *a) ON_LOOP
{
	switch (tls_line_shake(&a->conn)) {
	case SHAKE_AGAIN: break;
	case SHAKE_DONE: settle(a); break;
	case SHAKE_FAILED: turn_back(a); break;
	}
}

static void go_on(struct arrival *a) ON_LOOP
{
	if (!a->tls) {
		settle(a);
		return;
	}
	a->state = STATE_SHAKE;
	if (tls_line_serve(&a->conn, a->local, a->tls) == ERR_NONE)
		shake(a);
	else
		turn_back(a);
}

/* ---- the PROXY header ---- */

/* Takes bytes that were looked at off the socket. */
static bool take_seen(struct arrival *a, size_t len) ON_LOOP
{
	char *room = buf_room(&a->header, len);
	size_t got;
	if (len == 0)
		return true;
	if (!room || conn_read(&a->conn, room, len, &got) != IO_OK || got != len)
		return false;
	a->header.len += len;
	return true;
}

/*
 * Looks at what has come. As long as the header goes on, all of it is the header's and is taken;
 * at its end it is taken to its last byte, and what follows stays for TLS or the session.
 */
static void read_header(struct arrival *a) ON_LOOP
{
	size_t had = a->header.len, used = 0;
	char *room = buf_room(&a->header, PROXY_HEAD_BYTES - had);
	ssize_t seen = room ? recv(a->conn.io.fd, room, PROXY_HEAD_BYTES - had, MSG_PEEK) : 0;
	if (seen < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (seen <= 0) {
		refuse_header(a);
		return;
	}
	struct slice bytes = slice_of(a->header.at, had + (size_t)seen);
	switch (proxy_read(bytes, &used, &a->peer)) {
	case PROXY_MORE:
		if (take_seen(a, (size_t)seen))
			return;
		break;
	case PROXY_TOLD:
	case PROXY_SELF:
		if (!take_seen(a, used - had))
			break;
		buf_fini(&a->header);
		go_on(a);
		return;
	case PROXY_BAD: break;
	}
	refuse_header(a);
}

/* ---- events ---- */

static void on_ready(struct conn *c, UNUSED int events)
{
	role_loop();
	struct arrival *a = CONTAINER_OF(c, struct arrival, conn);
	if (a->state == STATE_HERALD)
		read_header(a);
	else
		shake(a);
}

static void on_late(struct deadline *d)
{
	role_loop();
	give_up(CONTAINER_OF(d, struct arrival, deadline), true);
}

/* It has asked for nothing yet: it goes with the idle ones. */
static void on_end(struct guest *guest, UNUSED enum ending how)
{
	role_loop();
	give_up(CONTAINER_OF(guest, struct arrival, guest), false);
}

/* ---- the beginning ---- */

static bool is_herald(const struct entrance *entrance, const struct address *peer)
{
	struct ip ip;
	return entrance->heralds && ip_of_sockaddr(&peer->any, &ip) &&
	    proxies_trust(entrance->heralds, ip);
}

/* Over the limit, or without memory. What is not plain could not read a word of ours. */
static void send_off(struct front *front, const struct entrance *entrance, int fd) ON_LOOP
{
	struct conn conn;
	conn_open(&conn, front->home, fd, on_ready);
	if (entrance->tls)
		front_turn_away(front, &conn);
	else
		front_send_away(front, &conn);
}

/* Nothing comes before the session. */
static void go_in(struct front *front, int fd, const struct address *peer) ON_LOOP
{
	struct conn conn;
	bool is_admitted = front_admit(front);
	conn_open(&conn, front->home, fd, on_ready);
	if (!is_admitted || !session_take(front, &(struct visit){ .conn = &conn, .peer = peer }))
		front_send_away(front, &conn);
}

static void arrive(struct arrival *a, const struct entrance *entrance, int fd, bool has_header)
    ON_LOOP
{
	int64_t ms = entrance->tls ? entrance->tls->handshake_ms : a->front->limits->head_ms;
	deadline_init(&a->deadline, on_late);
	buf_init(&a->header, PROXY_HEAD_BYTES);
	if (entrance->tls)
		a->tls = tls_server_ref(entrance->tls);
	front_host(a->front, &a->guest, on_end);
	conn_open(&a->conn, a->front->home, fd, on_ready);
	conn_watch(&a->conn, EV_READ);
	deadline_set(a->front->home, &a->deadline, ms);
	if (!has_header)
		go_on(a);
}

void arrival_accept(struct front *front, struct tls_local *local, const struct entrance *entrance,
    int fd, const struct address *peer)
{
	bool has_header = is_herald(entrance, peer);
	if (!entrance->tls && !has_header) {
		go_in(front, fd, peer);
		return;
	}
	struct arrival *a = front_admit(front) ? calloc(1, sizeof(*a)) : NULL;
	if (!a) {
		send_off(front, entrance, fd);
		return;
	}
	a->front = front;
	a->local = local;
	a->peer = *peer;
	arrive(a, entrance, fd, has_header);
}
