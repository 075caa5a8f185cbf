/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/keeper.h"

#include <sys/stat.h>

enum { LOOK_MS = 1000, WARN_MS = 60 * 60 * 1000 };

/* ---- what files look like ---- */

static void mix(uint64_t *sum, uint64_t value)
{
	*sum = (*sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	*sum ^= *sum >> 29;
}

/* Adds a file's looks. One that is not there looks like nothing; no file is meant by "". */
static void look_at(uint64_t *sum, struct slice path)
{
	struct stat is = { 0 };
	if (path.len == 0)
		return;
	char *text = slice_to_str(path);
	if (stat(text, &is) != 0)
		is = (struct stat){ 0 };
	free(text);
	mix(sum, is.st_ino);
	mix(sum, (uint64_t)is.st_size);
	mix(sum, (uint64_t)is.st_mtim.tv_sec);
	mix(sum, (uint64_t)is.st_mtim.tv_nsec);
}

static void look_at_listener(uint64_t *sum, const struct tls_options *tls)
{
	const struct tls_pair_options *pairs = tls->certificates.at;
	for (size_t i = 0; i < tls->certificates.count; i++) {
		look_at(sum, pairs[i].cert);
		look_at(sum, pairs[i].key);
	}
	look_at(sum, tls->client_ca);
	look_at(sum, tls->client_crl);
	look_at(sum, tls->ticket_keys);
}

/* The looks of all files that the premises were made of; 0 = of none. */
static uint64_t look(const struct premises *p)
{
	const struct settings *s = p->settings;
	const struct origin_options *origins = s->origins.at;
	uint64_t sum = 0;
	for (size_t i = 0; i < s->listen.count; i++)
		look_at_listener(&sum, &settings_listen_at(s, i)->tls);
	for (size_t i = 0; i < s->origins.count; i++) {
		look_at(&sum, origins[i].tls.ca);
		look_at(&sum, origins[i].tls.cert);
		look_at(&sum, origins[i].tls.key);
	}
	look_at(&sum, s->admin.cert);
	look_at(&sum, s->admin.key);
	look_at(&sum, s->admin.client_ca);
	look_at(&sum, s->admin.tokens);
	return sum;
}

static void on_look(struct deadline *d)
{
	role_loop();
	struct keeper *k = CONTAINER_OF(d, struct keeper, look);
	uint64_t now = look(k->premises);
	bool is_settled = k->is_changing && now == k->seen;
	k->is_changing = now != k->seen;
	k->seen = now;
	deadline_set(k->home, &k->look, LOOK_MS);
	if (is_settled)
		k->renew(k->owner);
}

/* ---- ticket keys, warnings ---- */

/* The shortest time that a listener gives a ticket key; 0 = none has tickets. */
static int64_t rotation_ms(const struct premises *p)
{
	int64_t shortest = 0;
	for (size_t i = 0; i < p->settings->listen.count; i++) {
		const struct tls_options *tls = &settings_listen_at(p->settings, i)->tls;
		if (!tls->tickets || tls->ticket_keys.len > 0)
			continue;
		if (shortest == 0 || tls->ticket_rotation_ms < shortest)
			shortest = tls->ticket_rotation_ms;
	}
	return shortest;
}

static void on_turn(struct deadline *d)
{
	role_loop();
	struct keeper *k = CONTAINER_OF(d, struct keeper, turn);
	keyring_turn(k->keyring);
	deadline_set(k->home, &k->turn, rotation_ms(k->premises));
}

static void on_warn(struct deadline *d)
{
	role_loop();
	struct keeper *k = CONTAINER_OF(d, struct keeper, warn);
	certs_warn(&k->warned, k->premises, wall_now());
	deadline_set(k->home, &k->warn, WARN_MS);
}

/* ---- life ---- */

void keeper_init(struct keeper *k, struct loop *home, struct keyring *keyring,
    struct metrics *metrics, void (*renew)(void *owner), void *owner)
{
	*k = (struct keeper){
		.home = home,
		.keyring = keyring,
		.metrics = metrics,
		.renew = renew,
		.owner = owner,
	};
	deadline_init(&k->look, on_look);
	deadline_init(&k->turn, on_turn);
	deadline_init(&k->warn, on_warn);
}

void keeper_look(struct keeper *k)
{
	k->seen = look(k->premises);
	k->is_changing = false;
}

void keeper_take(struct keeper *k, const struct premises *premises)
{
	int64_t turn_before_ms = k->premises ? rotation_ms(k->premises) : 0;
	int64_t turn_ms = rotation_ms(premises);
	bool is_known = k->premises && k->premises->settings == premises->settings;
	k->premises = premises;
	if (!is_known)
		keeper_look(k);
	/* Who reloads often must not put the next key off each time. */
	if (turn_ms != turn_before_ms || !deadline_is_set(&k->turn))
		deadline_set(k->home, &k->turn, turn_ms);
	deadline_set(k->home, &k->look, k->seen ? LOOK_MS : 0);
	certs_meter(k->metrics, premises);
	certs_warn(&k->warned, premises, wall_now());
	deadline_set(k->home, &k->warn, k->seen ? WARN_MS : 0);
}

void keeper_stop(struct keeper *k)
{
	if (!k->home)
		return;
	deadline_clear(&k->look);
	deadline_clear(&k->turn);
	deadline_clear(&k->warn);
	certs_warned_fini(&k->warned);
}
