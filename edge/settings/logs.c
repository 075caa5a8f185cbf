/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/settings/logs.h"

bool logs_open_access(
    const struct log_settings *log, struct access_log **ret, char *why, size_t why_room)
{
	*ret = NULL;
	if (slice_eq(log->access, SL("off")))
		return true;
	char *target = slice_to_str(log->access);
	enum access_format format = log->format == LOG_FORMAT_COMBINED ? ACCESS_COMBINED
								       : ACCESS_JSON;
	*ret = access_open(target, format, log->queue_bytes);
	if (!*ret)
		snprintf(why, why_room, "%s: %s", target, strerror(errno));
	free(target);
	return *ret != NULL;
}

bool logs_open_audit(
    const struct purge_settings *purge, struct audit **ret, char *why, size_t why_room)
{
	*ret = NULL;
	if (purge->audit.len == 0)
		return true;
	char *path = slice_to_str(purge->audit);
	*ret = audit_open(path, why, why_room);
	free(path);
	return *ret != NULL;
}
