/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ${NAME} in values: secrets and addresses that a container or a service manager passes in. A
 * variable that is not set is an error, never an empty value: the server that starts with an empty
 * password does more harm than the one that does not start. "$${" stands for a plain "${".
 */
#pragma once

#include "edge/base/arena.h"

enum env_verdict {
	ENV_OK,
	ENV_MALFORMED, /* "${" without a name and "}" */
	ENV_UNSET,
};

/*
 * Fills in variables. ret_text lives in the arena, or is `raw` when there is nothing to fill in.
 * ret_name: with ENV_UNSET, the variable.
 */
enum env_verdict env_expand(
    struct slice raw, struct arena *, struct slice *ret_text, struct slice *ret_name);
