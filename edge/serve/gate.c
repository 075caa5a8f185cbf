/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/serve/gate.h"

#include <openssl/evp.h>

#include "edge/http/target.h"

/* Larders in a row may share a name; a request that met it this often goes round in a circle. */
enum { LOOPS_MAX = 8, HTTPS_PORT = 443 };

/* ---- before the route ---- */

/* RFC 9110 7.4: a client may ask for other hosts than the one that it connected for, if our
 * certificate spoke for those, too. One that named no host cannot have been led astray. */
static bool is_for_us(const struct secure *secure, struct slice authority)
{
	struct slice host = authority_host(authority);
	return !secure || secure->server_name.len == 0 || slice_eq(host, secure->server_name) ||
	    secure->speaks_for(secure, host);
}

static struct forwarded judge_peer(const struct stream *stream, const struct site *site)
{
	const struct request *request = &stream->request;
	struct ip peer = { 0 };
	(void)ip_of_sockaddr(&stream->peer->any, &peer);
	return forwarded_judge(site->trusted, peer, request->scheme, &request->fields);
}

enum err gate_receive(
    struct stream *stream, const struct site *site, struct forwarded *ret_who, bool *ret_circles)
{
	struct request *request = &stream->request;
	unsigned met = via_count(&request->fields, site->name);
	*ret_circles = met > 0;
	/* What ends at this hop decides nothing here: the origin does not see it either. */
	fields_strip_hop(&request->fields);
	*ret_who = judge_peer(stream, site);
	request->scheme = ret_who->scheme;
	/* RFC 9440 2.4: these are ours to write, whoever asks and wherever it goes. */
	fields_remove(&request->fields, FIELD_CLIENT_CERT);
	fields_remove(&request->fields, FIELD_CLIENT_CERT_CHAIN);
	if (met >= LOOPS_MAX)
		return ERR_LOOP;
	return is_for_us(stream->secure, request->authority) ? ERR_NONE : ERR_MISDIRECTED;
}

/* ---- what the route asks ---- */

/* The certificate as a Structured Field byte sequence (RFC 9440 2.1, RFC 9651 3.3.5). */
static bool tell_certificate(struct stream *stream, struct slice der)
{
	struct arena *arena = &stream->arena;
	size_t len = (der.len + 2) / 3 * 4;
	char *to = arena_bytes(arena, len + 3); /* two colons, and OpenSSL's NUL */
	if (!to)
		return false;
	to[0] = ':';
	EVP_EncodeBlock((unsigned char *)to + 1, (const unsigned char *)der.at, (int)der.len);
	to[len + 1] = ':';
	return fields_put(&stream->request.fields, arena, FIELD_CLIENT_CERT, slice_of(to, len + 2));
}

static enum gate shut(enum err why, enum err *ret_why)
{
	*ret_why = why;
	return GATE_SHUT;
}

static enum gate judge_certificate(
    struct stream *stream, const struct security *security, enum err *ret_why)
{
	struct slice certificate = stream->secure ? stream->secure->certificate : SLICE_NONE;
	if (security->client_certificate == CERTIFICATE_IGNORE)
		return GATE_OPEN;
	if (certificate.len > 0)
		return tell_certificate(stream, certificate) ? GATE_OPEN
							     : shut(ERR_HEAD_TOO_LARGE, ret_why);
	return security->client_certificate == CERTIFICATE_REQUIRE
	    ? shut(ERR_CERT_REQUIRED, ret_why)
	    : GATE_OPEN;
}

enum gate gate_judge(struct stream *stream, const struct security *security, enum err *ret_why)
{
	/* The scheme that the client spoke: behind a trusted proxy that is not this
	 * connection's. */
	bool is_https = slice_eq(stream->request.scheme, SL("https"));
	if (!is_https && security->https == HTTPS_REDIRECT)
		return GATE_REDIRECT;
	if (!is_https && security->https == HTTPS_REQUIRE)
		return shut(ERR_HTTPS_REQUIRED, ret_why);
	return judge_certificate(stream, security, ret_why);
}

struct slice gate_location(
    struct stream *stream, const struct security *security, struct slice target)
{
	struct arena *arena = &stream->arena;
	struct slice host = authority_host(stream->request.authority), location;
	struct slice path = slice_starts(target, SL("/")) ? target : SL("/"); /* OPTIONS * */
	if (host.len == 0)
		return SLICE_NONE;
	if (security->https_port == HTTPS_PORT)
		location = arena_printf(
		    arena, "https://%.*s%.*s", SLICE_ARG(host), SLICE_ARG(path));
	else
		location = arena_printf(arena, "https://%.*s:%" PRIu64 "%.*s", SLICE_ARG(host),
		    security->https_port, SLICE_ARG(path));
	return arena->overflow ? SLICE_NONE : location;
}

/* ---- early data ---- */

bool gate_replays(const struct stream *stream)
{
	/* Once the client's Finished has come, all that came before it is from that client. */
	return stream->is_early && stream->secure->is_early;
}
