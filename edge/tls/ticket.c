/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include "edge/tls/pem.h"

enum { KEYS = 3, KEY_BYTES = 80, HEX_DIGITS = 2 * KEY_BYTES, IV_BYTES = 16, SECRET_BYTES = 32 };

struct key {
	unsigned char name[16];
	unsigned char hmac[SECRET_BYTES];
	unsigned char aes[SECRET_BYTES];
};
_Static_assert(sizeof(struct key) == KEY_BYTES, "a line of a file is one key");

struct key_set {
	struct key at[KEYS]; /* newest first */
	unsigned count;      /* at least one */
};

struct tickets {
	EVP_CIPHER *cipher; /* fixed after tickets_new: found once, not at each handshake */
	struct lock lock;
	struct key_set set; /* under lock */
};

/* ---- the keys, under their lock ---- */

static void swap_in(struct tickets *t, const struct key_set *set)
{
	lock_take(&t->lock);
	t->set = *set;
	lock_drop(&t->lock);
}

static void push(struct tickets *t, const struct key *newest)
{
	lock_take(&t->lock);
	memmove(&t->set.at[1], &t->set.at[0], (KEYS - 1) * sizeof(t->set.at[0]));
	t->set.at[0] = *newest;
	t->set.count += t->set.count < KEYS;
	lock_drop(&t->lock);
}

static struct key copy_newest(struct tickets *t)
{
	lock_take(&t->lock);
	struct key key = t->set.at[0];
	lock_drop(&t->lock);
	return key;
}

/* Copies the key of a name. Returns its place; KEYS when there is none. */
static unsigned copy_named(struct tickets *t, const unsigned char *name, struct key *ret)
{
	unsigned i = 0;
	lock_take(&t->lock);
	while (i < t->set.count && memcmp(t->set.at[i].name, name, sizeof(ret->name)) != 0)
		i++;
	unsigned place = i < t->set.count ? i : KEYS;
	if (place < KEYS)
		*ret = t->set.at[place];
	lock_drop(&t->lock);
	return place;
}

/* ---- sealing and opening ---- */

static bool set_mac(EVP_MAC_CTX *mac, const struct key *key)
{
	struct key copy = *key; /* OSSL_PARAM takes no pointer to const */
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, copy.hmac, sizeof(copy.hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	bool well = EVP_MAC_CTX_set_params(mac, params) == 1;
	OPENSSL_cleanse(&copy, sizeof(copy));
	return well;
}

/* OpenSSL's numbers: 1 = sealed, -1 = the handshake fails. */
static int seal(struct tickets *t, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac)
{
	struct key key = copy_newest(t);
	memcpy(name, key.name, sizeof(key.name));
	bool well = RAND_bytes(iv, IV_BYTES) == 1 &&
	    EVP_EncryptInit_ex2(cipher, t->cipher, key.aes, iv, NULL) == 1 && set_mac(mac, &key);
	OPENSSL_cleanse(&key, sizeof(key));
	return well ? 1 : -1;
}

/* OpenSSL's numbers: 0 = not ours, a full handshake; 1 = opened; 2 = opened, and to be renewed. */
static int open_with(struct tickets *t, const unsigned char *name, const unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct key key;
	unsigned place = copy_named(t, name, &key);
	if (place == KEYS)
		return 0;
	bool well = EVP_DecryptInit_ex2(cipher, t->cipher, key.aes, iv, NULL) == 1 &&
	    set_mac(mac, &key);
	OPENSSL_cleanse(&key, sizeof(key));
	if (!well)
		return -1;
	return place == 0 ? 1 : 2;
}

/* ---- OpenSSL's way in ---- */

static int context_index;

static void make_index(void)
{
	context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	must(context_index >= 0);
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_sealing)
{
	struct tickets *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index);
	return is_sealing ? seal(t, name, iv, cipher, mac) : open_with(t, name, iv, cipher, mac);
}

