/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of larder that work on files and end: check, fmt, dump, schema, version. What was asked
 * for goes to stdout, what is wrong to stderr.
 */
#pragma once

#include "edge/settings/flags.h"

/* Does any verb but VERB_RUN. Returns the exit code. */
enum exit_code verb_run_offline(const struct flags *);

/* Shows problems on stderr and how many they are; frees them. Returns EXIT_CONFIG. */
enum exit_code verb_refuse(struct conf_errors *);
