/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/request.h"

#include "edge/http/target.h"

static enum err check_expect(struct request *request)
{
	const struct field *expect = fields_find(&request->fields, FIELD_EXPECT);
	if (!expect || request->version < 11)
		return ERR_NONE;
	if (!slice_eq_nocase(expect->value, SL("100-continue")))
		return ERR_EXPECT_UNKNOWN;
	request->expects_continue = request->framing != FRAMING_NONE;
	return ERR_NONE;
}

enum err request_check(
    struct request *request, const struct aim *aim, uint64_t body_bytes, struct arena *arena)
{
	if (body_bytes && request->framing == FRAMING_LENGTH &&
	    request->content_length > body_bytes)
		return ERR_BODY_TOO_LARGE;
	if (fields_count(&request->fields, FIELD_HOST) > 1)
		return ERR_BAD_HOST;
	enum err e = target_parse(aim->target, aim->host, aim->has_host, request, arena);
	return e != ERR_NONE ? e : check_expect(request);
}

/*
 * RFC 9110 6.5.1: what decides about a message has been decided when its trailers come, and whoever
 * merges them into the head believes them. So none of the fields that anybody here knows may trail:
 * framing, routing, conditions, credentials, and what only we may say (Client-Cert,
 * X-Forwarded-For).
 */
bool field_may_trail(enum field_id id)
{
	return id == FIELD_OTHER;
}
