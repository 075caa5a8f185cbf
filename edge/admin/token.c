/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/token.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/base/arena.h"

enum { ARENA_BYTES = 8 * 1024 * 1024, LINES_TOLD = 20, SECOND_US = 1000 * 1000 };

/* ---- scopes ---- */

static const struct {
	enum grant grant;
	const char *name;
	unsigned implied; /* with itself */
} scopes[] = {
	{ GRANT_READ, "read", GRANT_READ },
	{ GRANT_PURGE_SELECT, "purge:select", GRANT_PURGE_SELECT },
	{ GRANT_PURGE_ALL, "purge:all", GRANT_PURGE_ALL | GRANT_PURGE_SELECT },
	{ GRANT_ADMIN, "admin", GRANT_ALL },
};

static unsigned grant_of(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(scopes); i++)
		if (slice_eq(name, slice_str(scopes[i].name)))
			return scopes[i].implied;
	return GRANT_NONE;
}

bool grants_parse(struct slice text, unsigned *ret_scopes)
{
	unsigned all = GRANT_NONE;
	do {
		unsigned one = grant_of(slice_take_until(&text, ','));
		if (one == GRANT_NONE)
			return false;
		all |= one;
	} while (text.len > 0);
	*ret_scopes = all;
	return true;
}

const char *grant_name(enum grant grant)
{
	for (size_t i = 0; i < COUNT_OF(scopes); i++)
		if (scopes[i].grant == grant)
			return scopes[i].name;
	return "none";
}

const char *grant_check(struct slice s)
{
	return grant_of(s) ? NULL : "is no scope; write read, purge:select, purge:all or admin";
}

/* ---- a line ---- */

static struct slice take_word(struct slice *line)
{
	slice_skip_ows(line);
	size_t len = 0;
	while (len < line->len && !is_ows(line->at[len]))
		len++;
	struct slice word = slice_first(*line, len);
	*line = slice_from(*line, len);
	return word;
}

