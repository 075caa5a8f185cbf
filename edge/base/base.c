/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/base/base.h"

#include <unistd.h>

struct role on_loop, on_worker;

static _Thread_local struct {
	const char *step;
	const char *text;
	size_t len;
} context;

void must_context(const char *step, const char *text, size_t len)
{
	context.step = step;
	context.text = text;
	context.len = len;
}

_Noreturn COLD void must_fail(const char *expr, const char *file, int line)
{
	fprintf(stderr, "bug: %s:%d: %s does not hold; step %s, about %.*s\n", file, line, expr,
	    context.step ? context.step : "-", (int)context.len, context.text ? context.text : "");
	fflush(stderr);
	abort();
}

void *must_alloc(size_t bytes)
{
	void *p = malloc(bytes);
	must(p != NULL);
	return p;
}
