/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/certs.h"

#include <time.h>

#include "edge/base/log.h"

/* ---- what there is ---- */

/* One certificate that a listener shows. */
struct shown {
	const struct cert *cert;
	struct slice listener;
};

/* All of them, in the order of the settings. own: the caller frees. */
static struct shown *gather(const struct premises *p, size_t *ret_count)
{
	size_t count = 0;
	for (size_t i = 0; i < p->entrance_count; i++)
		count += p->entrances[i].tls ? p->entrances[i].tls->cert_count : 0;
	struct shown *all = must_alloc((count + 1) * sizeof(*all));
	*ret_count = 0;
	for (size_t i = 0; i < p->entrance_count; i++) {
		const struct tls_server *tls = p->entrances[i].tls;
		for (size_t c = 0; tls && c < tls->cert_count; c++)
			all[(*ret_count)++] = (struct shown){ tls->certs[c], p->addresses[i] };
	}
	return all;
}

static const char *key_name(int type)
{
	switch (type) {
	case EVP_PKEY_RSA: return "RSA";
	case EVP_PKEY_EC: return "ECDSA";
	case EVP_PKEY_ED25519: return "Ed25519";
	default: return "other";
	}
}

/* ---- the list ---- */

static void add_moment(struct buf *to, const char *name, struct wall at)
{
	time_t seconds = (time_t)(at.ms / 1000);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	buf_addf(to, ",\"%s\":\"%04d-%02d-%02dT%02d:%02d:%02dZ\"", name, tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void add_text(struct buf *to, const char *name, struct slice value)
{
	buf_addf(to, ",\"%s\":", name);
	buf_add_json(to, value);
}

static void add_cert(struct buf *to, const struct shown *shown, struct wall now)
{
	const struct cert *cert = shown->cert;
	const char *comma = "";
	buf_add(to, SL("{\"names\":["));
	for (size_t i = 0; i < cert->name_count; i++) {
		buf_add(to, slice_str(comma));
		buf_add_json(to, cert->names[i]);
		comma = ",";
	}
	buf_add_char(to, ']');
	add_text(to, "subject", slice_str(cert->subject));
	add_text(to, "listener", shown->listener);
	add_text(to, "path", slice_str(cert->path));
	add_text(to, "key", slice_str(key_name(cert->key_type)));
	add_moment(to, "not_before", cert->not_before);
	add_moment(to, "not_after", cert->not_after);
	buf_addf(to, ",\"days_left\":%" PRId64, cert_days_left(cert, now));
	add_text(to, "fingerprint", slice_str(cert->fingerprint));
	buf_add_char(to, '}');
}

void certs_list(struct buf *to, const struct premises *p, struct wall now)
{
	size_t count;
	struct shown *all = gather(p, &count);
	buf_add(to, SL("{\"certificates\":["));
	for (size_t i = 0; i < count; i++) {
		buf_add(to, i > 0 ? SL(",\n") : SL("\n"));
		add_cert(to, &all[i], now);
	}
	buf_add(to, SL("\n]}\n"));
	free(all);
}

/* ---- the metric ---- */

/* A label's value. Quotes, backslashes and what is not ASCII are in no name or path worth having,
 * and would need an escape that differs from format to format. */
static void add_label(struct buf *to, const char *name, struct slice value)
{
	buf_addf(to, "%s%s=\"", to->len > 0 ? "," : "", name);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];
		buf_add_char(to, c < ' ' || c > '~' || c == '"' || c == '\\' ? '_' : (char)c);
	}
	buf_add_char(to, '"');
}

static int by_labels(const void *left, const void *right)
{
	const struct metrics_sample *a = left, *b = right;
	return slice_cmp(a->labels, b->labels);
}

/* Sorts, and drops what would be the same series twice. Returns how many are left. */
static size_t arrange(struct metrics_sample *samples, size_t count)
{
	size_t kept = 0;
	qsort(samples, count, sizeof(*samples), by_labels);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !slice_eq(samples[kept - 1].labels, samples[i].labels))
			samples[kept++] = samples[i];
	return kept;
}

void certs_meter(struct metrics *m, const struct premises *p)
{
	size_t count;
	struct shown *all = gather(p, &count);
	struct metrics_sample *samples = must_alloc((count + 1) * sizeof(*samples));
	struct arena arena;
	struct buf labels;
	arena_init(&arena, 64 * MIB);
	buf_init(&labels, 0);
	for (size_t i = 0; i < count; i++) {
		const struct cert *cert = all[i].cert;
		buf_clear(&labels);
		add_label(&labels, "listener", all[i].listener);
		add_label(&labels, "name", slice_str(cert->subject));
		add_label(&labels, "path", slice_str(cert->path));
		int64_t end_s = cert->not_after.ms / 1000;
		samples[i] = (struct metrics_sample){
			arena_copy(&arena, buf_slice(&labels)),
			end_s > 0 ? (uint64_t)end_s : 0,
		};
	}
	metrics_set_passing(m, "tls_certificate_expiry_timestamp_seconds",
	    "When a certificate ends, Unix time.", samples, arrange(samples, count));
	buf_fini(&labels);
	arena_fini(&arena);
	free(samples);
	free(all);
}

/* ---- warnings ---- */

static const int64_t stages_days[] = { 30, 7, 1, 0 };

/* How many of its warnings are due. */
static unsigned stage_of(int64_t days_left)
{
	unsigned stage = 0;
	while (stage < COUNT_OF(stages_days) && days_left < stages_days[stage])
		stage++;
	return stage;
}

static unsigned stage_told(const struct certs_warned *w, const char *fingerprint)
{
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->at[i].fingerprint, fingerprint) == 0)
			return w->at[i].stage;
	return 0;
}

static void warn(const struct shown *shown, int64_t days_left)
{
	const struct cert *cert = shown->cert;
	if (days_left < 0)
		log_error("tls: certificate %s of %s has expired, clients refuse it: renew it",
		    cert->path, cert->subject);
	else
		log_warn("tls: certificate %s of %s expires in %" PRId64 " day%s: renew it",
		    cert->path, cert->subject, days_left, days_left == 1 ? "" : "s");
}

void certs_warn(struct certs_warned *w, const struct premises *p, struct wall now)
{
	size_t count;
	struct shown *all = gather(p, &count);
	/* Only those in force are remembered: what was replaced is forgotten. */
	struct certs_warned next = { must_alloc((count + 1) * sizeof(*next.at)), 0 };
	for (size_t i = 0; i < count; i++) {
		const struct cert *cert = all[i].cert;
		int64_t days_left = cert_days_left(cert, now);
		struct certs_warning warning = { .stage = stage_of(days_left) };
		memcpy(warning.fingerprint, cert->fingerprint, sizeof(warning.fingerprint));
		bool is_twin = stage_told(&next, cert->fingerprint) > 0;
		if (!is_twin && warning.stage > stage_told(w, cert->fingerprint))
			warn(&all[i], days_left);
		next.at[next.count++] = warning;
	}
	free(w->at);
	free(all);
	*w = next;
}

void certs_warned_fini(struct certs_warned *w)
{
	free(w->at);
	*w = (struct certs_warned){ 0 };
}
