/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/origin/resolve.h"

#include <ares.h>

enum {
	TRY_MS = 1000, /* of the first try at a server; c-ares doubles it from try to try */
	TRIES = 3,
};

struct resolver_socket {
	struct ev_io io; /* fd -1 = free */
	struct resolver *resolver;
};

struct resolver {
	struct loop *home;
	ares_channel channel;
	struct ev_timer timeout; /* of c-ares, for its own tries */
	struct list answered;    /* struct lookup, to be told */
	struct resolver_socket sockets[ARES_GETSOCK_MAXNUM];
};

/* ---- c-ares on the loop ---- */

static void set_timeout(struct resolver *r) ON_LOOP
{
	struct timeval room;
	const struct timeval *left = ares_timeout(r->channel, NULL, &room);
	ev_timer_stop(r->home->ev, &r->timeout);
	if (!left)
		return;
	ev_timer_set(&r->timeout, (double)left->tv_sec + (double)left->tv_usec / 1e6, 0);
	ev_timer_start(r->home->ev, &r->timeout);
}

/* Tells the answers. The resolver may be freed by any of them, and the lookups with it: those drop
 * themselves off the list, which is ours. */
static void tell_answers(struct resolver *r) ON_LOOP
{
	struct list answered;
	list_init(&answered);
	list_move_all(&answered, &r->answered);
	for (struct list *link; (link = list_take_first(&answered));) {
		struct lookup *l = LIST_OF(link, struct lookup, link);
		l->answered(l);
	}
}

static void process(struct resolver *r, ares_socket_t readable, ares_socket_t writable) ON_LOOP
{
	ares_process_fd(r->channel, readable, writable);
	set_timeout(r);
	tell_answers(r);
}

static void on_socket(UNUSED struct ev_loop *ev, struct ev_io *io, int events)
{
	role_loop();
	process(CONTAINER_OF(io, struct resolver_socket, io)->resolver,
	    events & EV_READ ? io->fd : ARES_SOCKET_BAD,
	    events & EV_WRITE ? io->fd : ARES_SOCKET_BAD);
}

static void on_timeout(UNUSED struct ev_loop *ev, struct ev_timer *timeout, UNUSED int events)
{
	role_loop();
	process(CONTAINER_OF(timeout, struct resolver, timeout), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static struct resolver_socket *socket_of(struct resolver *r, int fd)
{
	for (size_t i = 0; i < COUNT_OF(r->sockets); i++)
		if (r->sockets[i].io.fd == fd)
			return &r->sockets[i];
	return NULL;
}

/* c-ares opened or closed a socket, or changed its mind about it. One too many is not watched: the
 * question that waits for it is asked again by c-ares' clock. */
static void on_socket_state(void *resolver, ares_socket_t fd, int reads, int writes)
{
	role_loop();
	struct resolver *r = resolver;
	struct resolver_socket *s = socket_of(r, fd);
	s = s ? s : socket_of(r, -1);
	if (!s)
		return;
	ev_io_stop(r->home->ev, &s->io);
	int events = (reads ? EV_READ : 0) | (writes ? EV_WRITE : 0);
	ev_io_set(&s->io, events ? fd : -1, events);
	if (events)
		ev_io_start(r->home->ev, &s->io);
}

struct resolver *resolver_new(struct loop *home)
{
	struct resolver *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->home = home;
	list_init(&r->answered);
	ev_timer_init(&r->timeout, on_timeout, 0, 0);
	for (size_t i = 0; i < COUNT_OF(r->sockets); i++) {
		ev_io_init(&r->sockets[i].io, on_socket, -1, 0);
		r->sockets[i].resolver = r;
	}
	struct ares_options options = {
		.timeout = TRY_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = r,
	};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
	if (ares_init_options(&r->channel, &options, mask) != ARES_SUCCESS) {
		free(r);
		return NULL;
	}
	return r;
}

void resolver_free(struct resolver **resolver)
{
	struct resolver *r = *resolver;
	*resolver = NULL;
	if (!r)
		return;
	ares_destroy(r->channel);
	ev_timer_stop(r->home->ev, &r->timeout);
	free(r);
}

/* ---- lookups ---- */

/* Copies what is an address of ours. Returns the shortest TTL. */
static int take_addresses(struct lookup *l, const struct ares_addrinfo_node *node)
{
	int ttl_s = LOOKUP_TTL_MAX_S;
	l->count = 0;
	for (; node && l->count < LOOKUP_ADDRESSES; node = node->ai_next) {
		struct address *a = &l->addresses[l->count];
		if (node->ai_addrlen > sizeof(*a))
			continue;
		*a = (struct address){ 0 };
		memcpy(a, node->ai_addr, node->ai_addrlen);
		ttl_s = node->ai_ttl < ttl_s ? node->ai_ttl : ttl_s;
		l->count++;
	}
	return ttl_s > LOOKUP_TTL_MIN_S ? ttl_s : LOOKUP_TTL_MIN_S;
}

static void on_answer(void *lookup, int status, UNUSED int timeouts, struct ares_addrinfo *answer)
{
	role_loop();
	struct lookup *l = lookup;
	if (status == ARES_EDESTRUCTION)
		return;
	struct resolver *r = l->resolver;
	int ttl_s = take_addresses(l, status == ARES_SUCCESS ? answer->nodes : NULL);
	ares_freeaddrinfo(answer);
	ev_timer_set(&l->again, l->count ? ttl_s : LOOKUP_RETRY_S, 0);
	ev_timer_start(r->home->ev, &l->again);
	list_append(&r->answered, &l->link);
}

static void ask(struct lookup *l) ON_LOOP
{
	struct resolver *r = l->resolver;
	char service[sizeof("65535")];
	snprintf(service, sizeof(service), "%u", l->port);
	const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	ares_getaddrinfo(r->channel, l->host, service, &hints, on_answer, l);
	set_timeout(r);
	tell_answers(r);
}

static void on_again(UNUSED struct ev_loop *ev, struct ev_timer *again, UNUSED int events)
{
	role_loop();
	ask(CONTAINER_OF(again, struct lookup, again));
}

void lookup_start(
    struct lookup *l, struct resolver *r, struct slice host, uint16_t port, lookup_f *answered)
{
	*l = (struct lookup){ .resolver = r, .answered = answered, .port = port };
	l->host = slice_to_str(host);
	list_init(&l->link);
	ev_timer_init(&l->again, on_again, 0, 0);
	ask(l);
}

void lookup_fini(struct lookup *l, struct loop *home)
{
	if (!l->resolver)
		return;
	ev_timer_stop(home->ev, &l->again);
	list_drop(&l->link);
	free(l->host);
	*l = (struct lookup){ 0 };
}
