/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/flow.h"

#include "edge/loop/loop.h"

/* The first piece of a body of unknown length; each next one is twice as large. */
enum { FIRST_PIECE_BYTES = 4096 - (int)sizeof(struct flow_piece) };

static _Atomic uint64_t bytes_in_memory;

uint64_t flow_bytes_in_memory(void)
{
	return atomic_load_explicit(&bytes_in_memory, memory_order_relaxed);
}

static void count_bytes(int64_t bytes)
{
	atomic_fetch_add_explicit(&bytes_in_memory, (uint64_t)bytes, memory_order_relaxed);
}

/* A body whose length is known and small lives in one allocation with its flow. */
static struct flow_piece *inner_piece(struct flow *f)
{
	return (struct flow_piece *)(f + 1);
}

/* Flows are many, and few are on their way: they share some locks. No thread takes two of them. */
enum { LOCKS = 64 };
static struct lock locks[LOCKS] = { [0 ... LOCKS - 1] = { PTHREAD_MUTEX_INITIALIZER } };

static struct lock *lock_of(const struct flow *f)
{
	return &locks[((uintptr_t)f >> 6) % LOCKS];
}

struct flow *flow_new(uint64_t length, uint64_t keep, uint64_t window)
{
	uint64_t inner = length <= FLOW_PIECE_BYTES ? sizeof(struct flow_piece) + length : 0;
	struct flow *f = malloc(sizeof(*f) + inner);
	struct flow_fill *fill = malloc(sizeof(*fill));
	if (!f || !fill) {
		free(f);
		free(fill);
		return NULL;
	}
	*f = (struct flow){ .refs = 1, .state = FLOW_FILLING, .length = length, .keep = keep };
	*fill = (struct flow_fill){ .window = window };
	list_init(&fill->readers);
	f->fill = fill;
	if (inner) {
		f->first = fill->last = inner_piece(f);
		*f->first = (struct flow_piece){ .room = (uint32_t)length };
	}
	count_bytes((int64_t)inner);
	return f;
}

struct flow *flow_new_part(uint64_t first, uint64_t end, uint64_t window)
{
	must(first < end);
	struct flow *f = flow_new(FLOW_LENGTH_UNKNOWN, 0, window);
	if (f) {
		f->length = end;
		f->filled = f->fill->first_offset = first;
	}
	return f;
}

/* Whoever comes now reads what is there, and nothing will change: no list, no window. */
static void drop_fill_locked(struct flow *f)
{
	bool is_over = flow_state(f) != FLOW_FILLING && !flow_outgrew(f);
	if (!is_over || !f->fill || !list_empty(&f->fill->readers))
		return;
	free(f->fill);
	f->fill = NULL;
}

