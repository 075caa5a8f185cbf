/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/websocket.h"

#include <openssl/evp.h>
#include <sys/random.h>

enum { KEY_BYTES = 16, KEY_LEN = 24, SHA1_BYTES = 20, ACCEPT_LEN = 28 };

#define KEY SL("Sec-WebSocket-Key")
#define ACCEPT SL("Sec-WebSocket-Accept")
#define VERSION SL("Sec-WebSocket-Version")

/* Whether a field's list, over all its lines, has a member in any case. */
static bool has_member(const struct fields *f, enum field_id id, struct slice wanted)
{
	for (uint32_t i = 0; i < f->count; i++) {
		struct slice list = f->at[i].value, member;
		while (f->at[i].id == id && slice_take_member(&list, &member))
			if (slice_eq_nocase(member, wanted))
				return true;
	}
	return false;
}

static bool says_switch(const struct fields *f)
{
	return has_member(f, FIELD_UPGRADE, SL("websocket")) &&
	    has_member(f, FIELD_CONNECTION, SL("upgrade"));
}

/* ---- keys ---- */

static bool is_base64(char c)
{
	return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '+' ||
	    c == '/';
}

/* 16 bytes in base64. */
static bool is_key(struct slice s)
{
	if (s.len != KEY_LEN || !slice_ends(s, SL("==")))
		return false;
	for (size_t i = 0; i < KEY_LEN - 2; i++)
		if (!is_base64(s.at[i]))
			return false;
	return true;
}

/* The key, when there is one and only one; else empty. */
static struct slice only_key(const struct fields *f)
{
	struct slice key = SLICE_NONE;
	unsigned count = 0;
	for (uint32_t i = 0; i < f->count; i++) {
		if (!slice_eq_nocase(f->at[i].name, KEY))
			continue;
		key = f->at[i].value;
		count++;
	}
	return count == 1 && is_key(key) ? key : SLICE_NONE;
}

static bool add_key(struct fields *f, struct arena *arena)
{
	unsigned char nonce[KEY_BYTES];
	char *text = arena_bytes(arena, KEY_LEN + 1);
	if (!text || getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return false;
	EVP_EncodeBlock((unsigned char *)text, nonce, sizeof(nonce));
	return fields_add(f, arena, FIELD_OTHER, KEY, slice_of(text, KEY_LEN));
}

/* What proves that the key was read. False without memory. */
static bool proof_of(struct slice key, char to[ACCEPT_LEN + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[KEY_LEN + sizeof(guid)];
	unsigned char digest[SHA1_BYTES];
	size_t len = sizeof(digest);
	memcpy(text, key.at, KEY_LEN);
	memcpy(text + KEY_LEN, guid, sizeof(guid));
	if (!EVP_Q_digest(NULL, "SHA1", NULL, text, sizeof(text) - 1, digest, &len))
		return false;
	return EVP_EncodeBlock((unsigned char *)to, digest, sizeof(digest)) == ACCEPT_LEN;
}

/* ---- the handshake ---- */

bool websocket_is_asked(const struct request *request)
{
	bool has_body = request->framing == FRAMING_CHUNKED ||
	    (request->framing == FRAMING_LENGTH && request->content_length > 0);
	return request->method == METHOD_GET && request->version == 11 && !has_body &&
	    says_switch(&request->fields) && only_key(&request->fields).len > 0;
}

bool websocket_ask(struct fields *f, struct arena *arena, uint8_t client_version)
{
	bool is_ready = fields_put(f, arena, FIELD_CONNECTION, SL("Upgrade")) &&
	    fields_put(f, arena, FIELD_UPGRADE, SL("websocket"));
	if (!is_ready || client_version < 20)
		return is_ready;
	fields_remove_name(f, KEY);
	if (!fields_find_name(f, VERSION) && !fields_add(f, arena, FIELD_OTHER, VERSION, SL("13")))
		return false;
	return add_key(f, arena);
}

bool websocket_is_agreed(const struct fields *asked, const struct response *response)
{
	char proof[ACCEPT_LEN + 1];
	struct slice key = only_key(asked);
	const struct field *accept = fields_find_name(&response->fields, ACCEPT);
	return key.len > 0 && response->status == 101 && says_switch(&response->fields) && accept &&
	    proof_of(key, proof) && slice_eq(accept->value, slice_of(proof, ACCEPT_LEN));
}
