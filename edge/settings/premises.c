/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/premises.h"

#include "edge/conf/address.h"

enum { ARENA_BYTES = 4 * 1024 * 1024, WHY_BYTES = 512, ADMIN_HANDSHAKE_MS = 10 * 1000 };

/* Where the work of one premises_new leaves what it finds. */
struct making {
	struct premises *premises;
	struct keyring *keyring;
	struct premises_before before;
	struct conf_errors *errors;
	bool has_failed;
};

/* ---- problems ---- */

static void tell(struct making *m, const char *what, struct slice which, const char *why)
{
	m->errors->count++;
	buf_addf(&m->errors->text, "%s %.*s: %s\n", what, SLICE_ARG(which), why);
}

static void refuse(struct making *m, const char *what, struct slice which, const char *why)
{
	m->has_failed = true;
	tell(m, what, which, why);
}

static const char *reason(enum err e, const char *why)
{
	return why[0] ? why : err_text(e);
}

/* ---- blocks of addresses ---- */

/* The loader has checked each of them. */
static void parse_blocks(
    struct making *m, const struct conf_strings *texts, struct proxies *ret_blocks)
{
	size_t bad;
	must(proxies_parse(texts->at, texts->count, &m->premises->arena, ret_blocks, &bad));
}

static const struct proxies *heralds_of(struct making *m, const struct conf_strings *texts)
{
	if (texts->count == 0)
		return NULL;
	struct proxies *heralds = arena_alloc(&m->premises->arena, sizeof(*heralds));
	must(heralds != NULL);
	parse_blocks(m, texts, heralds);
	return heralds;
}

static const struct proxies *copy_heralds(struct arena *arena, const struct proxies *from)
{
	if (!from)
		return NULL;
	struct proxies *copy = arena_alloc(arena, sizeof(*copy));
	struct ip_block *at = arena_alloc(arena, from->count * sizeof(*at));
	must(copy && at);
	memcpy(at, from->at, from->count * sizeof(*at));
	*copy = (struct proxies){ at, from->count };
	return copy;
}

/* ---- listeners ---- */

static bool is_https(struct slice url)
{
	struct host_port at;
	return address_of_url(url, &at) && at.is_https;
}

/* The protocols to offer: HTTP/2 only where it is spoken. */
static struct conf_strings alpn_of(struct making *m, const struct listen_options *listen)
{
	const struct conf_strings *all = &listen->tls.alpn;
	if (m->premises->settings->limits.h2 || all->count == 0)
		return *all;
	struct slice *at = arena_alloc(&m->premises->arena, all->count * sizeof(*at));
	struct conf_strings spoken = { at, 0 };
	must(at != NULL);
	for (size_t i = 0; i < all->count; i++)
		if (!slice_eq(all->at[i], SL("h2")))
			at[spoken.count++] = all->at[i];
	return spoken;
}

static struct tls_server *make_server(
    struct making *m, const struct listen_options *listen, const struct entrance *before)
{
	char why[WHY_BYTES] = "";
	struct tickets *tickets = NULL;
	struct tls_server *tls = NULL;
	struct tls_options options = listen->tls;
	options.alpn = alpn_of(m, listen);
	enum err e = keyring_find(m->keyring, listen->tls.ticket_keys, &tickets, why, sizeof(why));
	if (e != ERR_NONE && before && m->before.keeps_pairs) {
		tell(m, "listener", listen->address, reason(e, why));
		return tls_server_ref(before->tls);
	}
	if (e == ERR_NONE)
		e = tls_server_new(&options, tickets,
		    before && m->before.keeps_pairs ? before->tls : NULL, &tls, why, sizeof(why));
	if (e != ERR_NONE)
		refuse(m, "listener", listen->address, reason(e, why));
	else if (why[0])
		tell(m, "listener", listen->address, why);
	return tls;
}

static const struct listen_options *find_listen(const struct settings *s, struct slice address)
{
	for (size_t i = 0; i < s->listen.count; i++)
		if (slice_eq(settings_listen_at(s, i)->address, address))
			return settings_listen_at(s, i);
	return NULL;
}

