/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/front.h"

// clang-format off
#define METER_STRUCT struct wire_meters
static const struct meter_desc meter_descs[] = METER_DESCS(WIRE_METERS);
// clang-format on
const struct meter_table wire_meter_table = { meter_descs, COUNT_OF(meter_descs) };

enum err front_init(struct front *front, struct loop *home, const struct stream_events *events,
    void *owner, _Atomic uint64_t *connections)
{
	*front = (struct front){
		.home = home, .events = events, .owner = owner, .connections = connections
	};
	list_init(&front->guests);
	turn_pool_init(&front->turns);
	front->scratch = malloc(FRONT_SCRATCH_BYTES);
	enum err e = h2_kit_init(&front->h2);
	return front->scratch ? e : ERR_NO_MEMORY;
}

static void end_sessions(struct front *front, enum ending how)
{
	LIST_EACH (link, &front->guests) {
		struct guest *guest = LIST_OF(link, struct guest, link);
		guest->end(guest, how);
	}
}

void front_fini(struct front *front)
{
	end_sessions(front, ENDING_NOW);
	turn_pool_fini(&front->turns);
	h2_kit_fini(&front->h2);
	free(front->scratch);
	front->scratch = NULL;
}

void front_set_limits(struct front *front, const struct limits *limits)
{
	front->limits = limits;
	front->h1_limits = (struct h1_limits){
		.line_bytes = limits->line_bytes,
		.head_bytes = limits->head_bytes,
		.fields = limits->head_fields,
		.body_bytes = limits->body_bytes,
	};
}

void front_drain(struct front *front)
{
	front->is_draining = true;
	end_sessions(front, ENDING_IDLE);
	if (list_empty(&front->guests) && front->on_drained)
		front->on_drained(front);
}

/* ---- what sessions ask for ---- */

static void count_out(struct front *front)
{
	atomic_fetch_sub_explicit(front->connections, 1, memory_order_relaxed);
}

bool front_admit(struct front *front)
{
	meter_add(&front->meters.accepted, 1);
	uint64_t open = atomic_fetch_add_explicit(front->connections, 1, memory_order_relaxed);
	return open < front->limits->connections;
}

void front_turn_away(struct front *front, struct conn *conn)
{
	count_out(front);
	meter_add(&front->meters.refused, 1);
	conn_close(conn);
}

void front_send_away(struct front *front, struct conn *conn)
{
	static char text[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
			     "Content-Length: 0\r\nConnection: close\r\n\r\n";
	struct iovec iov = { text, sizeof(text) - 1 };
	size_t sent;
	(void)conn_writev(conn, &iov, 1, &sent);
	front_turn_away(front, conn);
}

void front_host(struct front *front, struct guest *guest, guest_end_f *end)
{
	meter_add(&front->meters.open, 1);
	guest->end = end;
	list_append(&front->guests, &guest->link);
}

void front_hand_over(
    struct front *front, const struct visit *visit, struct guest *to, guest_end_f *end)
{
	if (!visit->guest) {
		front_host(front, to, end);
		return;
	}
	to->end = end;
	list_append(&visit->guest->link, &to->link);
	list_drop(&visit->guest->link);
}

void front_leave(struct front *front, struct guest *guest)
{
	list_drop(&guest->link);
	meter_sub(&front->meters.open, 1);
	count_out(front);
	if (front->is_draining && list_empty(&front->guests) && front->on_drained)
		front->on_drained(front);
}

void front_count_refusal(struct front *front, enum err why)
{
	struct wire_meters *m = &front->meters;
	meter *which = why == ERR_HEAD_TIMEOUT ? &m->head_timeout
	    : why == ERR_BODY_TIMEOUT          ? &m->body_timeout
	    : why == ERR_BODY_TOO_LARGE        ? &m->body_too_large
	    : why == ERR_LINE_TOO_LONG         ? &m->line_too_long
	    : err_status(why) == 431           ? &m->head_too_large
	    : why == ERR_EXPECT_UNKNOWN        ? &m->expect_unknown
	    : err_status(why) == 400           ? &m->bad_request
					       : &m->other;
	meter_add(which, 1);
}
