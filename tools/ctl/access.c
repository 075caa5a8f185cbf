/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/access.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "purge/audit.h"

enum { SECRET_BYTES = 32, BASE64_BYTES = 48, NAME_MOST = 64 };

struct token_options token_options;

/* ---- token new ---- */

/* "larder_" and 256 random bits in base64url, which any header and shell takes as it is. */
static void make_token(char to[64])
{
	unsigned char secret[SECRET_BYTES];
	char text[BASE64_BYTES];
	if (RAND_bytes(secret, sizeof(secret)) != 1)
		give_up(OUTCOME_FAILED, "no randomness for a token");
	EVP_EncodeBlock((unsigned char *)text, secret, sizeof(secret));
	for (char *c = text; *c; c++)
		*c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
	text[strcspn(text, "=")] = '\0';
	snprintf(to, 64, "larder_%s", text);
}

static void hash_token(const char *token, char to[2 * SHA256_DIGEST_LENGTH + 1])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)token, strlen(token), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(to + 2 * i, 3, "%02x", sum[i]);
}

static void check_scopes(const char *text)
{
	static const char *const known[] = { "read", "purge:select", "purge:all", "admin" };
	struct slice rest = slice_str(text);
	do {
		struct slice one = slice_take_until(&rest, ',');
		bool is_known = false;
		for (size_t i = 0; i < COUNT_OF(known); i++)
			is_known |= slice_eq(one, slice_str(known[i]));
		if (!is_known)
			give_up(OUTCOME_USAGE,
			    "--scope %s: write some of read, purge:select, purge:all and admin, "
			    "with commas between",
			    text);
	} while (rest.len > 0);
}

static void check_rate(const char *text)
{
	struct slice s = slice_str(text);
	uint64_t rate = 0;
	if (!slice_ends(s, SL("/s")) || !slice_to_u64(slice_first(s, s.len - 2), &rate) ||
	    rate == 0 || rate > 1000 * 1000)
		give_up(OUTCOME_USAGE, "--rate %s: write 10/s, up to 1000000/s", text);
}

enum outcome token_new(char **args, int count)
{
	const struct token_options *o = &token_options;
	char token[64], hash[2 * SHA256_DIGEST_LENGTH + 1];
	if (count != 1 || !o->scopes)
		give_up(OUTCOME_USAGE, "write larderctl token new NAME --scope purge:select,read");
	if (!slice_is_token(slice_str(args[0])) || strlen(args[0]) > NAME_MOST)
		give_up(OUTCOME_USAGE, "%s is no name; write letters, digits, - and _", args[0]);
	check_scopes(o->scopes);
	if (o->rate)
		check_rate(o->rate);
	make_token(token);
	hash_token(token, hash);
	const char *gap = o->rate ? " " : "", *rate = o->rate ? o->rate : "";
	if (wants_json) {
		printf("{\"token\":\"%s\",\"line\":\"%s %s %s%s%s\"}\n", token, args[0], o->scopes,
		    hash, gap, rate);
		return OUTCOME_OK;
	}
	printf("%s\n", token);
	/* As comment and line, so that stderr may be appended to the file as it is. */
	fprintf(stderr,
	    "# On stdout is the token, shown this once. For the file that `admin: tokens:` names:\n"
	    "%s %s %s%s%s\n",
	    args[0], o->scopes, hash, gap, rate);
	return OUTCOME_OK;
}

/* ---- audit verify ---- */

static void show_json(const struct audit_verdict *v)
{
	json_t *told = json_pack("{s:b, s:I, s:s}", "ok", v->is_whole && v->has_anchor, "lines",
	    (json_int_t)v->lines, "head", v->head);
	if (!v->is_whole) {
		json_object_set_new(told, "bad_line", json_integer((json_int_t)v->lines + 1));
		json_object_set_new(told, "why", json_string(v->why));
	} else if (!v->has_anchor) {
		json_object_set_new(told, "why", json_string("the hash is of none of its lines"));
	}
	json_dumpf(told, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(told);
}

static void show_text(const struct audit_verdict *v, const char *path)
{
	if (!v->is_whole)
		fprintf(stderr, "%s:%" PRIu64 ": this line %s\n", path, v->lines + 1, v->why);
	else if (!v->has_anchor)
		fprintf(stderr,
		    "%s: the hash is of none of its lines: the log was cut short or written anew\n",
		    path);
	else
		printf("%s: %" PRIu64 " lines, each follows from the one before it\n%s\n", path,
		    v->lines, v->head);
}

enum outcome audit_check(char **args, int count)
{
	struct audit_verdict v;
	if (count < 1 || count > 2)
		give_up(OUTCOME_USAGE, "write larderctl audit verify FILE [HASH]");
	if (!audit_verify(args[0], count > 1 ? args[1] : NULL, &v))
		give_up(OUTCOME_FAILED, "%s: %s", args[0], strerror(errno));
	if (wants_json)
		show_json(&v);
	else
		show_text(&v, args[0]);
	return v.is_whole && v.has_anchor ? OUTCOME_OK : OUTCOME_FAILED;
}
