/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of larder: a verb, files, flags. A flag that sets something is shorthand for a
 * configuration key: it becomes a line of YAML and goes through the same tables as a file, so it
 * has the same bounds, the same errors and the same documentation, and it overrides what files say.
 */
#pragma once

#include "edge/settings/settings.h"

#define LARDER_VERSION "0.1.0"
#define LARDER_CONFIG "/etc/larder/larder.yaml"

/* Exit codes that scripts may rely on. */
enum exit_code { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG };

enum verb {
	VERB_RUN,
	VERB_CHECK,
	VERB_FMT,
	VERB_DUMP,
	VERB_SCHEMA,
	VERB_VERSION,
	VERB_COUNT,
};

struct given; /* a flag as it was typed */

struct flags {
	enum verb verb;
	const char *
	    *files; /* borrowed from argv; none = LARDER_CONFIG, unless an origin is given */
	size_t file_count;
	struct given *given;
	size_t given_count;
	bool in_place;    /* fmt -w */
	bool differs;     /* fmt -d */
	bool is_defaults; /* dump --defaults */
};

enum flags_verdict {
	FLAGS_RUN,   /* go on with the verb */
	FLAGS_DONE,  /* help was shown: exit with EXIT_OK */
	FLAGS_WRONG, /* what is wrong is on stderr: exit with EXIT_USAGE */
};

/* Reads the command line; prints help and usage errors. own: flags_fini, with any verdict. */
MUST_USE enum flags_verdict flags_read(struct flags *, int argc, const char *const *argv);
void flags_fini(struct flags *);

/*
 * Loads what files and flags say; reads the files anew, so a reload calls it again. own:
 * settings_unref. fail: NULL, every problem in `errors`.
 */
struct settings *flags_settings(const struct flags *, struct conf_errors *errors);
