/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of edge/http and cache/rule share: messages from text, checks that name the row of
 * a table that failed, and the run of one suite.
 */
#pragma once

#include <CUnit/Basic.h>

#include "edge/http/field.h"

/* 2026-06-15 12:00:00 UTC: the moment that the tables count from. */
#define NOON_S INT64_C(1781524800)
#define NOON ((struct wall){ NOON_S * 1000 })

/* One arena for a program: a test that needs it fresh resets it. */
static struct arena arena;

/* Field lines from "Name: value\n..."; an empty value is allowed. */
static inline struct fields kit_fields(const char *text)
{
	struct fields f = { .count = 0 };
	struct slice rest = slice_str(text);
	while (rest.len > 0) {
		struct slice value = slice_take_line(&rest);
		struct slice name = slice_take_until(&value, ':');
		CU_ASSERT_TRUE_FATAL(
		    fields_add(&f, &arena, field_id_of(name), name, slice_trim(value)));
	}
	return f;
}

/* Counts one check; a failure is told with the row it is in. */
static inline void kit_check(bool holds, const char *row, const char *what, unsigned line)
{
	char text[800];
	snprintf(text, sizeof(text), "%s: %s", row, what);
	CU_assertImplementation(holds, line, text, "table", "", CU_FALSE);
}
#define CHECK(row, expr) kit_check((expr), (row), #expr, __LINE__)

static inline void kit_check_slice(
    const char *row, struct slice got, const char *want, unsigned line)
{
	char text[600];
	snprintf(text, sizeof(text), "got \"%.*s\", want \"%s\"", (int)got.len,
	    got.at ? got.at : "", want);
	kit_check(slice_eq(got, slice_str(want)), row, text, line);
}
#define CHECK_SLICE(row, got, want) kit_check_slice((row), (got), (want), __LINE__)

/* Runs the tests of a suite; what main returns. */
static inline int kit_run(const char *suite, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = {
		{ suite, NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	arena_init(&arena, 8 * MIB);
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	arena_fini(&arena);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
