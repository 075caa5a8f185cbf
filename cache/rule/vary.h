/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vary (RFC 9111 4.1). A spec is the sorted, lower-case, comma-separated list of field names that
 * an answer named; it is what the store keeps at the primary key. vary_values turns a request into
 * the text that tells its variant from others: values that mean the same make the same text.
 *
 *	spec     accept-language,foo
 *	request  Accept-Language: de;q=0.5, EN      Foo: 1, 2
 *	values   ":de;500,en\n:1,2\n"               an absent field leaves its line empty: "\n"
 */
#pragma once

#include "edge/http/field.h"

enum vary_outcome {
	VARY_NO,   /* no Vary */
	VARY_YES,  /* spec is set */
	VARY_STAR, /* "*": nothing stored can be selected */
};

/*
 * Reads all Vary lines of an answer into a normal spec. Empty members are ignored; one that is no
 * field name counts as "*", as does a spec that the arena cannot hold: what it varies on cannot be
 * seen.
 */
enum vary_outcome vary_spec(const struct fields *answer, struct arena *, struct slice *ret_spec);
/*
 * The request's values of the fields in the spec, normalised: white space around list members,
 * letter case of names where the field says so, Accept-Encoding, Accept-Language and Accept as
 * sets with weights (order does not matter where it means nothing; q=1 is the same as none). An
 * absent field differs from an empty one. fail: SLICE_NONE, the arena is full.
 */
struct slice vary_values(const struct fields *request, struct slice spec, struct arena *);
/*
 * The way back: adds to a request, empty so far, lines that give these values. Names are the
 * spec's, borrowed. False: the arena is full, or no such lines were found (what stands behind a
 * quote that never ends, or a parameter that reads like a weight does here, cannot be told apart
 * any more).
 */
bool vary_request(
    struct slice spec, struct slice values, struct fields *request, struct arena *arena);
