/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/actor.h"

#include <openssl/x509.h>

#include "edge/admin/admin.h"
#include "edge/admin/reply.h"
#include "edge/base/log.h"

#define CHALLENGE "WWW-Authenticate: Bearer realm=\"larder\""

enum { COMMON_NAME_BYTES = 256 };

/* ---- who ---- */

/* The common name of a verified certificate; empty when it has none. */
static struct slice common_name(struct slice der, struct arena *arena)
{
	const unsigned char *at = (const unsigned char *)der.at;
	char text[COMMON_NAME_BYTES];
	X509 *cert = d2i_X509(NULL, &at, (long)der.len);
	int len = cert ? X509_NAME_get_text_by_NID(
			     X509_get_subject_name(cert), NID_commonName, text, sizeof(text))
		       : -1;
	X509_free(cert);
	return len > 0 ? arena_copy(arena, slice_of(text, (size_t)len)) : SLICE_NONE;
}

static struct actor local_actor(const struct address *peer, struct arena *arena)
{
	struct actor actor = { .name = SL("unix:unknown"), .scopes = GRANT_ALL };
	if (peer->local.is_known)
		actor.name = arena_printf(arena, "unix:uid=%u", peer->local.uid);
	return actor;
}

static struct slice peer_name(const struct address *peer, struct arena *arena)
{
	char text[IP_TEXT_MAX] = "unknown";
	struct ip ip;
	if (ip_of_sockaddr(&peer->any, &ip))
		ip_print(ip, text);
	return arena_printf(arena, "tcp:%s", text);
}

/* The token of "Bearer TOKEN"; empty when there is none (RFC 6750 2.1). */
static struct slice shown_token(const struct request *request)
{
	struct slice value = fields_value(&request->fields, FIELD_AUTHORIZATION);
	struct slice scheme = slice_take_token(&value);
	return slice_eq_nocase(scheme, SL("bearer")) ? slice_trim(value) : SLICE_NONE;
}

enum identity { IDENTITY_KNOWN, IDENTITY_NONE, IDENTITY_WRONG };

/* Who connects over TCP. A certificate is no way around a token that is wrong. */
static enum identity identify(
    const struct admin_access *access, const struct stream *stream, struct reply *r)
{
	struct arena *arena = &r->stream->arena;
	struct slice shown = access->tokens ? shown_token(&stream->request) : SLICE_NONE;
	struct slice cert = stream->secure ? stream->secure->certificate : SLICE_NONE;
	if (shown.len > 0) {
		struct token *token = tokens_find(access->tokens, shown);
		if (!token)
			return IDENTITY_WRONG;
		struct slice name = arena_copy(arena, token->name);
		r->actor = (struct actor){ name, token->scopes, token };
	} else if (cert.len > 0) {
		struct slice name = common_name(cert, arena);
		r->actor.name = arena_printf(arena, "cert:%.*s", SLICE_ARG(name));
		r->actor.scopes = access->client_scopes;
	} else if (access->tokens) {
		return IDENTITY_NONE;
	} else {
		r->actor = (struct actor){ peer_name(stream->peer, arena), GRANT_ALL, NULL };
	}
	return IDENTITY_KNOWN;
}

/* ---- refusals ---- */

static void refuse_identity(struct admin *admin, struct reply *r, enum identity what) ON_LOOP
{
	struct slice from = peer_name(r->stream->peer, &r->stream->arena);
	meter_add(&admin->meters.refused_token, 1);
	if (what == IDENTITY_WRONG)
		log_warn("admin: %.*s showed a token that is not known, refused", SLICE_ARG(from));
	/* RFC 6750 3.1: who showed nothing is told no error. */
	if (what == IDENTITY_WRONG)
		reply_problem_with(r, 401, SL("the token is not known"),
		    SL(CHALLENGE ", error=\"invalid_token\"\r\n"));
	else
		reply_problem_with(r, 401, SL("a token is needed: Authorization: Bearer TOKEN"),
		    SL(CHALLENGE "\r\n"));
}

static bool is_allowed(const struct admin_access *access, const struct address *peer)
{
	struct ip ip;
	return access->allow->count == 0 ||
	    (ip_of_sockaddr(&peer->any, &ip) && proxies_trust(access->allow, ip));
}

static void refuse_address(struct admin *admin, struct reply *r) ON_LOOP
{
	meter_add(&admin->meters.refused_address, 1);
	reply_problem(r, 403, SL("your address is not one that may ask here"));
}

bool actor_may(struct admin *admin, struct reply *r, enum grant needed)
{
	struct arena *arena = &r->stream->arena;
	const char *name = grant_name(needed);
	if ((r->actor.scopes & needed) == (unsigned)needed)
		return true;
	meter_add(&admin->meters.refused_scope, 1);
	reply_problem_with(r, 403,
	    arena_printf(arena, "this needs the scope \"%s\", which \"%.*s\" does not have", name,
		SLICE_ARG(r->actor.name)),
	    arena_printf(
		arena, CHALLENGE ", error=\"insufficient_scope\", scope=\"%s\"\r\n", name));
	return false;
}

/* Whether his token's rate has room for one more change. */
static bool may_now(struct admin *admin, struct reply *r) ON_LOOP
{
	struct token *token = r->actor.token;
	struct arena *arena = &r->stream->arena;
	if (!token || method_is_safe(r->stream->request.method))
		return true;
	int64_t wait_ms = token_spend(token, mono_now());
	if (wait_ms == 0)
		return true;
	meter_add(&admin->meters.refused_rate, 1);
	reply_problem_with(r, 429,
	    arena_printf(arena, "\"%.*s\" may do this %" PRIu64 " times a second",
		SLICE_ARG(r->actor.name), token->rate),
	    arena_printf(arena, "Retry-After: %" PRIi64 "\r\n", (wait_ms + 999) / 1000));
	return false;
}

/* ---- the verdict ---- */

bool actor_admit(struct admin *admin, struct reply *r, enum grant needed)
{
	const struct admin_access *access = &admin->access;
	const struct address *peer = r->stream->peer;
	enum identity identity = IDENTITY_KNOWN;
	if (peer->any.sa_family == AF_UNIX) {
		r->actor = local_actor(peer, &r->stream->arena);
		return true;
	}
	if (!is_allowed(access, peer)) {
		refuse_address(admin, r);
		return false;
	}
	if (needed == GRANT_NONE)
		return true;
	identity = identify(access, r->stream, r);
	if (identity != IDENTITY_KNOWN) {
		refuse_identity(admin, r, identity);
		return false;
	}
	return actor_may(admin, r, needed) && may_now(admin, r);
}
