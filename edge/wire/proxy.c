/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/wire/proxy.h"

enum {
	V1_MAX = 107, /* CRLF and all */
	V2_FIXED = 16,
	V2_LENGTH_AT = 14,
	TLV_HEAD = 3,
	TLV_CRC32C = 0x03,
	CRC_BYTES = 4,
};
enum command { COMMAND_LOCAL, COMMAND_PROXY };
enum family { FAMILY_UNSPEC, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX };
enum transport { TRANSPORT_UNSPEC, TRANSPORT_STREAM };

static const struct slice v1_begin = { "PROXY ", 6 };
static const struct slice v2_begin = { "\r\n\r\n\0\r\nQUIT\n", 12 };

/* Whether the bytes are a text's beginning, as far as they go. */
static bool may_become(struct slice bytes, struct slice text)
{
	return slice_eq(slice_first(bytes, text.len), slice_first(text, bytes.len));
}

/* ---- version 1: a line of text ---- */

/* One word and the space behind it. */
static bool take_word(struct slice *line, struct slice *ret_word)
{
	size_t end = slice_find(*line, ' ');
	if (end == 0 || end == line->len)
		return false;
	*ret_word = slice_take_until(line, ' ');
	return true;
}

/* 0..65535, without a zero in front. */
static bool port_of(struct slice text, uint16_t *ret_port)
{
	uint64_t value;
	if (text.len > 1 && text.at[0] == '0')
		return false;
	if (!slice_to_u64(text, &value) || value > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)value;
	return true;
}

/* What stands between "PROXY " and CRLF. */
static enum proxy_verdict read_line(struct slice line, struct address *ret_client)
{
	struct slice family = slice_first(line, slice_find(line, ' ')), from, to, from_port_text;
	struct address client, server;
	uint16_t from_port, to_port;
	/* Whatever else it says is to be passed over. */
	if (slice_eq(family, SL("UNKNOWN")))
		return PROXY_SELF;
	bool is_v4 = slice_eq(family, SL("TCP4"));
	if (!is_v4 && !slice_eq(family, SL("TCP6")))
		return PROXY_BAD;
	if (!take_word(&line, &family) || !take_word(&line, &from) || !take_word(&line, &to) ||
	    !take_word(&line, &from_port_text))
		return PROXY_BAD;
	if (!port_of(from_port_text, &from_port) || !port_of(line, &to_port))
		return PROXY_BAD;
	if (!address_parse(from, from_port, &client) || !address_parse(to, to_port, &server))
		return PROXY_BAD;
	sa_family_t wanted = is_v4 ? AF_INET : AF_INET6;
	if (client.any.sa_family != wanted || server.any.sa_family != wanted)
		return PROXY_BAD;
	*ret_client = client;
	return PROXY_TOLD;
}

static enum proxy_verdict read_v1(struct slice bytes, size_t *ret_used, struct address *ret_client)
{
	struct slice head = slice_first(bytes, V1_MAX);
	size_t end = slice_find(head, '\r');
	if (slice_find(head, '\n') < end || slice_find(head, '\0') < end)
		return PROXY_BAD;
	if (end + 1 >= head.len) /* no CR yet, or nothing behind it */
		return head.len < V1_MAX ? PROXY_MORE : PROXY_BAD;
	if (head.at[end + 1] != '\n')
		return PROXY_BAD;
	struct slice line = slice_from(slice_first(head, end), v1_begin.len);
	enum proxy_verdict verdict = read_line(line, ret_client);
	if (verdict != PROXY_BAD)
		*ret_used = end + 2;
	return verdict;
}

/* ---- version 2: binary ---- */

static unsigned byte_at(struct slice s, size_t i)
{
	return (unsigned char)s.at[i];
}

static size_t u16_at(struct slice s, size_t i)
{
	return (size_t)byte_at(s, i) << 8 | byte_at(s, i + 1);
}

static uint32_t u32_at(struct slice s, size_t i)
{
	return (uint32_t)(u16_at(s, i) << 16 | u16_at(s, i + 2));
}

