/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/trust.h"

#include "edge/conf/address.h"
#include "edge/origin/options.h"

enum { WHY_BYTES = 256 };

/* All addresses of an origin say the same; the loader has checked it. */
static bool is_secure(const struct origin_options *o)
{
	struct host_port at;
	return o->addresses.count > 0 && address_of_url(o->addresses.at[0], &at) && at.is_https;
}

static struct tls_client **new_clients(size_t count)
{
	struct tls_client **clients = must_alloc((count ? count : 1) * sizeof(struct tls_client *));
	for (size_t i = 0; i < count; i++)
		clients[i] = NULL;
	return clients;
}

enum err trust_init(struct trust *t, const struct conf_list *origins, char *why, size_t why_room)
{
	const struct origin_options *options = origins->at;
	char what[WHY_BYTES] = "";
	*t = (struct trust){ .clients = new_clients(origins->count), .count = origins->count };
	for (size_t i = 0; i < t->count; i++) {
		if (!is_secure(&options[i]))
			continue;
		enum err e = tls_client_new(&options[i].tls, &t->clients[i], what, sizeof(what));
		if (e == ERR_NONE)
			continue;
		snprintf(why, why_room, "origin \"%.*s\": %s", SLICE_ARG(options[i].name),
		    e == ERR_CONF ? what : err_text(e));
		trust_fini(t);
		return e;
	}
	return ERR_NONE;
}

void trust_share(struct trust *t, const struct trust *from)
{
	*t = (struct trust){ .clients = new_clients(from->count), .count = from->count };
	for (size_t i = 0; i < t->count; i++)
		if (from->clients[i])
			t->clients[i] = tls_client_ref(from->clients[i]);
}

void trust_fini(struct trust *t)
{
	for (size_t i = 0; i < t->count; i++)
		tls_client_unref(&t->clients[i]);
	free(t->clients);
	*t = (struct trust){ 0 };
}
