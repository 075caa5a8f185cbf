/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running server: brings everything up in order, reloads, and takes it down again.
 *
 *	up     limits, listeners (while still root), pid file, user, store, log, workers, admin, ready
 *	down   fast (TERM, INT): close everything; graceful (QUIT): no new connections, answers under
 *	       way finish or the deadline comes; then the store is written out
 *	HUP    the configuration is loaded anew and swapped whole, or refused whole
 *	USR1   the access log is opened anew
 */
#pragma once

#include "edge/settings/flags.h"

/* Runs until it is told to stop. Returns the process's exit code. */
enum exit_code server_run(const struct flags *);
