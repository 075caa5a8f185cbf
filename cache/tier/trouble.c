/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/tier/trouble.h"

/* clang-format off */
static const struct {
	const char *word, *advice;
	bool heals;
} troubles[TROUBLE_COUNT] = {
#define X(name, word, heals, advice) [TROUBLE_##name] = { word, advice, heals },
	TROUBLES(X)
#undef X
};
/* clang-format on */

const char *trouble_word(enum trouble t)
{
	return troubles[t].word;
}

const char *trouble_advice(enum trouble t)
{
	return troubles[t].advice;
}

bool trouble_heals(enum trouble t)
{
	return troubles[t].heals;
}

enum trouble trouble_of(enum err err, const char *words)
{
	static const struct {
		int number;
		enum trouble trouble;
	} numbers[] = {
		{ ENOSPC, TROUBLE_FULL },
		{ EDQUOT, TROUBLE_FULL },
		{ EROFS, TROUBLE_READ_ONLY },
		{ EACCES, TROUBLE_PERMISSION },
		{ EPERM, TROUBLE_PERMISSION },
	};
	if (!err)
		return TROUBLE_NONE;
	if (err == ERR_STORE_LOCKED)
		return TROUBLE_LOCKED;
	/* RocksDB ends its words with those of the system. */
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		if (strstr(words, strerrordesc_np(numbers[i].number)))
			return numbers[i].trouble;
	return err == ERR_STORE_CORRUPT ? TROUBLE_CORRUPT : TROUBLE_IO;
}
