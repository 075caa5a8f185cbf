/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/openapi.json: what the admin listener can be asked for, as OpenAPI 3.1. */
#pragma once

#include "edge/admin/reply.h"

/* The description: openapi.json, as it was when Larder was built. Static. */
struct slice openapi_text(void);