static int hex_of(char c)
{
	char lower = ascii_lower(c);
	return is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool parse_hash(struct slice hex, unsigned char to[32])
{
	if (hex.len != 64)
		return false;
	for (size_t i = 0; i < 32; i++) {
		int high = hex_of(hex.at[2 * i]), low = hex_of(hex.at[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		to[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool parse_rate(struct slice text, uint64_t *ret)
{
	if (!slice_ends(text, SL("/s")))
		return false;
	return slice_to_u64(slice_first(text, text.len - 2), ret) && *ret > 0 &&
	    *ret <= TOKEN_RATE_MAX;
}

/* NULL, or why the line is refused. */
static const char *parse_line(struct slice line, struct token *t)
{
	struct slice name = take_word(&line), allowed = take_word(&line);
	struct slice hash = take_word(&line), rate = take_word(&line);
	*t = (struct token){ .name = name, .rate = TOKEN_RATE };
	if (!slice_is_token(name) || name.len > TOKEN_NAME_BYTES)
		return "is no name; write letters, digits, \"-\" and \"_\", 64 at most";
	if (!grants_parse(allowed, &t->scopes))
		return "has no scopes; write some of read, purge:select, purge:all and admin, with "
		       "commas between";
	if (slice_starts(hash, SL("larder_")))
		return "has the token itself; its SHA-256 belongs here, as larderctl token new "
		       "prints it, and this token is no secret any more";
	if (!parse_hash(hash, t->hash))
		return "has no SHA-256 of 64 hex digits";
	if (rate.len > 0 && !parse_rate(rate, &t->rate))
		return "has no rate; write 10/s, up to 1000000/s";
	return slice_trim(line).len ? "goes on after its rate" : NULL;
}

/* ---- a file ---- */

static void tell(struct conf_errors *errors, struct slice path, unsigned line, const char *why)
{
	if (errors->count++ >= LINES_TOLD)
		return;
	buf_addf(&errors->text, "%.*s:", SLICE_ARG(path));
	if (line)
		buf_addf(&errors->text, "%u:", line);
	buf_addf(&errors->text, " %s\n", why);
}

/* Among what the file says, where nothing is to be guessed. */
static const struct token *find_twin(const struct tokens *tokens, const unsigned char hash[32])
{
	for (size_t i = 0; i < tokens->count; i++)
		if (memcmp(tokens->at[i].hash, hash, 32) == 0)
			return &tokens->at[i];
	return NULL;
}

static struct slice first_word(struct slice line)
{
	struct slice word = take_word(&line);
	return slice_first(word, TOKEN_NAME_BYTES);
}

static void tell_line(struct conf_errors *errors, struct slice path, unsigned number,
    struct slice line, const char *why)
{
	char text[512];
	snprintf(
	    text, sizeof(text), "\"%.*s\" %s", SLICE_ARG(problem_quote(first_word(line))), why);
	tell(errors, path, number, text);
}

static void parse(
    struct tokens *tokens, struct slice text, struct slice path, struct conf_errors *errors)
{
	for (unsigned number = 1; text.len > 0; number++) {
		struct slice line = slice_trim(slice_take_line(&text));
		struct token *t = &tokens->at[tokens->count];
		if (line.len == 0 || line.at[0] == '#')
			continue;
		const char *why = parse_line(line, t);
		if (!why && find_twin(tokens, t->hash))
			why = "has the hash of a line before it";
		if (!why && tokens->count == TOKENS_MAX)
			why = "is one too many; 4096 tokens are known at most";
		if (why)
			tell_line(errors, path, number, line, why);
		else
			tokens->count++;
	}
}

/* All of a file, of which a bounded part is read. NULL = well. */
static const char *read_file(const char *path, struct buf *to)
{
	struct stat is;
	const char *why = NULL;
	/* What is no file must not hold the loop up before it is refused. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &is) != 0)
		why = strerror(errno);
	else if (!S_ISREG(is.st_mode))
		why = "is no file";
	else if (is.st_size > TOKEN_FILE_BYTES)
		why = "is larger than 1 MiB";
	for (ssize_t got = 1; !why && got > 0;) {
		char *room = buf_room(to, 64 * 1024);
		got = room ? read(fd, room, 64 * 1024) : -1;
		if (!room)
			why = "is larger than 1 MiB";
		else if (got < 0)
			why = strerror(errno);
		else
			to->len += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	return why;
}

/* What was spent of a rate is spent, however often the file is read. */
static void take_spent(struct tokens *now, const struct tokens *before)
{
	for (size_t i = 0; before && i < now->count; i++) {
		const struct token *same = find_twin(before, now->at[i].hash);
		if (!same)
			continue;
		now->at[i].spent_us = same->spent_us;
		now->at[i].at = same->at;
	}
}

/* False when it holds something that is refused. */
static bool fill(struct tokens *tokens, struct slice path, struct conf_errors *errors)
{
	struct buf text;
	unsigned problems = errors->count;
	char *name = slice_to_str(path);
	buf_init(&text, TOKEN_FILE_BYTES + 64 * 1024);
	const char *why = read_file(name, &text);
	struct slice kept = arena_copy(&tokens->arena, buf_slice(&text));
	tokens->at = arena_alloc(&tokens->arena, (TOKENS_MAX + 1) * sizeof(*tokens->at));
	if (why)
		tell(errors, path, 0, why);
	else if (!tokens->at)
		tell(errors, path, 0, "out of memory");
	else
		parse(tokens, kept, path, errors);
	buf_fini(&text);
	free(name);
	return errors->count == problems;
}

struct tokens *tokens_load(
    struct slice path, const struct tokens *before, struct conf_errors *errors)
{
	struct tokens *tokens = must_alloc(sizeof(*tokens));
	*tokens = (struct tokens){ .refs = 1 };
	arena_init(&tokens->arena, ARENA_BYTES);
	if (fill(tokens, path, errors))
		take_spent(tokens, before);
	else
		tokens_unref(&tokens);
	return tokens;
}

struct tokens *tokens_ref(struct tokens *tokens)
{
	atomic_fetch_add_explicit(&tokens->refs, 1, memory_order_relaxed);
	return tokens;
}

void tokens_unref(struct tokens **p)
{
	struct tokens *tokens = *p;
	*p = NULL;
	if (!tokens || atomic_fetch_sub_explicit(&tokens->refs, 1, memory_order_acq_rel) != 1)
		return;
	arena_fini(&tokens->arena);
	free(tokens);
}

/* ---- a request ---- */

struct token *tokens_find(struct tokens *tokens, struct slice shown)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	struct token *found = NULL;
	SHA256((const unsigned char *)shown.at, shown.len, hash);
	for (size_t i = 0; i < tokens->count; i++)
		if (CRYPTO_memcmp(tokens->at[i].hash, hash, sizeof(hash)) == 0)
			found = &tokens->at[i];
	return found;
}

int64_t token_spend(struct token *t, struct mono now)
{
	uint64_t cost = SECOND_US / t->rate;
	uint64_t passed = now.us > t->at.us ? (uint64_t)(now.us - t->at.us) : 0;
	t->spent_us = t->spent_us > passed ? t->spent_us - passed : 0;
	t->at = now;
	if (t->spent_us + cost > SECOND_US)
		return (int64_t)((t->spent_us + cost - SECOND_US + 999) / 1000);
	t->spent_us += cost;
	return 0;
}