void tickets_serve(struct tickets *t, SSL_CTX *context)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_index);
	must(SSL_CTX_set_ex_data(context, context_index, t) == 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

/* ---- life ---- */

static enum err make_key(struct key *key)
{
	if (RAND_priv_bytes((unsigned char *)key, sizeof(*key)) == 1)
		return ERR_NONE;
	ERR_clear_error();
	return ERR_SYSTEM;
}

enum err tickets_new(struct tickets **ret)
{
	struct tickets *t = calloc(1, sizeof(*t));
	if (!t)
		return ERR_NO_MEMORY;
	lock_init(&t->lock);
	t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	t->set.count = 1;
	enum err e = t->cipher ? make_key(&t->set.at[0]) : ERR_SYSTEM;
	if (e)
		tickets_free(&t);
	else
		*ret = t;
	return e;
}

void tickets_free(struct tickets **p)
{
	struct tickets *t = *p;
	*p = NULL;
	if (!t)
		return;
	EVP_CIPHER_free(t->cipher);
	lock_fini(&t->lock);
	OPENSSL_cleanse(&t->set, sizeof(t->set));
	free(t);
}

enum err tickets_rotate(struct tickets *t)
{
	struct key key;
	enum err e = make_key(&key);
	if (!e)
		push(t, &key);
	OPENSSL_cleanse(&key, sizeof(key));
	return e;
}

/* ---- a file of keys ---- */

static int nibble(char c)
{
	c = ascii_lower(c);
	if (is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct slice line, unsigned char *to)
{
	for (size_t i = 0; i + 1 < line.len; i += 2) {
		int high = nibble(line.at[i]), low = nibble(line.at[i + 1]);
		if (high < 0 || low < 0)
			return false;
		to[i / 2] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool is_in(const struct key_set *set, const struct key *key)
{
	for (unsigned i = 0; i < set->count; i++)
		if (memcmp(set->at[i].name, key->name, sizeof(key->name)) == 0)
			return true;
	return false;
}

static enum err add_line(
    struct key_set *set, struct slice line, const char *path, unsigned at, struct why why)
{
	struct key key;
	if (set->count == KEYS)
		return why_conf(why, "%s:%u: more than %d keys; leave the newest", path, at, KEYS);
	if (line.len != HEX_DIGITS || !read_hex(line, (unsigned char *)&key))
		return why_conf(why,
		    "%s:%u: not %d hex digits; write one with: openssl rand -hex %d", path, at,
		    HEX_DIGITS, KEY_BYTES);
	if (is_in(set, &key))
		return why_conf(
		    why, "%s:%u: a key of this name is there already; write each once", path, at);
	set->at[set->count++] = key;
	OPENSSL_cleanse(&key, sizeof(key));
	return ERR_NONE;
}

static enum err add_lines(struct key_set *set, struct slice text, const char *path, struct why why)
{
	enum err e = ERR_NONE;
	for (unsigned at = 1; text.len > 0 && !e; at++)
		e = add_line(set, slice_take_until(&text, '\n'), path, at, why);
	if (!e && set->count == 0)
		e = why_conf(
		    why, "%s: no key in it; write one with: openssl rand -hex %d", path, KEY_BYTES);
	return e;
}

/* Reads no more than a file of keys can have, and some, so that one more line is seen. */
static enum err read_text(
    const char *path, char *text, size_t room, size_t *ret_len, struct why why)
{
	FILE *file = fopen(path, "re");
	struct stat about;
	if (!file)
		return why_conf(why, "%s: cannot be read: %s", path, strerror(errno));
	setvbuf(file, NULL, _IONBF, 0); /* no copy of the keys is left behind */
	*ret_len = fread(text, 1, room, file);
	bool well = !ferror(file) && fstat(fileno(file), &about) == 0;
	int error = errno;
	(void)fclose(file);
	if (!well)
		return why_conf(why, "%s: cannot be read: %s", path, strerror(error));
	if (about.st_mode & (S_IROTH | S_IWOTH))
		(void)why_conf(why, "%s: others can read or write it; chmod 600 %s", path, path);
	return ERR_NONE;
}

enum err tickets_read(struct tickets *t, const char *path, char *why_at, size_t why_room)
{
	struct why why = { why_at, why_room };
	char text[(KEYS + 1) * (HEX_DIGITS + 1)];
	struct key_set set = { .count = 0 };
	size_t len = 0;
	snprintf(why_at, why_room, "%s", "");
	enum err e = read_text(path, text, sizeof(text), &len, why);
	if (!e)
		e = add_lines(&set, slice_of(text, len), path, why);
	if (!e)
		swap_in(t, &set);
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(&set, sizeof(set));
	return e;
}
