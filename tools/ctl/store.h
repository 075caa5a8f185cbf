/* SPDX-License-Identifier: Apache-2.0 */
/* How the store of a running Larder does, on one screen. */
#pragma once

#include "tools/ctl/ask.h"

enum outcome store_stat(char **args, int count);