/* What the settings say of an open listener; the one they do not name stays as it is. */
static struct entrance make_entrance(
    struct making *m, struct slice address, const struct entrance *before)
{
	const struct listen_options *listen = find_listen(m->premises->settings, address);
	must(listen || before);
	if (!listen)
		return (struct entrance){
			.tls = before->tls ? tls_server_ref(before->tls) : NULL,
			.heralds = copy_heralds(&m->premises->arena, before->heralds),
		};
	return (struct entrance){
		.tls = is_https(address) ? make_server(m, listen, before) : NULL,
		.heralds = heralds_of(m, &listen->proxy_protocol),
	};
}

static void make_entrances(struct making *m)
{
	struct premises *p = m->premises;
	const struct premises *before = m->before.in_force;
	p->entrance_count = before ? before->entrance_count : p->settings->listen.count;
	p->entrances = arena_alloc(&p->arena, p->entrance_count * sizeof(*p->entrances));
	p->addresses = arena_alloc(&p->arena, p->entrance_count * sizeof(*p->addresses));
	must(p->entrances && p->addresses);
	for (size_t i = 0; i < p->entrance_count; i++) {
		struct slice address = before ? before->addresses[i]
					      : settings_listen_at(p->settings, i)->address;
		p->addresses[i] = arena_copy(&p->arena, address);
		p->entrances[i] = make_entrance(
		    m, p->addresses[i], before ? &before->entrances[i] : NULL);
	}
	must(!p->arena.overflow);
}

/* ---- origins ---- */

static const struct origin_options *origin_at(const struct settings *s, size_t i)
{
	return (const struct origin_options *)s->origins.at + i;
}

/* The same origin's in the settings in force; NULL when it was not there, or plain. */
static struct tls_client *client_before(const struct making *m, size_t i)
{
	const struct premises *before = m->before.keeps_pairs ? m->before.in_force : NULL;
	return before && before->settings == m->premises->settings ? before->origin_tls[i] : NULL;
}

static struct tls_client *make_client(struct making *m, size_t i)
{
	const struct origin_options *origin = origin_at(m->premises->settings, i);
	struct tls_client *before = client_before(m, i), *tls = NULL;
	char why[WHY_BYTES] = "";
	enum err e = tls_client_new(&origin->tls, &tls, why, sizeof(why));
	if (e == ERR_NONE)
		return tls;
	if (!before) {
		refuse(m, "origin", origin->name, reason(e, why));
		return NULL;
	}
	tell(m, "origin", origin->name, reason(e, why));
	return tls_client_ref(before);
}

static void make_clients(struct making *m)
{
	struct premises *p = m->premises;
	size_t count = p->settings->origins.count;
	p->origin_tls = arena_alloc(&p->arena, count * sizeof(struct tls_client *));
	must(p->origin_tls != NULL);
	for (size_t i = 0; i < count; i++)
		if (is_https(origin_at(p->settings, i)->addresses.at[0]))
			p->origin_tls[i] = make_client(m, i);
}

/* ---- admin ---- */

/* Its certificate in the words of a listener's. No tickets: larderctl asks once. */
static struct tls_options admin_tls_options(struct making *m, struct tls_pair_options *pair)
{
	const struct admin_settings *admin = &m->premises->settings->admin;
	static struct slice http1[] = { { "http/1.1", 8 } };
	*pair = (struct tls_pair_options){ admin->cert, admin->key };
	return (struct tls_options){
		.certificates = { pair, 1 },
		.min_version = TLS_VERSION_12,
		.alpn = { http1, 1 },
		.handshake_ms = ADMIN_HANDSHAKE_MS,
		.client_certificate = admin->client_ca.len ? TLS_CLIENT_REQUIRED : TLS_CLIENT_OFF,
		.client_ca = admin->client_ca,
	};
}

