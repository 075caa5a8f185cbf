/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens what the settings say is written: access lines, the audit of purges. False: one line in
 * `why`. Where none is wanted, true and NULL. own: access_close, audit_close.
 */
#pragma once

#include "edge/serve/access.h"
#include "edge/settings/settings.h"
#include "purge/audit.h"

bool logs_open_access(
    const struct log_settings *, struct access_log **ret, char *why, size_t why_room);
bool logs_open_audit(const struct purge_settings *, struct audit **ret, char *why, size_t why_room);
