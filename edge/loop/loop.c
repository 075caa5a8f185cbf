/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/loop.h"

#include "edge/base/thread.h"
#include "edge/http/date.h"

/* Rounds of letters that post letters, in one go: then I/O gets its turn. */
enum { MAIL_ROUNDS = 16 };

static _Thread_local struct loop *current;

struct loop *loop_current(void)
{
	return current;
}

/* Takes all letters and puts them in the order they were posted. */
static struct mail *take_letters(struct loop *loop)
{
	struct mail *newest = atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire);
	struct mail *oldest = NULL;
	while (newest) {
		struct mail *next = newest->next;
		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

static void deliver_all(struct mail *m)
{
	while (m) {
		struct mail *next = m->next;
		mail_f *deliver = m->deliver;
		/* From here on the letter may be posted again, or freed by its delivery. */
		atomic_store_explicit(&m->is_posted, false, memory_order_release);
		deliver(m);
		m = next;
	}
}

static void read_mail(struct loop *loop)
{
	for (int round = 0; round < MAIL_ROUNDS; round++) {
		struct mail *letters = take_letters(loop);
		if (!letters)
			return;
		deliver_all(letters);
	}
	ev_async_send(loop->ev, &loop->bell);
}

static void on_bell(struct ev_loop *ev, UNUSED struct ev_async *bell, UNUSED int events)
{
	role_loop();
	struct loop *loop = ev_userdata(ev);
	loop_touch(loop);
	read_mail(loop);
}

static void ring_later(struct loop *loop)
{
	struct bell *bell = loop->later;
	loop->later = NULL;
	if (bell)
		bell->ring(bell);
}

void loop_ring_later(struct loop *loop, struct bell *bell)
{
	if (loop->later != bell)
		ring_later(loop);
	loop->later = bell;
}

static void on_before_sleep(struct ev_loop *ev, UNUSED struct ev_prepare *p, UNUSED int events)
{
	role_loop();
	struct loop *loop = ev_userdata(ev);
	read_mail(loop);
	ring_later(loop);
}

/* libev calls this around its sleep: the clocks of a round are those of its waking. */
static void on_wake(struct ev_loop *ev)
{
	role_loop();
	loop_touch(ev_userdata(ev));
}

static void on_sleep(UNUSED struct ev_loop *ev)
{
}

enum err loop_init(struct loop *loop, const char *name, unsigned index, void *owner)
{
	*loop = (struct loop){ .name = name, .index = index, .owner = owner, .date_s = -1 };
	loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!loop->ev)
		return ERR_SYSTEM;
	ev_set_userdata(loop->ev, loop);
	ev_set_loop_release_cb(loop->ev, on_sleep, on_wake);
	ev_async_init(&loop->bell, on_bell);
	ev_async_start(loop->ev, &loop->bell);
	ev_prepare_init(&loop->before_sleep, on_before_sleep);
	ev_prepare_start(loop->ev, &loop->before_sleep);
	deadlines_init(&loop->deadlines, loop);
	loop->now = mono_now();
	loop->wall = wall_now();
	return ERR_NONE;
}

void loop_fini(struct loop *loop)
{
	if (loop->ev)
		ev_loop_destroy(loop->ev);
	loop->ev = NULL;
}

void loop_run(struct loop *loop)
{
	role_loop();
	current = loop;
	ev_run(loop->ev, 0);
	/* What waits for a last letter before it frees itself gets it. */
	read_mail(loop);
	ring_later(loop);
	current = NULL;
}

struct spawn {
	struct loop *loop;
	loop_start_f *start;
	void *arg;
};

static void *thread_main(void *arg)
{
	struct spawn spawn = *(struct spawn *)arg;
	free(arg);
	role_loop();
	pthread_setname_np(pthread_self(), spawn.loop->name);
	current = spawn.loop;
	loop_touch(spawn.loop);
	spawn.start(spawn.loop, spawn.arg);
	loop_run(spawn.loop);
	return NULL;
}

enum err loop_spawn(struct loop *loop, loop_start_f *start, void *arg)
{
	struct spawn *spawn = must_alloc(sizeof(*spawn));
	*spawn = (struct spawn){ loop, start, arg };
	if (thread_start(&loop->thread, thread_main, spawn))
		return ERR_NONE;
	free(spawn);
	return ERR_SYSTEM;
}

void loop_stop(struct loop *loop)
{
	ev_break(loop->ev, EVBREAK_ALL);
}

void loop_join(struct loop *loop)
{
	pthread_join(loop->thread, NULL);
}

void loop_touch(struct loop *loop)
{
	loop->now = mono_now();
	loop->wall = wall_now();
}

const char *loop_date(struct loop *loop)
{
	int64_t second = loop->wall.ms / 1000;
	if (second != loop->date_s) {
		date_format(loop->wall, loop->date_text);
		loop->date_s = second;
	}
	return loop->date_text;
}
