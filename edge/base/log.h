/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error log: lines on stderr for the person who runs Larder. Only serve, admin, settings,
 * main and the transitions of health and store log; lower floors return. A line says
 * "area: what, value, consequence". error = somebody must act; warn = degraded; info = life cycle.
 *
 * A line that repeats is held back: the same format string at most ten times in ten seconds, then
 * one line that counts what was left out. Access lines are another stream (edge/serve/access).
 * thread: any.
 */
#pragma once

#include "edge/base/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are dropped. Default: info. */
void log_set_level(enum log_level);

void log_line(enum log_level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
