/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/route/security.h"

#define AT(member) offsetof(struct security, member)

static const char *const https_policies[] = { "any", "redirect", "require", NULL };
static const char *const certificate_policies[] = { "ignore", "forward", "require", NULL };

/* clang-format off */
static const struct conf_field security_fields[] = {
	{"https", CONF_WORD, AT(https), .fallback = "any", .words = https_policies,
	 .doc = "What happens to requests over plain http: they are served, sent to https by a 308, or "
		"refused with 403. A trusted proxy's X-Forwarded-Proto counts."},
	{"https-port", CONF_UINT, AT(https_port), 1, 65535, "443",
	 .doc = "The port that such a redirect names: that of the listener as clients see it."},
	{"hsts", CONF_DURATION, AT(hsts_ms), 0, CONF_DAYS(3650), "0",
	 .doc = "Sends Strict-Transport-Security over TLS: for so long browsers ask for this host by "
		"https only, and there is no way back before it is over; so begin with minutes. 0 = it "
		"is not sent."},
	{"hsts-subdomains", CONF_BOOL, AT(hsts_subdomains), .fallback = "false",
	 .doc = "Says the same for every host below this one."},
	{"hsts-preload", CONF_BOOL, AT(hsts_preload), .fallback = "false",
	 .doc = "Agrees to the list that browsers are shipped with. Needs hsts of 365d at least and "
		"hsts-subdomains."},
	{"headers", CONF_BOOL, AT(headers), .fallback = "false",
	 .doc = "Adds what an answer lacks of X-Content-Type-Options: nosniff, Referrer-Policy: "
		"strict-origin-when-cross-origin and X-Frame-Options: SAMEORIGIN. What the origin says "
		"stands."},
	{"client-certificate", CONF_WORD, AT(client_certificate), .fallback = "ignore",
	 .words = certificate_policies,
	 .doc = "Whether the origin learns of a client's certificate, in Client-Cert (RFC 9440), and "
		"whether a request without a valid one is refused with 403. Listeners must ask for it: "
		"tls.client-certificate."},
};
/* clang-format on */

const struct conf_table security_table = {
	.name = "security",
	.struct_bytes = sizeof(struct security),
	.fields = security_fields,
	.count = COUNT_OF(security_fields),
};

/* ---- field lines ---- */

/* Whether a policy, "default-src 'self'; frame-ancestors 'none'", has a directive. */
static bool has_directive(struct slice policy, struct slice name)
{
	while (policy.len > 0) {
		struct slice directive = slice_trim(slice_take_until(&policy, ';'));
		if (slice_eq_nocase(slice_take_token(&directive), name))
			return true;
	}
	return false;
}

/* CSP's frame-ancestors takes X-Frame-Options' place (CSP 3, 6.4.2): who wrote it has said all
 * there is to say about frames, and a second opinion would only puzzle old browsers. */
static bool says_who_frames(const struct fields *fields)
{
	for (uint32_t i = 0; i < fields->count; i++) {
		struct slice rest = fields->at[i].value;
		if (!slice_eq_nocase(fields->at[i].name, SL("Content-Security-Policy")))
			continue;
		while (rest.len > 0)
			if (has_directive(slice_take_until(&rest, ','), SL("frame-ancestors")))
				return true;
	}
	return false;
}

static void add_lacking(
    struct buf *out, const struct fields *fields, const char *name, const char *value)
{
	if (!fields_find_name(fields, slice_str(name)))
		buf_addf(out, "%s: %s\r\n", name, value);
}

/*
 * The part of what OWASP and Mozilla's Observatory recommend that breaks neither a page nor an API.
 * Refused: Cross-Origin-Opener-Policy, which cuts sign-in and payment windows off from their
 * opener; Cross-Origin-Resource-Policy and -Embedder-Policy, which forbid the very embedding that a
 * CDN is for; Content-Security-Policy and Permissions-Policy, which only who wrote the page can
 * know; X-XSS-Protection, which browsers dropped because it opened holes.
 */
static void add_defaults(struct buf *out, const struct fields *fields)
{
	add_lacking(out, fields, "X-Content-Type-Options", "nosniff");
	add_lacking(out, fields, "Referrer-Policy", "strict-origin-when-cross-origin");
	if (!says_who_frames(fields))
		add_lacking(out, fields, "X-Frame-Options", "SAMEORIGIN");
}

void security_lines(
    const struct security *s, bool is_secure, const struct fields *fields, struct buf *out)
{
	static const struct slice hsts = { "Strict-Transport-Security", 25 };
	/* RFC 6797 7.2: never over plain http. RFC 6797 7.1: one such field; the origin's goes
	 * first. */
	if (s->hsts_ms > 0 && is_secure && !fields_find_name(fields, hsts))
		buf_addf(out, "%.*s: max-age=%" PRIi64 "%s%s\r\n", SLICE_ARG(hsts),
		    s->hsts_ms / 1000, s->hsts_subdomains ? "; includeSubDomains" : "",
		    s->hsts_preload ? "; preload" : "");
	if (s->headers)
		add_defaults(out, fields);
}
