/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory there is for this process, and how much it takes. thread: any. */
#pragma once

#include "edge/base/base.h"

/* Bytes of the machine, or of the control group (version 1 or 2) that the process is in, if that
 * has less. */
uint64_t memory_there_is(void);
/* Bytes of the process in RAM; 0 when the system does not tell. */
uint64_t memory_resident(void);
