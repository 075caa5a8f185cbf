/* SPDX-License-Identifier: Apache-2.0 */
/* What larderctl does about access without asking a server: makes tokens, checks an audit log. */
#pragma once

#include "tools/ctl/ask.h"

struct token_options {
	const char *scopes; /* --scope; NULL = not given */
	const char *rate;   /* --rate */
};
extern struct token_options token_options;

enum outcome token_new(char **args, int count);
enum outcome audit_check(char **args, int count);
