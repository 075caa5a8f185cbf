/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/schema.c"

#include <CUnit/Basic.h>

static const char *const words[] = { "red", "green", NULL };
static const struct conf_field inner_fields[] = {
	{ "size", CONF_SIZE, 0, 1, KIB, "64", .doc = "How large." },
};
static const struct conf_table inner_table = {
	.name = "inner", .struct_bytes = 8, .fields = inner_fields, .count = 1
};

static const struct conf_table door_table = {
	.name = "a door", .struct_bytes = 8, .fields = inner_fields, .count = 1, .shorthand = "size"
};
static const char *const versions[] = { "1.2", "latest", NULL };

static const struct conf_field fields[] = {
	{ "flag", CONF_BOOL, .fallback = "true", .doc = "A flag." },
	{ "number", CONF_UINT, 0, 1, 9, "3", .doc = "A number." },
	{ "timeout", CONF_DURATION, .fallback = "5s", .doc = "A time." },
	{ "share", CONF_FRACTION, 0, 0, 500, "0.5", .doc = "A share." },
	{ "colour", CONF_WORD, .fallback = "green", .words = words, .doc = "A colour." },
	{ "text", CONF_STRING, .fallback = "", .doc = "A text." },
	{ "list", CONF_STRINGS, 0, 1, 4, .doc = "A list." },
	{ "ttls", CONF_STATUS_TTLS, .fallback = "{}", .doc = "Times." },
	{ "inner", CONF_SECTION, .table = &inner_table, .doc = "Inside." },
	{ "entries", CONF_SECTIONS, .fallback = "[]", .table = &inner_table, .doc = "Entries." },
	{ "doors", CONF_SECTIONS, .fallback = "[]", .table = &door_table, .doc = "Doors." },
	{ "version", CONF_WORD, .fallback = "1.2", .words = versions, .doc = "A version." },
};
static const struct conf_table table = {
	.name = "file", .struct_bytes = 8, .fields = fields, .count = COUNT_OF(fields)
};

static json_t *schema;

/* Whether the schema of a key, as one line, is what is wanted. */
static bool property_is(const char *key, const char *want)
{
	json_t *property = json_object_get(json_object_get(schema, "properties"), key);
	json_object_del(property, "description");
	char *got = json_dumps(property, JSON_COMPACT | JSON_ENCODE_ANY);
	bool same = got && strcmp(got, want) == 0;
	if (!same)
		printf("\n  got  %s\n  want %s\n", got ? got : "nothing", want);
	free(got);
	return same;
}

static int make_schema(void)
{
	struct buf out;
	buf_init(&out, 0);
	conf_schema(&out, &table, "Title");
	schema = json_loadb(out.at, out.len, JSON_REJECT_DUPLICATES, NULL);
	buf_fini(&out);
	return schema == NULL;
}

static int drop_schema(void)
{
	json_decref(schema);
	return 0;
}

static void test_root(void)
{
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(schema, "$schema")),
	    "https://json-schema.org/draft/2020-12/schema");
	CU_ASSERT(json_is_false(json_object_get(schema, "additionalProperties")));
	const json_t *required = json_object_get(schema, "required");
	CU_ASSERT_EQUAL(json_array_size(required), 1);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(required, 0)), "list");
	const json_t *text = json_object_get(json_object_get(schema, "properties"), "text");
	CU_ASSERT_STRING_EQUAL(
	    json_string_value(json_object_get(text, "description")), "A text. Default: \"\".");
}

static void test_kinds(void)
{
#define VARIABLE "{\"type\":\"string\",\"pattern\":\"\\\\$\\\\{\"}"
#define SIZE                                                                                       \
	"{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},"                                        \
	"{\"type\":\"string\",\"pattern\":\"^[0-9]+[kmgt]?$|\\\\$\\\\{\"}]"
#define TIME                                                                                       \
	"{\"anyOf\":[{\"const\":0},"                                                               \
	"{\"type\":\"string\",\"pattern\":\"^[0-9]+(ms|s|m|h|d)$|^0$|^off$|\\\\$\\\\{\"}]}"
#define INNER                                                                                      \
	"{\"type\":\"object\",\"properties\":{\"size\":" SIZE                                      \
	",\"description\":\"How large. Default: 64.\"}},\"required\":[],"                          \
	"\"additionalProperties\":false}"
	CU_ASSERT(property_is("flag", "{\"anyOf\":[{\"type\":\"boolean\"}," VARIABLE "]}"));
	CU_ASSERT(property_is("number",
	    "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1,\"maximum\":9}," VARIABLE "]}"));
	CU_ASSERT(property_is("timeout", TIME));
	CU_ASSERT(property_is("share",
	    "{\"anyOf\":[{\"type\":\"number\",\"minimum\":0.0,\"maximum\":0.5}," VARIABLE "]}"));
	CU_ASSERT(
	    property_is("colour", "{\"anyOf\":[{\"enum\":[\"red\",\"green\"]}," VARIABLE "]}"));
	CU_ASSERT(property_is("text", "{\"type\":\"string\"}"));
	CU_ASSERT(property_is("list",
	    "{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
	    "\"minItems\":1,\"maxItems\":4}"));
	CU_ASSERT(property_is("ttls",
	    "{\"type\":\"object\",\"patternProperties\":{"
	    "\"^[2-5][0-9][0-9]$\":" TIME "},\"additionalProperties\":false}"));
	CU_ASSERT(property_is("inner", INNER));
	CU_ASSERT(property_is("entries", "{\"type\":\"array\",\"items\":" INNER "}"));
	CU_ASSERT(property_is(
	    "doors", "{\"type\":\"array\",\"items\":{\"oneOf\":[" SIZE "}," INNER "]}}"));
	/* A word that YAML takes for a number may come as one. */
	CU_ASSERT(property_is(
	    "version", "{\"anyOf\":[{\"enum\":[\"1.2\",1.2,\"latest\"]}," VARIABLE "]}"));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "the root", test_root },
		{ "each kind", test_kinds },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "conf/schema", make_schema, drop_schema, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	if (CU_initialize_registry() || CU_register_suites(suites) || CU_basic_run_tests())
		return EXIT_FAILURE;
	unsigned failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
