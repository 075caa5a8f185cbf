/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/msg.h"

enum method method_of(struct slice name)
{
	static const struct slice names[METHOD_OTHER] = {
		[METHOD_GET] = { "GET", 3 },
		[METHOD_HEAD] = { "HEAD", 4 },
		[METHOD_POST] = { "POST", 4 },
		[METHOD_PUT] = { "PUT", 3 },
		[METHOD_DELETE] = { "DELETE", 6 },
		[METHOD_OPTIONS] = { "OPTIONS", 7 },
		[METHOD_PATCH] = { "PATCH", 5 },
		[METHOD_CONNECT] = { "CONNECT", 7 },
		[METHOD_TRACE] = { "TRACE", 5 },
	};
	unsigned method = METHOD_GET;
	while (method < METHOD_OTHER && !slice_eq(name, names[method]))
		method++;
	return method;
}

bool method_is_safe(enum method method)
{
	return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS ||
	    method == METHOD_TRACE;
}

bool method_is_idempotent(enum method method)
{
	return method_is_safe(method) || method == METHOD_PUT || method == METHOD_DELETE;
}

/* long: a table of names */
struct slice status_reason(uint16_t status)
{
	switch (status) {
	case 100: return SL("Continue");
	case 101: return SL("Switching Protocols");
	case 102: return SL("Processing");
	case 103: return SL("Early Hints");
	case 200: return SL("OK");
	case 201: return SL("Created");
	case 202: return SL("Accepted");
	case 203: return SL("Non-Authoritative Information");
	case 204: return SL("No Content");
	case 205: return SL("Reset Content");
	case 206: return SL("Partial Content");
	case 207: return SL("Multi-Status");
	case 208: return SL("Already Reported");
	case 226: return SL("IM Used");
	case 300: return SL("Multiple Choices");
	case 301: return SL("Moved Permanently");
	case 302: return SL("Found");
	case 303: return SL("See Other");
	case 304: return SL("Not Modified");
	case 305: return SL("Use Proxy");
	case 307: return SL("Temporary Redirect");
	case 308: return SL("Permanent Redirect");
	case 400: return SL("Bad Request");
	case 401: return SL("Unauthorized");
	case 402: return SL("Payment Required");
	case 403: return SL("Forbidden");
	case 404: return SL("Not Found");
	case 405: return SL("Method Not Allowed");
	case 406: return SL("Not Acceptable");
	case 407: return SL("Proxy Authentication Required");
	case 408: return SL("Request Timeout");
	case 409: return SL("Conflict");
	case 410: return SL("Gone");
	case 411: return SL("Length Required");
	case 412: return SL("Precondition Failed");
	case 413: return SL("Content Too Large");
	case 414: return SL("URI Too Long");
	case 415: return SL("Unsupported Media Type");
	case 416: return SL("Range Not Satisfiable");
	case 417: return SL("Expectation Failed");
	case 421: return SL("Misdirected Request");
	case 422: return SL("Unprocessable Content");
	case 423: return SL("Locked");
	case 424: return SL("Failed Dependency");
	case 425: return SL("Too Early");
	case 426: return SL("Upgrade Required");
	case 428: return SL("Precondition Required");
	case 429: return SL("Too Many Requests");
	case 431: return SL("Request Header Fields Too Large");
	case 451: return SL("Unavailable For Legal Reasons");
	case 500: return SL("Internal Server Error");
	case 501: return SL("Not Implemented");
	case 502: return SL("Bad Gateway");
	case 503: return SL("Service Unavailable");
	case 504: return SL("Gateway Timeout");
	case 505: return SL("HTTP Version Not Supported");
	case 506: return SL("Variant Also Negotiates");
	case 507: return SL("Insufficient Storage");
	case 508: return SL("Loop Detected");
	case 511: return SL("Network Authentication Required");
	default: return SL("");
	}
}

bool status_has_no_body(uint16_t status)
{
	return status < 200 || status == 204 || status == 304;
}

bool status_is_heuristic(uint16_t status)
{
	switch (status) {
	case 200:
	case 203:
	case 204:
	case 206:
	case 300:
	case 301:
	case 308:
	case 404:
	case 405:
	case 410:
	case 414:
	case 501: return true; /* RFC 9110 15.1 */
	default: return false;
	}
}

bool status_is_understood(uint16_t status)
{
	/* RFC 9111 5.2.2.3: a status has no rule of caching that the house does not keep, if the
	 * house knows the status at all. */
	return status >= 200 && status_reason(status).len > 0;
}
