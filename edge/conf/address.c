/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/address.h"

#include "edge/base/ip.h"

enum { HOST_BYTES = 253, HTTP_PORT = 80, HTTPS_PORT = 443, UNIX_PATH_BYTES = 107 };

static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.at[i]);
		if (!is_digit(c) && (c < 'a' || c > 'z') && c != '-' && c != '.' && c != '_')
			return false;
	}
	return s.len > 0 && s.len <= HOST_BYTES;
}

/* Takes a host off the front: up to ':' or the end, or what stands in brackets. */
static bool take_host(struct slice *s, struct host_port *ret)
{
	struct ip ip;
	ret->is_ipv6 = slice_take_char(s, '[');
	size_t len = slice_find(*s, ret->is_ipv6 ? ']' : ':');
	ret->host = slice_first(*s, len);
	*s = slice_from(*s, len);
	if (!ret->is_ipv6)
		return is_name(ret->host);
	return slice_take_char(s, ']') && ip_parse(ret->host, &ip) &&
	    slice_find(ret->host, ':') < ret->host.len;
}

/* Reads ":port", which must be all that is left. */
static bool read_port(struct slice s, uint16_t *ret)
{
	uint64_t port;
	if (!slice_take_char(&s, ':') || !slice_to_u64(s, &port) || port == 0 || port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

bool address_of_pair(struct slice pair, struct host_port *ret)
{
	ret->is_https = false;
	return take_host(&pair, ret) && read_port(pair, &ret->port);
}

/* Takes "http://" or "https://" off the front. */
static bool take_scheme(struct slice *url, bool *ret_is_https)
{
	static const struct slice http = { "http://", 7 }, https = { "https://", 8 };
	*ret_is_https = slice_starts_nocase(*url, https);
	if (!*ret_is_https && !slice_starts_nocase(*url, http))
		return false;
	*url = slice_from(*url, *ret_is_https ? https.len : http.len);
	return true;
}

bool address_of_url(struct slice url, struct host_port *ret)
{
	if (!take_scheme(&url, &ret->is_https))
		return false;
	ret->port = ret->is_https ? HTTPS_PORT : HTTP_PORT;
	return take_host(&url, ret) && (url.len == 0 || read_port(url, &ret->port));
}

/* ---- checks ---- */

const char *address_check_url(struct slice url)
{
	struct host_port a;
	struct slice rest = url;
	if (!take_scheme(&rest, &a.is_https))
		return "has no http:// or https:// in front; write http://host:port";
	if (slice_find(rest, '/') < rest.len)
		return "goes on after the port; write http://host:port without a path";
	return address_of_url(url, &a) ? NULL
				       : "is not an address; write http://host:port, "
					 "https://127.0.0.1:8443 or http://[::1]:8080";
}

const char *address_check_admin(struct slice s)
{
	struct host_port a;
	if (slice_starts(s, SL("unix:"))) {
		size_t len = s.len - 5;
		return len > 0 && len <= UNIX_PATH_BYTES
		    ? NULL
		    : "is no path of 1 to 107 bytes; write unix:/run/larder/admin.sock";
	}
	bool is_url = slice_starts_nocase(s, SL("https://"));
	if (slice_eq(s, SL("off")) || (is_url ? address_of_url(s, &a) : address_of_pair(s, &a)))
		return NULL;
	return "is not an admin address; write 127.0.0.1:9000, https://127.0.0.1:9443, unix:/path "
	       "or off";
}

const char *address_check_block(struct slice s)
{
	struct ip_block block;
	return ip_block_parse(s, &block)
	    ? NULL
	    : "is no address or block; write 10.0.0.1, 10.0.0.0/8 or fd00::/8";
}
