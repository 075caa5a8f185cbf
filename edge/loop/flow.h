/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow is a body on its way from one filler to any number of readers, on any loops. An object in
 * flight and an object at rest are the same flow: readers attach to both alike and follow.
 *
 * The filler (a loop, or a thread that reads the disk) appends and never waits for a reader while
 * the body is small enough to be kept. Past `keep` bytes it is not: bytes that every reader has
 * taken are freed, and the filler stops while the slowest attached reader is a window behind. A
 * body that only passes through keeps nothing (keep = 0); one that outgrows its `keep` turns into
 * such a body on the way, with nobody the wiser but those who come too late to see its beginning.
 *
 * Life: flow_new -> flow_write ... -> flow_finish | flow_fail. After that nothing changes any more
 * and readers take no lock. A reader that has seen all there is asks flow_wait for one letter when
 * there is more. Bytes are kept in pieces of up to 64 KiB, which do not move.
 */
#pragma once

#include <sys/uio.h>

#include "edge/base/err.h"
#include "edge/base/list.h"
#include "edge/base/slice.h"
#include "edge/loop/mail.h"

#define FLOW_LENGTH_UNKNOWN UINT64_MAX
enum { FLOW_PIECE_BYTES = 64 * 1024 };

enum flow_state {
	FLOW_FILLING,
	FLOW_COMPLETE, /* all bytes are there */
	FLOW_FAILED,   /* no more will come: what was read must not be taken for the whole */
};

struct flow_piece {
	struct flow_piece *next; /* set before the bytes behind it are published */
	uint32_t room, used;
	char bytes[];
};

/* What only a body on its way needs; it goes with its last reader. */
struct flow_fill {
	/* filler */
	struct flow_piece *last;
	struct bell *outgrow; /* rung when the next bytes would be more than `keep` */
	/* under lock */
	uint64_t window;       /* fixed: how far the filler may be ahead past `keep` */
	uint64_t first_offset; /* where `first` begins: grows once the body has outgrown `keep` */
	struct list readers;   /* struct flow_reader */
	struct mail *wait;     /* posted once there is room */
	struct loop *home;
	struct bell *bell; /* or this is rung */
	bool sheds;        /* readers that hold up the filler are told to leave */
};

struct flow {
	_Atomic uint32_t refs;
	_Atomic enum flow_state state;
	enum err failure;         /* fixed once complete or failed */
	_Atomic uint64_t filled;  /* bytes published */
	uint64_t length;          /* fixed: announced length, or FLOW_LENGTH_UNKNOWN */
	uint64_t keep;            /* fixed: up to here everything stays */
	struct flow_piece *first; /* filler; under lock when there is a window */
	struct flow_fill *fill;   /* under lock; NULL once nobody needs it */
	struct slice trailers;    /* fixed as failure: field lines with CRLF, or empty. Owned */
};

struct flow_reader {
	struct list link;  /* unlinked = the flow was complete and kept when it attached */
	struct flow *flow; /* counted */
	bool is_listed; /* in the fill's list; others write the link, so only this may be asked */
	struct flow_piece *piece;
	uint64_t offset;       /* next byte to read */
	uint64_t piece_offset; /* where `piece` begins */
	/* under the flow's lock */
	struct mail *wait; /* posted once there is more */
	struct bell *bell; /* or this is rung, once the body is filled up to bell_at */
	uint64_t bell_at;
	struct mail *leave; /* posted when it holds up the filler of a flow that sheds */
	struct loop *home;  /* fixed */
};

#define FLOW_KEEP_ALL UINT64_MAX

/*
 * Makes an empty flow. length: bytes to come, or FLOW_LENGTH_UNKNOWN. keep and window: bytes.
 * own: flow_unref. fail: NULL without memory.
 */
struct flow *flow_new(uint64_t length, uint64_t keep, uint64_t window);
/* Makes a flow of the part from `first` up to `end`, to pass through: offsets are the body's. */
struct flow *flow_new_part(uint64_t first, uint64_t end, uint64_t window);
struct flow *flow_ref(struct flow *);
void flow_unref(struct flow **);