/* CRC-32C (RFC 9260 B), bit by bit: it is rare, and over a few hundred bytes. The four bytes at
 * `hole` count as zeros. */
static uint32_t crc32c(struct slice s, size_t hole)
{
	uint32_t crc = ~UINT32_C(0);
	for (size_t i = 0; i < s.len; i++) {
		bool is_hole = i >= hole && i < hole + CRC_BYTES;
		crc ^= is_hole ? 0 : byte_at(s, i);
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

/* Whether the extensions from `at` on are well formed, and the checksum among them is right. */
static bool are_extensions_sound(struct slice header, size_t at)
{
	while (at < header.len) {
		if (header.len - at < TLV_HEAD)
			return false;
		unsigned type = byte_at(header, at);
		size_t len = u16_at(header, at + 1);
		at += TLV_HEAD;
		if (len > header.len - at)
			return false;
		if (type == TLV_CRC32C &&
		    (len != CRC_BYTES || u32_at(header, at) != crc32c(header, at)))
			return false;
		at += len;
	}
	return true;
}

/* The bytes that the addresses of a family take; SIZE_MAX = no such family. */
static size_t addresses_len(unsigned family)
{
	switch (family) {
	case FAMILY_INET: return 12;
	case FAMILY_INET6: return 36;
	case FAMILY_UNIX: return 216;
	default: return SIZE_MAX;
	}
}

static struct address client_of(struct slice header, unsigned family)
{
	struct address client = { 0 };
	const char *at = header.at + V2_FIXED;
	if (family == FAMILY_INET) {
		client.v4.sin_family = AF_INET;
		memcpy(&client.v4.sin_addr, at, 4);
		memcpy(&client.v4.sin_port, at + 8, 2);
	} else {
		client.v6.sin6_family = AF_INET6;
		memcpy(&client.v6.sin6_addr, at, 16);
		memcpy(&client.v6.sin6_port, at + 32, 2);
	}
	return client;
}

/* A whole header. */
static enum proxy_verdict read_header(struct slice header, struct address *ret_client)
{
	unsigned command = byte_at(header, 12) & 15;
	unsigned family = byte_at(header, 13) >> 4, transport = byte_at(header, 13) & 15;
	/* A health check of the proxy's own: what follows is to be passed over unread. */
	if (command == COMMAND_LOCAL || family == FAMILY_UNSPEC)
		return PROXY_SELF;
	size_t addresses = addresses_len(family);
	if (transport != TRANSPORT_STREAM || addresses > header.len - V2_FIXED ||
	    !are_extensions_sound(header, V2_FIXED + addresses))
		return PROXY_BAD;
	if (family == FAMILY_UNIX)
		return PROXY_SELF;
	*ret_client = client_of(header, family);
	return PROXY_TOLD;
}

static enum proxy_verdict read_v2(struct slice bytes, size_t *ret_used, struct address *ret_client)
{
	if (bytes.len > 12 && (byte_at(bytes, 12) >> 4 != 2 || (byte_at(bytes, 12) & 15) > 1))
		return PROXY_BAD;
	if (bytes.len < V2_FIXED)
		return PROXY_MORE;
	size_t len = V2_FIXED + u16_at(bytes, V2_LENGTH_AT);
	if (len > PROXY_HEAD_BYTES)
		return PROXY_BAD;
	if (bytes.len < len)
		return PROXY_MORE;
	enum proxy_verdict verdict = read_header(slice_first(bytes, len), ret_client);
	if (verdict != PROXY_BAD)
		*ret_used = len;
	return verdict;
}

enum proxy_verdict proxy_read(struct slice bytes, size_t *ret_used, struct address *ret_client)
{
	if (!may_become(bytes, v1_begin) && !may_become(bytes, v2_begin))
		return PROXY_BAD;
	if (bytes.len >= v2_begin.len && slice_starts(bytes, v2_begin))
		return read_v2(bytes, ret_used, ret_client);
	if (bytes.len >= v1_begin.len && slice_starts(bytes, v1_begin))
		return read_v1(bytes, ret_used, ret_client);
	return PROXY_MORE;
}
