/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/server.h"
#include "edge/settings/verbs.h"

int main(int argc, char **argv)
{
	struct flags flags;
	enum exit_code code = EXIT_USAGE;
	switch (flags_read(&flags, argc, (const char *const *)argv)) {
	case FLAGS_RUN:
		code = flags.verb == VERB_RUN ? server_run(&flags) : verb_run_offline(&flags);
		break;
	case FLAGS_DONE: code = EXIT_OK; break;
	case FLAGS_WRONG: break;
	}
	flags_fini(&flags);
	return (int)code;
}
