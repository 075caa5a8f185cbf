/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored answer as it was stored, to keep or to look into:
 *
 *	GET /v1/object/export?url=URL&header=Name:value&body=1
 *
 * The answer's body is the stored answer as an HTTP/1.1 message (application/http): status line,
 * fields, body; with body=1 the body alone. The header parameters are the fields of the request
 * that it would answer: they select the variant. It streams from wherever it is, RAM or disk, at
 * the pace of who takes it, and is not judged: what is stale is given, too.
 */
#pragma once

#include "edge/admin/admin.h"
#include "edge/admin/reply.h"

void export_object(struct admin *, struct reply *) ON_LOOP;