/* Appends a copy. fail: ERR_NO_MEMORY; ERR_BAD_FRAMING past the announced length; ERR_CANCELLED
 * when it has outgrown its keep and the last reader has left. thread: filler. */
enum err flow_write(struct flow *, struct slice);
/* Room to read into; flow_wrote publishes. NULL as flow_write fails. thread: filler. */
char *flow_room(struct flow *, size_t *ret_room);
void flow_wrote(struct flow *, size_t bytes);
/* Whether the window is full. If so and `wait` is given, it is posted to `home` once there is room
 * (or no reader is left). thread: filler. */
bool flow_is_full(struct flow *, struct mail *wait, struct loop *home);
/* The same for a filler without a loop. */
bool flow_is_full_bell(struct flow *, struct bell *);
/* Rings `bell` on this thread when the next bytes would be more than is kept: before anybody can
 * take them. Once. thread: filler. */
void flow_on_outgrow(struct flow *, struct bell *);
/* Bytes that the slowest reader has not taken yet. thread: filler. */
uint64_t flow_unread(struct flow *);
/* Ends the filling: the body is whole. trailers: field lines, copied. A body shorter than the
 * announced length fails instead. thread: filler. */
void flow_finish(struct flow *, struct slice trailers);
void flow_fail(struct flow *, enum err);
/* The filler no longer waits for room (before it is freed). thread: filler's home. */
void flow_filler_leave(struct flow *);
/* Whether it has outgrown what may be kept: its beginning is gone, or will be. thread: any. */
bool flow_outgrew(const struct flow *);

/* Attaches. While the flow fills only at its beginning, and only as long as that is there; false
 * else: that reader has come too late. */
bool flow_attach(struct flow_reader *, struct flow *, uint64_t offset, struct loop *home);
/* Attaches where another reader of a body that outgrew its keep stands, and stays for now. */
void flow_attach_beside(struct flow_reader *, const struct flow_reader *other);
/* Whether no other reader follows a body that is still on its way. */
bool flow_is_alone(const struct flow_reader *);
/* Makes `to` the reader that `from` was; that one is detached, and nobody told that it waits. */
void flow_hand_over(struct flow_reader *to, struct flow_reader *from);
void flow_detach(struct flow_reader *);
/*
 * Shows the next bytes, at most `limit`, as up to `max` iovecs; returns how many. None: look at the
 * state: filling = wait, complete = all was read, failed. ret_state is what held *before* looking.
 */
int flow_peek(
    struct flow_reader *, struct iovec *, int max, uint64_t limit, enum flow_state *ret_state);
/* Takes bytes that flow_peek has shown. */
void flow_advance(struct flow_reader *, uint64_t bytes);
/* True: `wait` will be posted to the reader's home when there is more, or an end. False: there is
 * something now. */
bool flow_wait(struct flow_reader *, struct mail *wait);
/* The same for a reader without a loop, who wants that many bytes at once, or the end. */
bool flow_wait_bell(struct flow_reader *, struct bell *, uint64_t bytes);

/*
 * Somebody keeps the body elsewhere, where a slow reader can go on: `leave` is posted to the home
 * of one that holds up the filler of such a flow. It should detach soon, or ask again.
 */
void flow_shed(struct flow *);
/* Nobody does any more: who reads it now must stay. */
void flow_unshed(struct flow *);
void flow_may_leave(struct flow_reader *, struct mail *leave);

static inline enum flow_state flow_state(const struct flow *f)
{
	return atomic_load_explicit(&f->state, memory_order_acquire);
}
static inline uint64_t flow_filled(const struct flow *f)
{
	return atomic_load_explicit(&f->filled, memory_order_acquire);
}
/* Bytes of all flows in memory, their pieces' unused room included. thread: any. */
uint64_t flow_bytes_in_memory(void);
