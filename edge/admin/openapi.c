/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin/openapi.h"

/* The assembler takes the file as it is; the makefile knows that it does. */
__asm__(".section .rodata\n"
	"openapi_begin:\n"
	".incbin \"edge/admin/openapi.json\"\n"
	"openapi_end:\n"
	".byte 0\n"
	".previous\n");
extern const char openapi_begin[] __attribute__((visibility("hidden")));
extern const char openapi_end[] __attribute__((visibility("hidden")));

struct slice openapi_text(void)
{
	return slice_of(openapi_begin, (size_t)(openapi_end - openapi_begin));
}
