/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ails the store, in one word each: found in the failure's own words, shown in metrics and the
 * log, with a line that says what to do about it.
 */
#pragma once

#include "edge/base/err.h"

/* X(name, word, heals, what to do). heals: writing mostly works again by itself once the cause is
 * gone; after any other failed write RocksDB refuses all others until it was closed and opened. */
/* clang-format off */
#define TROUBLES(X) \
	X(NONE,       "",             true,  "nothing") \
	X(FULL,       "full",         true,  "make room on its disk") \
	X(READ_ONLY,  "read-only",    false, "its file system is mounted read-only: see why, and remount it") \
	X(PERMISSION, "permission",   false, "give its directory and all in it to the user that Larder runs as") \
	X(MISSING,    "missing",      false, "make its directory, or mount what should be there") \
	X(LOCKED,     "locked",       false, "another process has it: end that one, or give each a path of its own") \
	X(NEWER,      "newer-format", false, "a newer Larder wrote it: run that one, or give this one another path") \
	X(FOREIGN,    "foreign",      false, "its directory holds what is no store of Larder's: give another path") \
	X(CORRUPT,    "corrupt",      false, "it is set aside and begun anew if that goes on") \
	X(IO,         "io",           false, "look after the disk; the kernel's log knows more")
/* clang-format on */

/* clang-format off */
enum trouble {
#define X(name, word, heals, advice) TROUBLE_##name,
	TROUBLES(X)
#undef X
	TROUBLE_COUNT
};
/* clang-format on */

/* Fit for a label; empty for none. Static. */
const char *trouble_word(enum trouble);
const char *trouble_advice(enum trouble);
bool trouble_heals(enum trouble);

/* What a failed call to RocksDB or the system was about. words: RocksDB's, or strerror's. */
enum trouble trouble_of(enum err, const char *words);
