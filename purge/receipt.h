/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a purge: when it took force, what it was for, and what came of it so far. */
#pragma once

#include "purge/order.h"
#include "purge/survey.h"

/* How a purge fared: what is known by now. */
struct receipt {
	uint64_t seq, number;
	struct wall at;
	int64_t disk_us;
	enum purge_mode mode;
	size_t scopes;
	bool has_pattern, is_swept; /* is_swept: its pattern is not needed any more */
	bool has_audit, is_audited; /* has_audit: a line of it should be in the audit log */
	bool wants_refresh, is_queued;
	char actor[64], reason[256], deploy_id[64]; /* cut, if need be */
	/* what it matched */
	bool is_counted, is_partial; /* is_partial: the disk could not be read */
	bool is_skipped;             /* too many purges at a time: it is not counted */
	uint64_t objects, variants, bytes;
	char samples[SURVEY_SAMPLES][SURVEY_SAMPLE_BYTES];
	unsigned sample_count;
	/* the refresh */
	uint64_t queued, refreshed, failed;
};

/* Whether there is nothing to wait for any more: it was counted, and what was queued was
 * refreshed. */
bool receipt_is_final(const struct receipt *);
/* Writes what an order would do, as JSON: of a survey of all that stands. */
void preview_write(const struct order *, const struct survey *, struct buf *);
/* Writes what an entry of the log says, as far as a receipt knows it. */
void receipt_write_entry(const struct receipt *, struct buf *);
/* Writes a receipt as JSON. */
void receipt_write(const struct receipt *, struct buf *);
