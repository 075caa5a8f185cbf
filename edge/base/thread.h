/* SPDX-License-Identifier: Apache-2.0 */
/* How threads of ours begin, and wait by the clock that never jumps. */
#pragma once

#include "edge/base/base.h"

/* Starts a thread with all signals blocked: they belong to the control loop. own: pthread_join. */
bool thread_start(pthread_t *, void *(*run)(void *), void *arg);

/* A condition whose timed waits take moments of CLOCK_MONOTONIC. own: pthread_cond_destroy. */
void cond_init_mono(pthread_cond_t *);