static struct tls_server *make_admin_tls(struct making *m)
{
	const struct premises *in_force = m->before.in_force;
	struct tls_server *before = in_force && m->before.keeps_pairs ? in_force->admin_entrance.tls
								      : NULL;
	struct slice address = m->premises->settings->admin.listen;
	struct tls_pair_options pair;
	struct tls_options options = admin_tls_options(m, &pair);
	struct tls_server *tls = NULL;
	char why[WHY_BYTES] = "";
	enum err e = tls_server_new(&options, NULL, before, &tls, why, sizeof(why));
	if (e != ERR_NONE && before) {
		tell(m, "admin", address, reason(e, why));
		return tls_server_ref(before);
	}
	if (e != ERR_NONE)
		refuse(m, "admin", address, reason(e, why));
	else if (why[0])
		tell(m, "admin", address, why);
	return tls;
}

static void make_tokens(struct making *m)
{
	const struct premises *before = m->before.in_force;
	struct tokens *old = before ? before->admin_tokens : NULL;
	struct tokens *tokens = tokens_load(m->premises->settings->admin.tokens, old, m->errors);
	if (!tokens && old && m->before.keeps_pairs)
		tokens = tokens_ref(old);
	m->has_failed |= !tokens;
	m->premises->admin_tokens = tokens;
}

/* Whether it is open, and TLS, was settled at the start. */
static void make_admin(struct making *m)
{
	struct premises *p = m->premises;
	const struct admin_settings *admin = &p->settings->admin;
	const struct premises *before = m->before.in_force;
	bool is_safe = before ? before->admin_entrance.tls != NULL : is_https(admin->listen);
	parse_blocks(m, &admin->allow, &p->admin_allow);
	if (is_safe && is_https(admin->listen))
		p->admin_entrance.tls = make_admin_tls(m);
	else if (is_safe)
		p->admin_entrance.tls = tls_server_ref(before->admin_entrance.tls);
	if (admin->tokens.len > 0)
		make_tokens(m);
}

struct admin_access premises_admin(const struct premises *p)
{
	return (struct admin_access){
		.entrance = &p->admin_entrance,
		.allow = &p->admin_allow,
		.tokens = p->admin_tokens,
		.client_scopes = admin_client_scopes(&p->settings->admin),
	};
}

/* ---- life ---- */

struct premises *premises_new(struct settings *settings, struct keyring *keyring,
    struct premises_before before, struct conf_errors *errors)
{
	struct premises *p = must_alloc(sizeof(*p));
	*p = (struct premises){ .refs = 1, .settings = settings_ref(settings) };
	struct making m = { p, keyring, before, errors, false };
	arena_init(&p->arena, ARENA_BYTES);
	parse_blocks(&m, &settings->trusted_proxies, &p->trusted);
	parse_blocks(&m, &settings->purge.allow, &p->purgers);
	make_entrances(&m);
	make_clients(&m);
	make_admin(&m);
	if (m.has_failed)
		premises_unref(&p);
	return p;
}

struct premises *premises_ref(struct premises *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void premises_unref(struct premises **now)
{
	struct premises *p = *now;
	*now = NULL;
	if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < p->entrance_count; i++)
		tls_server_unref(&p->entrances[i].tls);
	tls_server_unref(&p->admin_entrance.tls);
	tokens_unref(&p->admin_tokens);
	for (size_t i = 0; i < p->settings->origins.count; i++)
		tls_client_unref(&p->origin_tls[i]);
	settings_unref(&p->settings);
	arena_fini(&p->arena);
	free(p);
}

static void drop(void *owner)
{
	struct premises *p = owner;
	premises_unref(&p);
}

struct site premises_site(struct premises *p)
{
	const struct settings *s = p->settings;
	return (struct site){
		.limits = &s->limits,
		.routes = &s->routes,
		.origins = &s->origins,
		.entrances = p->entrances,
		.entrance_count = p->entrance_count,
		.origin_tls = p->origin_tls,
		.trusted = &p->trusted,
		.purgers = &p->purgers,
		.name = s->name,
		.owner = premises_ref(p),
		.drop = drop,
	};
}
