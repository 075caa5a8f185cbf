/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's way through the house, from a complete head to the last byte of its answer. See
 * journey.c: it reads top to bottom.
 */
#pragma once

#include "edge/serve/worker.h"

/* What a worker's front hands requests to. */
extern const struct stream_events journey_events;
