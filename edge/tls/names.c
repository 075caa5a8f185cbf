/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/names.h"

/* A name of one certificate, before those of one name are put together. */
struct claim {
	struct slice name;
	size_t order; /* of the certificate */
	const struct cert *cert;
};

static enum name_kind kind_of(const struct cert *c)
{
	switch (c->key_type) {
	case EVP_PKEY_EC: return NAME_EC;
	case EVP_PKEY_RSA: return NAME_RSA;
	default: must(c->key_type == EVP_PKEY_ED25519); return NAME_ED25519;
	}
}

static void take_in(struct tls_named *named, const struct cert *c)
{
	const struct cert **place = &named->certs[kind_of(c)];
	if (!*place)
		*place = c;
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int by_name = slice_cmp(x->name, y->name);
	return by_name ? by_name : (x->order > y->order) - (x->order < y->order);
}

static size_t collect(struct cert *const *certs, size_t count, struct claim *to)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < certs[i]->name_count; j++)
			to[n++] = (struct claim){ certs[i]->names[j], i, certs[i] };
	qsort(to, n, sizeof(*to), compare_claims);
	return n;
}

static void merge(struct tls_names *names, const struct claim *claims, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || !slice_eq(claims[i - 1].name, claims[i].name))
			names->at[names->count++].name = claims[i].name;
		take_in(&names->at[names->count - 1], claims[i].cert);
	}
}

static const struct tls_named *find_exactly(const struct tls_names *names, struct slice name)
{
	size_t low = 0, high = names->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_cmp(names->at[middle].name, name);
		if (order == 0)
			return &names->at[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The default has an EC beside an RSA certificate too, when both stand for the same name. */
static void choose_fallback(struct tls_names *names, const struct cert *first)
{
	const struct tls_named *named = first->name_count ? find_exactly(names, first->names[0])
							  : NULL;
	if (named)
		names->fallback = *named;
	else
		take_in(&names->fallback, first);
	names->fallback.name = SLICE_NONE;
}

enum err tls_names_new(struct cert *const *certs, size_t count, struct tls_names **ret)
{
	size_t most = 0;
	for (size_t i = 0; i < count; i++)
		most += certs[i]->name_count;
	/* One more, so that a certificate without a name asks for no empty array. */
	struct claim *claims = calloc(most + 1, sizeof(*claims));
	struct tls_names *names = calloc(1, sizeof(*names) + most * sizeof(names->at[0]));
	bool well = claims && names;
	if (well) {
		merge(names, claims, collect(certs, count, claims));
		choose_fallback(names, certs[0]);
		*ret = names;
	} else {
		free(names);
	}
	free(claims);
	return well ? ERR_NONE : ERR_NO_MEMORY;
}

const struct tls_named *tls_names_find(const struct tls_names *names, struct slice host)
{
	const struct tls_named *found = find_exactly(names, host);
	size_t dot = slice_find(host, '.');
	char wildcard[NAME_ROOM];
	if (found || dot == 0 || dot == host.len || host.len - dot + 1 > sizeof(wildcard))
		return found;
	wildcard[0] = '*';
	memcpy(wildcard + 1, host.at + dot, host.len - dot);
	return find_exactly(names, slice_of(wildcard, host.len - dot + 1));
}

void tls_names_free(struct tls_names **p)
{
	free(*p);
	*p = NULL;
}

struct slice tls_name_of(const char *asked, char room[NAME_ROOM])
{
	struct slice name = slice_str(asked);
	if (slice_ends(name, SL(".")))
		name.len--;
	if (name.len == 0 || name.len >= NAME_ROOM)
		return SLICE_NONE;
	for (size_t i = 0; i < name.len; i++) {
		char c = room[i] = ascii_lower(name.at[i]);
		if (!is_digit(c) && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.' &&
		    c != ':')
			return SLICE_NONE;
	}
	room[name.len] = '\0';
	return slice_of(room, name.len);
}
