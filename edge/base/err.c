/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/err.h"

#include <ctype.h>

static const struct {
	char name[24];
	const char *text;
	const char *proxy_error;
	uint16_t status;
	enum err_blame blame;
} table[ERR_COUNT] = {
#define X(name, blame, status, proxy_error, text)                                                  \
	{ #name, text, proxy_error, status, BLAME_##blame },
	ERRS(X)
#undef X
};

/* The table's names as tokens: made once, before main, so that no thread ever sees half of one. */
static char tokens[ERR_COUNT][24];

__attribute__((constructor)) static void make_tokens(void)
{
	for (size_t i = 0; i < ERR_COUNT; i++)
		for (size_t j = 0; table[i].name[j]; j++)
			tokens[i][j] = table[i].name[j] == '_' ? '-'
							       : (char)tolower(table[i].name[j]);
}

const char *err_name(enum err e)
{
	return tokens[e];
}

const char *err_text(enum err e)
{
	return table[e].text;
}

const char *err_proxy_error(enum err e)
{
	return table[e].proxy_error;
}

uint16_t err_status(enum err e)
{
	return table[e].status;
}

enum err_blame err_blame(enum err e)
{
	return table[e].blame;
}
