/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the owner of exchanges sees, as one line of text: "103 200 [hello] {T: 1\r\n} none". Heads
 * by status, the body in brackets, trailers in braces, then how it ended.
 */
#pragma once

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include "edge/origin/exchange.h"
#include "server.h"

enum { PATIENCE_S = 10, BODY_SHOWN = 64 };

/* A loop, an origin on it, and how many exchanges are awaited. */
struct rig {
	struct loop loop;
	struct origin *origin;
	struct origin_options options;
	struct origin_meters meters;
	struct origin_tls tls; /* client NULL = plain */
	struct slice addresses[3];
	char urls[3][64];
	unsigned awaited;
	bool was_late;
	struct ev_timer patience;
};

struct client {
	struct rig *rig;
	struct request request;
	struct fields fields;
	struct exchange_spec spec;
	struct exchange *exchange;
	struct buf saw;
	struct flow *flow;         /* the answer's body, counted */
	struct flow_reader reader; /* of it */
	struct mail more;
	uint64_t body_bytes;
	uint64_t window; /* of the answer's flow; 0 = keep */
	bool wants_no_body, has_reader;
	enum { CANCEL_NOWHERE, CANCEL_IN_INTERIM, CANCEL_IN_HEAD, CANCEL_IN_END } cancels;
	enum err end;
	bool has_ended;
};

static inline void rig_on_late(struct ev_loop *ev, struct ev_timer *t, UNUSED int events)
{
	CONTAINER_OF(t, struct rig, patience)->was_late = true;
	ev_break(ev, EVBREAK_ALL);
}

static inline void rig_open(struct rig *r)
{
	*r = (struct rig){ 0 };
	must(loop_init(&r->loop, "test", 0, r) == ERR_NONE);
	r->options = (struct origin_options){
		.addresses = { r->addresses, 0 },
		.connect_ms = 1000,
		.send_ms = 1000,
		.first_byte_ms = 1000,
		.between_bytes_ms = 1000,
		.idle_ms = 1000,
		.idle_connections = 8,
		.head_bytes = 8192,
	};
	ev_timer_init(&r->patience, rig_on_late, PATIENCE_S, 0);
	ev_timer_start(r->loop.ev, &r->patience);
}

static inline void rig_add(struct rig *r, const char *host, uint16_t port)
{
	size_t at = r->options.addresses.count++;
	int n = snprintf(r->urls[at], sizeof(r->urls[at]), "http://%s:%u", host, port);
	r->addresses[at] = slice_of(r->urls[at], (size_t)n);
}

static inline void rig_start(struct rig *r) ON_LOOP
{
	r->origin = origin_new(&r->loop, &r->options, &r->meters, &r->tls, NULL);
	must(r->origin != NULL);
}

static inline void rig_on_nap(struct ev_loop *ev, UNUSED struct ev_timer *t, UNUSED int events)
{
	ev_break(ev, EVBREAK_ALL);
}

/* Lets the loop run for so long. */
static inline void rig_nap(struct rig *r, int ms) ON_LOOP
{
	struct ev_timer nap;
	ev_now_update(r->loop.ev);
	ev_timer_init(&nap, rig_on_nap, ms / 1000.0, 0);
	ev_timer_start(r->loop.ev, &nap);
	loop_run(&r->loop);
	ev_timer_stop(r->loop.ev, &nap);
}

/* Lets the loop run until it is true, for five seconds at most: what is asserted next tells. */
#define RIG_UNTIL(rig, truth)                                                                      \
	for (int ms_ = 0; !(truth) && ms_ < 5000; ms_++)                                           \
	rig_nap(rig, 1)

static inline void rig_await(struct rig *r, unsigned count) ON_LOOP
{
	loop_touch(&r->loop);
	r->awaited += count;
	if (r->awaited > 0)
		loop_run(&r->loop);
	CU_ASSERT_FALSE(r->was_late);
}

static inline void rig_close(struct rig *r) ON_LOOP
{
	CU_ASSERT_EQUAL(meter_read(&r->meters.busy), 0);
	CU_ASSERT_EQUAL(meter_read(&r->meters.waiting), 0);
	origin_free(&r->origin);
	CU_ASSERT_EQUAL(meter_read(&r->meters.idle), 0);
	ev_timer_stop(r->loop.ev, &r->patience);
	loop_fini(&r->loop);
}

/* ---- events ---- */

static inline void client_read(struct client *c) ON_LOOP
{
	struct iovec iov[4];
	enum flow_state state;
	do {
		for (int n; (n = flow_peek(&c->reader, iov, 4, UINT64_MAX, &state)) > 0;) {
			uint64_t bytes = 0;
			for (int i = 0; i < n; i++)
				bytes += iov[i].iov_len;
			if (c->body_bytes + bytes <= BODY_SHOWN)
				for (int i = 0; i < n; i++)
					buf_add(&c->saw, slice_of(iov[i].iov_base, iov[i].iov_len));
			c->body_bytes += bytes;
			flow_advance(&c->reader, bytes);
		}
	} while (state == FLOW_FILLING && !flow_wait(&c->reader, &c->more));
}