struct flow *flow_ref(struct flow *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

static void free_piece(struct flow *f, struct flow_piece *p)
{
	count_bytes(-(int64_t)(sizeof(*p) + p->room));
	if (p != inner_piece(f))
		free(p);
}

void flow_unref(struct flow **flow)
{
	struct flow *f = *flow;
	*flow = NULL;
	if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
		return;
	must(!f->fill || list_empty(&f->fill->readers));
	while (f->first) {
		struct flow_piece *p = f->first;
		f->first = p->next;
		free_piece(f, p);
	}
	/* Owned since flow_finish copied them. */
	free((void *)(uintptr_t)f->trailers.at);
	free(f->fill);
	free(f);
}

/* ---- the filler ---- */

static struct flow_piece *add_piece(struct flow *f)
{
	uint64_t filled = flow_filled(f);
	struct flow_piece *last = f->fill->last;
	uint64_t want = last ? min_u64((uint64_t)last->room * 2, FLOW_PIECE_BYTES)
			     : FIRST_PIECE_BYTES;
	if (f->length != FLOW_LENGTH_UNKNOWN)
		want = min_u64(f->length - filled, FLOW_PIECE_BYTES);
	struct flow_piece *p = want ? malloc(sizeof(*p) + want) : NULL;
	if (!p)
		return NULL;
	*p = (struct flow_piece){ .room = (uint32_t)want };
	count_bytes((int64_t)(sizeof(*p) + want));
	lock_take(lock_of(f));
	if (last)
		last->next = p;
	else
		f->first = p;
	f->fill->last = p;
	lock_drop(lock_of(f));
	return p;
}

/* Nobody reads a body that nobody will be able to read again: it is not worth a byte more. */
static bool is_abandoned(struct flow *f)
{
	if (!flow_outgrew(f))
		return false;
	lock_take(lock_of(f));
	bool abandoned = list_empty(&f->fill->readers);
	lock_drop(lock_of(f));
	return abandoned;
}

char *flow_room(struct flow *f, size_t *ret_room)
{
	struct flow_piece *p = f->fill->last;
	if (!p || p->used == p->room)
		p = is_abandoned(f) ? NULL : add_piece(f);
	if (!p)
		return NULL;
	*ret_room = p->room - p->used;
	return p->bytes + p->used;
}

/* Posts the letters of all readers that wait. */
static void wake_readers_locked(struct flow *f)
{
	LIST_EACH (link, &f->fill->readers) {
		struct flow_reader *r = LIST_OF(link, struct flow_reader, link);
		if (r->wait)
			mail_post(r->home, r->wait);
		r->wait = NULL;
		bool rings = r->bell &&
		    (flow_filled(f) >= r->bell_at || flow_state(f) != FLOW_FILLING);
		if (rings) {
			struct bell *bell = r->bell;
			r->bell = NULL;
			bell->ring(bell);
		}
	}
}

void flow_wrote(struct flow *f, size_t bytes)
{
	struct flow_fill *fill = f->fill;
	fill->last->used += (uint32_t)bytes;
	/* Before anyone can take these bytes, and all be given back. */
	if (fill->outgrow && flow_filled(f) + bytes > f->keep) {
		fill->outgrow->ring(fill->outgrow);
		fill->outgrow = NULL;
	}
	lock_take(lock_of(f));
	atomic_store_explicit(&f->filled, flow_filled(f) + bytes, memory_order_release);
	wake_readers_locked(f);
	lock_drop(lock_of(f));
}

void flow_on_outgrow(struct flow *f, struct bell *bell)
{
	f->fill->outgrow = bell;
}

enum err flow_write(struct flow *f, struct slice s)
{
	if (f->length != FLOW_LENGTH_UNKNOWN && s.len > f->length - flow_filled(f))
		return ERR_BAD_FRAMING;
	while (s.len > 0) {
		size_t room;
		char *to = flow_room(f, &room);
		if (!to)
			return is_abandoned(f) ? ERR_CANCELLED : ERR_NO_MEMORY;
		size_t n = min_size(room, s.len);
		memcpy(to, s.at, n);
		flow_wrote(f, n);
		s = slice_from(s, n);
	}
	return ERR_NONE;
}

/* Where the slowest attached reader is; with none attached, where the filler is. */
static uint64_t slowest_locked(const struct flow *f)
{
	uint64_t slowest = flow_filled(f);
	LIST_EACH (link, &f->fill->readers)
		slowest = min_u64(slowest, LIST_OF(link, struct flow_reader, link)->offset);
	return slowest;
}

static bool is_full_locked(const struct flow *f)
{
	return f->fill && flow_outgrew(f) && flow_filled(f) - slowest_locked(f) >= f->fill->window;
}

/* Tells those who are a window behind. */
static void shed_locked(struct flow *f)
{
	LIST_EACH (link, &f->fill->readers) {
		struct flow_reader *r = LIST_OF(link, struct flow_reader, link);
		if (!r->leave || flow_filled(f) - r->offset < f->fill->window)
			continue;
		mail_post(r->home, r->leave);
		r->leave = NULL;
	}
}

bool flow_is_full(struct flow *f, struct mail *wait, struct loop *home)
{
	lock_take(lock_of(f));
	bool full = is_full_locked(f);
	if (full && f->fill->sheds)
		shed_locked(f);
	if (f->fill) {
		f->fill->wait = full ? wait : NULL;
		f->fill->home = home;
	}
	lock_drop(lock_of(f));
	return full;
}

bool flow_is_full_bell(struct flow *f, struct bell *bell)
{
	lock_take(lock_of(f));
	bool full = is_full_locked(f);
	if (f->fill)
		f->fill->bell = full ? bell : NULL;
	lock_drop(lock_of(f));
	return full;
}

uint64_t flow_unread(struct flow *f)
{
	lock_take(lock_of(f));
	uint64_t unread = f->fill ? flow_filled(f) - slowest_locked(f) : 0;
	lock_drop(lock_of(f));
	return unread;
}

void flow_filler_leave(struct flow *f)
{
	lock_take(lock_of(f));
	if (f->fill)
		f->fill->wait = NULL;
	lock_drop(lock_of(f));
}

static void end(struct flow *f, enum flow_state state, enum err failure)
{
	lock_take(lock_of(f));
	f->failure = failure;
	if (f->fill) {
		f->fill->wait = NULL;
		f->fill->outgrow = NULL;
		atomic_store_explicit(&f->state, state, memory_order_release);
		wake_readers_locked(f);
		drop_fill_locked(f);
	}
	lock_drop(lock_of(f));
}

void flow_finish(struct flow *f, struct slice trailers)
{
	if (f->length != FLOW_LENGTH_UNKNOWN && flow_filled(f) != f->length) {
		end(f, FLOW_FAILED, ERR_ORIGIN_TRUNCATED);
		return;
	}
	if (trailers.len > 0)
		f->trailers = slice_of(slice_to_str(trailers), trailers.len);
	end(f, FLOW_COMPLETE, ERR_NONE);
}

void flow_fail(struct flow *f, enum err failure)
{
	end(f, FLOW_FAILED, failure);
}

bool flow_outgrew(const struct flow *f)
{
	return flow_filled(f) > f->keep;
}

/* ---- readers ---- */

bool flow_attach(struct flow_reader *r, struct flow *f, uint64_t offset, struct loop *home)
{
	*r = (struct flow_reader){ .home = home, .offset = offset };
	list_init(&r->link);
	/* At rest and kept: nothing will move any more, so no lock and no list. */
	if (flow_state(f) == FLOW_COMPLETE && !flow_outgrew(f)) {
		r->flow = flow_ref(f);
		r->piece = f->first;
		return true;
	}
	lock_take(lock_of(f));
	/* It may have come to rest just now. */
	bool lists = f->fill != NULL, attached = !lists;
	if (lists)
		attached = offset == f->fill->first_offset &&
		    (offset == 0 || flow_filled(f) == offset);
	if (attached && lists) {
		r->piece_offset = offset;
		list_append(&f->fill->readers, &r->link);
		r->is_listed = true;
	}
	if (attached)
		r->flow = flow_ref(f);
	if (attached && !lists)
		r->piece = f->first;
	lock_drop(lock_of(f));
	return attached;
}

void flow_attach_beside(struct flow_reader *r, const struct flow_reader *other)
{
	struct flow *f = other->flow;
	must(other->is_listed);
	lock_take(lock_of(f));
	*r = (struct flow_reader){ .flow = flow_ref(f),
		.is_listed = true,
		.piece = other->piece,
		.offset = other->offset,
		.piece_offset = other->piece_offset };
	list_init(&r->link);
	list_append(&f->fill->readers, &r->link);
	lock_drop(lock_of(f));
}

bool flow_is_alone(const struct flow_reader *r)
{
	struct flow *f = r->flow;
	lock_take(lock_of(f));
	bool is_alone = r->is_listed && r->link.next == r->link.prev;
	lock_drop(lock_of(f));
	return is_alone;
}

void flow_hand_over(struct flow_reader *to, struct flow_reader *from)
{
	struct flow *f = from->flow;
	lock_take(lock_of(f));
	*to = *from;
	to->wait = to->leave = NULL;
	to->bell = NULL;
	list_init(&to->link);
	if (to->is_listed) {
		list_drop(&from->link);
		list_append(&f->fill->readers, &to->link);
	}
	*from = (struct flow_reader){ 0 };
	lock_drop(lock_of(f));
}

/* Frees what all readers have taken, and lets the filler go on when there is room again. */
static void give_back_locked(struct flow *f)
{
	struct flow_fill *fill = f->fill;
	if (!flow_outgrew(f))
		return;
	uint64_t slowest = slowest_locked(f);
	/* The last piece stays: the filler may be writing into it. So does one that the slowest
	 * reader has just read to its end: the reader still stands on it. */
	while (f->first && f->first->next && fill->first_offset + f->first->used < slowest) {
		struct flow_piece *p = f->first;
		fill->first_offset += p->used;
		f->first = p->next;
		free_piece(f, p);
	}
	if (flow_filled(f) - slowest >= fill->window)
		return;
	if (fill->wait)
		mail_post(fill->home, fill->wait);
	fill->wait = NULL;
	struct bell *bell = fill->bell;
	fill->bell = NULL;
	if (bell)
		bell->ring(bell);
}

/* Nobody can come any more to see what is left of a body that passed through; or need, if it is
 * kept elsewhere. */
static void give_back_all_locked(struct flow *f)
{
	struct flow_fill *fill = f->fill;
	bool is_over = flow_state(f) != FLOW_FILLING && flow_outgrew(f) &&
	    list_empty(&fill->readers) && (fill->first_offset > 0 || fill->sheds);
	while (is_over && f->first) {
		struct flow_piece *p = f->first;
		fill->first_offset += p->used;
		f->first = p->next;
		free_piece(f, p);
	}
	if (is_over)
		fill->last = NULL;
}

void flow_detach(struct flow_reader *r)
{
	struct flow *f = r->flow;
	if (!f)
		return;
	if (r->is_listed) {
		lock_take(lock_of(f));
		list_drop(&r->link);
		r->is_listed = false;
		r->wait = NULL;
		r->bell = NULL;
		r->leave = NULL;
		give_back_locked(f);
		give_back_all_locked(f);
		drop_fill_locked(f);
		lock_drop(lock_of(f));
	}
	flow_unref(&r->flow);
}

/* Enters the piece that holds the reader's offset. False when nothing is there yet. */
static bool enter_piece(struct flow_reader *r)
{
	if (!r->piece) {
		/* `first` is set before the first byte is published, and stays while this reader,
		 * which has not moved yet, is attached. */
		r->piece = r->flow->first;
	}
	while (r->offset >= r->piece_offset + r->piece->room && r->piece->next) {
		r->piece_offset += r->piece->room;
		r->piece = r->piece->next;
	}
	return r->offset < r->piece_offset + r->piece->room;
}

int flow_peek(
    struct flow_reader *r, struct iovec *iov, int max, uint64_t limit, enum flow_state *ret_state)
{
	*ret_state = flow_state(r->flow);
	uint64_t filled = flow_filled(r->flow);
	uint64_t left = filled > r->offset ? min_u64(filled - r->offset, limit) : 0;
	if (left == 0 || !enter_piece(r))
		return 0;
	const struct flow_piece *p = r->piece;
	uint64_t skip = r->offset - r->piece_offset;
	int n = 0;
	while (left > 0 && n < max) {
		size_t len = (size_t)min_u64(p->room - skip, left);
		iov[n++] = (struct iovec){ (void *)(uintptr_t)(p->bytes + skip), len };
		left -= len;
		skip = 0;
		if (left > 0)
			p = p->next;
	}
	return n;
}

void flow_advance(struct flow_reader *r, uint64_t bytes)
{
	struct flow *f = r->flow;
	if (!r->is_listed) {
		r->offset += bytes;
		return;
	}
	lock_take(lock_of(f));
	r->offset += bytes;
	/* Before pieces are given back this reader must stand on none of them. */
	if (r->piece)
		(void)enter_piece(r);
	give_back_locked(f);
	lock_drop(lock_of(f));
}

bool flow_wait(struct flow_reader *r, struct mail *wait)
{
	struct flow *f = r->flow;
	if (!r->is_listed)
		return false;
	lock_take(lock_of(f));
	bool waits = flow_state(f) == FLOW_FILLING && flow_filled(f) == r->offset;
	r->wait = waits ? wait : NULL;
	lock_drop(lock_of(f));
	return waits;
}

bool flow_wait_bell(struct flow_reader *r, struct bell *bell, uint64_t bytes)
{
	struct flow *f = r->flow;
	if (!r->is_listed)
		return false;
	lock_take(lock_of(f));
	bool waits = flow_state(f) == FLOW_FILLING && flow_filled(f) - r->offset < bytes;
	r->bell = waits ? bell : NULL;
	r->bell_at = r->offset + bytes;
	lock_drop(lock_of(f));
	return waits;
}

static void set_sheds(struct flow *f, bool sheds)
{
	lock_take(lock_of(f));
	if (f->fill)
		f->fill->sheds = sheds;
	lock_drop(lock_of(f));
}

void flow_shed(struct flow *f)
{
	set_sheds(f, true);
}

void flow_unshed(struct flow *f)
{
	set_sheds(f, false);
}

void flow_may_leave(struct flow_reader *r, struct mail *leave)
{
	if (!r->is_listed)
		return;
	lock_take(lock_of(r->flow));
	r->leave = leave;
	lock_drop(lock_of(r->flow));
}
