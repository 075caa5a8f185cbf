/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates that a running Larder shows. */
#pragma once

#include "tools/ctl/ask.h"

enum outcome cert_list(char **args, int count);
enum outcome cert_reload(char **args, int count);
