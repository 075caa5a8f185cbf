/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/h2_conn.h"

void h2_finish(struct h2 *h, struct h2_stream *t, enum err why)
{
	if (t->is_tunnel && t->is_answered)
		meter_sub(&h->front->meters.tunnels_open, 1);
	if (t->is_told)
		h->front->events->on_done(&t->stream, why);
	h2_stream_give(&h->front->h2.pool, t);
}

void h2_finish_all(struct h2 *h, enum err why)
{
	list_move_all(&h->streams, &h->ended);
	for (struct list *link; (link = list_take_first(&h->streams));) {
		struct h2_stream *t = LIST_OF(link, struct h2_stream, link);
		if (h->ng)
			nghttp2_session_set_stream_user_data(h->ng, t->id, NULL);
		h2_finish(h, t, why);
	}
}

void h2_cut(struct h2 *h, struct h2_stream *t, uint32_t code, enum err why)
{
	meter_add(&h->front->h2.meters.cuts, 1);
	nghttp2_session_set_stream_user_data(h->ng, t->id, NULL);
	/* Without memory nghttp2 says so again when it is asked for frames. */
	(void)nghttp2_submit_rst_stream(h->ng, NGHTTP2_FLAG_NONE, t->id, code);
	h2_finish(h, t, why);
}

void h2_time_answer(struct h2 *h, struct h2_stream *t)
{
	const struct limits *limits = h->front->limits;
	int64_t ms = t->is_tunnel ? limits->tunnel_ms : t->source ? limits->send_ms : 0;
	deadline_set(h->front->home, &t->deadline, ms);
}

void h2_abused(struct h2 *h, enum h2_abuse why)
{
	if (h->failure != ERR_NONE)
		return;
	h2_guard_count(&h->front->h2.meters, why);
	h->failure = ERR_CLIENT_ABUSE;
	(void)nghttp2_session_terminate_session(h->ng, NGHTTP2_ENHANCE_YOUR_CALM);
}

void h2_charge(struct h2 *h, enum h2_abuse kind)
{
	struct front *front = h->front;
	if (!h2_guard_passes(&h->guard, kind, front->limits->h2_resets, front->home->now))
		h2_abused(h, kind);
}

void h2_part(struct h2 *h)
{
	if (h->is_parting || h->failure != ERR_NONE)
		return;
	h->is_parting = true;
	if (list_empty(&h->streams)) {
		h2_part_now(h);
		return;
	}
	(void)nghttp2_submit_shutdown_notice(h->ng);
}

void h2_part_now(struct h2 *h)
{
	if (h->is_parted)
		return;
	h->is_parting = h->is_parted = true;
	(void)nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(h->ng), NGHTTP2_NO_ERROR, NULL, 0);
}
