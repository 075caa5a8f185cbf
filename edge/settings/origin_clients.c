/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/origin_clients.h"

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

enum err origin_clients_init(
    struct origin_clients *c, const struct conf_list *origins, char *why, size_t why_room)
{
	const struct origin_options *options = origins->at;
	char what[WHY_BYTES] = "";
	*c = (struct origin_clients){ .at = new_clients(origins->count), .count = origins->count };
	for (size_t i = 0; i < c->count; i++) {
		if (!is_secure(&options[i]))
			continue;
		enum err e = tls_client_new(&options[i].tls, &c->at[i], what, sizeof(what));
		if (e == ERR_NONE)
			continue;
		snprintf(why, why_room, "origin \"%.*s\": %s", SLICE_ARG(options[i].name),
		    e == ERR_CONF ? what : err_text(e));
		origin_clients_fini(c);
		return e;
	}
	return ERR_NONE;
}

void origin_clients_share(struct origin_clients *c, const struct origin_clients *from)
{
	*c = (struct origin_clients){ .at = new_clients(from->count), .count = from->count };
	for (size_t i = 0; i < c->count; i++)
		if (from->at[i])
			c->at[i] = tls_client_ref(from->at[i]);
}

void origin_clients_fini(struct origin_clients *c)
{
	for (size_t i = 0; i < c->count; i++)
		tls_client_unref(&c->at[i]);
	free(c->at);
	*c = (struct origin_clients){ 0 };
}