static inline void client_on_more(struct mail *m)
{
	role_loop();
	struct client *c = CONTAINER_OF(m, struct client, more);
	if (c->has_reader)
		client_read(c);
}

static inline void client_on_interim(void *owner, const struct response *response)
{
	role_loop();
	struct client *c = owner;
	buf_addf(&c->saw, "%u ", response->status);
	if (c->cancels == CANCEL_IN_INTERIM)
		exchange_cancel(&c->exchange);
}

static inline struct flow *client_on_head(void *owner, const struct response *response)
{
	role_loop();
	struct client *c = owner;
	buf_addf(&c->saw, "%u ", response->status);
	if (!c->wants_no_body) {
		uint64_t length = response->framing == FRAMING_LENGTH ? response->content_length
								      : FLOW_LENGTH_UNKNOWN;
		length = response->framing == FRAMING_NONE ? 0 : length;
		c->flow = flow_new(length, c->window ? 0 : FLOW_KEEP_ALL, c->window);
		c->has_reader = flow_attach(&c->reader, c->flow, 0, &c->rig->loop);
		buf_add(&c->saw, SL("["));
		mail_post(&c->rig->loop, &c->more);
	}
	if (c->cancels == CANCEL_IN_HEAD)
		exchange_cancel(&c->exchange);
	return c->flow ? flow_ref(c->flow) : NULL;
}

static inline void client_on_end(void *owner, enum err end)
{
	role_loop();
	struct client *c = owner;
	CU_ASSERT_FALSE(c->has_ended);
	c->has_ended = true;
	c->end = end;
	if (c->cancels == CANCEL_IN_END)
		exchange_cancel(&c->exchange);
	c->exchange = NULL;
	if (c->flow) {
		CU_ASSERT_EQUAL(flow_state(c->flow), end ? FLOW_FAILED : FLOW_COMPLETE);
		CU_ASSERT_EQUAL(c->flow->failure, end);
		client_read(c);
		buf_add(&c->saw, SL("] "));
		if (c->flow->trailers.len)
			buf_addf(&c->saw, "{%.*s} ", SLICE_ARG(c->flow->trailers));
	}
	buf_addf(&c->saw, "%s", err_name(end));
	if (--c->rig->awaited == 0)
		loop_stop(&c->rig->loop);
}

static const struct exchange_events client_events = { client_on_interim, client_on_head,
	client_on_end };

/* ---- life ---- */

static inline void client_init(struct client *c, struct rig *r, const char *method)
{
	*c = (struct client){ .rig = r };
	c->request.method_name = slice_str(method);
	c->request.method = method_of(c->request.method_name);
	c->request.path = SL("/");
	c->request.framing = FRAMING_NONE;
	c->spec = (struct exchange_spec){ .request = &c->request,
		.fields = &c->fields,
		.host = SL("example.org"),
		.events = &client_events,
		.owner = c };
	buf_init(&c->saw, 0);
	mail_init(&c->more, client_on_more);
}

static inline void client_start(struct client *c) ON_LOOP
{
	loop_touch(&c->rig->loop);
	CU_ASSERT_EQUAL(exchange_start(c->rig->origin, &c->spec, &c->exchange), ERR_NONE);
	CU_ASSERT_FALSE(c->has_ended);
}

static inline struct slice client_saw(const struct client *c)
{
	return buf_slice(&c->saw);
}

static inline bool client_did_see(const struct client *c, const char *what)
{
	bool is_same = slice_eq(client_saw(c), slice_str(what));
	if (!is_same)
		fprintf(stderr, "\n  saw \"%.*s\"\n not \"%s\"\n", SLICE_ARG(client_saw(c)), what);
	return is_same;
}

static inline void client_fini(struct client *c) ON_LOOP
{
	exchange_cancel(&c->exchange);
	if (c->has_reader)
		flow_detach(&c->reader);
	c->has_reader = false;
	flow_unref(&c->flow);
	while (mail_is_posted(&c->more))
		rig_nap(c->rig, 1);
	buf_fini(&c->saw);
}

/* One request without a body, from start to end. */
static inline void client_run(struct client *c, struct rig *r, const char *method) ON_LOOP
{
	client_init(c, r, method);
	client_start(c);
	rig_await(r, 1);
}

/* Runs the tests of one file. */
static inline int run_tests(const char *name, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = { { name, NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };
	CU_initialize_registry();
	CU_register_suites(suites);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
