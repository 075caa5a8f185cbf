/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator says of the admin listener: where it is, and who may do what there. */
#pragma once

#include "edge/conf/load.h"

struct admin_settings {
	struct slice listen;       /* "HOST:PORT", "https://HOST:PORT", "unix:PATH" or "off" */
	struct conf_strings allow; /* addresses and blocks that may connect over TCP; none = all */
	struct slice tokens;       /* file; empty = none is asked for */
	struct slice cert, key;    /* PEM files, of https:// */
	struct slice client_ca;    /* PEM file; empty = no client certificate is asked for */
	struct conf_strings client_scopes;
};

extern const struct conf_table admin_options_table;

/* Tells what no key can say alone: https without a certificate, and the reverse. */
void admin_options_check(struct conf_load *, const struct admin_settings *);
/* What a client's certificate allows: enum grant, OR-ed. */
unsigned admin_client_scopes(const struct admin_settings *);
