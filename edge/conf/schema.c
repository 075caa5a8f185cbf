/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/conf/schema.h"

#include <jansson.h>

#include "edge/conf/value.h"

/*
 * jansson's *_new functions take the reference that they are given, and accept NULL as failure:
 * without memory the result is NULL and nothing leaks, so only the end looks.
 */

static json_t *object_of(const struct conf_table *);
static json_t *schema_of(const struct conf_field *);

static json_t *typed(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static json_t *pattern(const char *regex)
{
	return json_pack("{s:s, s:s}", "type", "string", "pattern", regex);
}

/* A schema, or a string with a variable in it. */
static json_t *or_variable(json_t *schema)
{
	return json_pack("{s:[o, o]}", "anyOf", schema, pattern("\\$\\{"));
}

static json_t *number_of(const struct conf_field *f, const char *type, double scale)
{
	json_t *schema = typed(type);
	if (value_has_bounds(f) && f->kind == CONF_UINT) {
		json_object_set_new(schema, "minimum", json_integer((json_int_t)f->min));
		json_object_set_new(schema, "maximum", json_integer((json_int_t)f->max));
	} else if (value_has_bounds(f)) {
		json_object_set_new(schema, "minimum", json_real((double)f->min / scale));
		json_object_set_new(schema, "maximum", json_real((double)f->max / scale));
	}
	return schema;
}

/* Whole numbers without a unit are integers to YAML. */
static json_t *size_schema(void)
{
	return json_pack("{s:[{s:s, s:i}, o]}", "anyOf", "type", "integer", "minimum", 0,
	    pattern("^[0-9]+[kmgt]?$|\\$\\{"));
}

static json_t *memory_schema(void)
{
	return json_pack("{s:[{s:s, s:i}, o]}", "anyOf", "type", "integer", "minimum", 0,
	    pattern("^[0-9]+[kmgt]?$|^[1-9][0-9]?%$|^100%$|\\$\\{"));
}

static json_t *duration_schema(void)
{
	return json_pack("{s:[{s:i}, o]}", "anyOf", "const", 0,
	    pattern("^[0-9]+(ms|s|m|h|d)$|^0$|^off$|\\$\\{"));
}

static json_t *word_schema(const struct conf_field *f)
{
	json_t *words = json_array();
	for (size_t i = 0; f->words[i]; i++) {
		json_array_append_new(words, json_string(f->words[i]));
		/* "1.2" without quotes is a number to YAML. */
		if (is_digit(f->words[i][0]))
			json_array_append_new(words, json_real(strtod(f->words[i], NULL)));
	}
	return or_variable(json_pack("{s:o}", "enum", words));
}

static json_t *list_schema(const struct conf_field *f, json_t *items)
{
	json_t *schema = json_pack("{s:s, s:o}", "type", "array", "items", items);
	if (value_has_bounds(f)) {
		json_object_set_new(schema, "minItems", json_integer((json_int_t)f->min));
		json_object_set_new(schema, "maxItems", json_integer((json_int_t)f->max));
	}
	return schema;
}

static json_t *status_ttls_schema(void)
{
	return json_pack("{s:s, s:{s:o}, s:b}", "type", "object", "patternProperties",
	    "^[2-5][0-9][0-9]$", duration_schema(), "additionalProperties", 0);
}

/* A section, or one of a list of them. */
static json_t *entry_schema(const struct conf_table *t)
{
	if (!t->shorthand)
		return object_of(t);
	const struct conf_field *alone = conf_field_of(t, slice_str(t->shorthand));
	must(alone != NULL);
	return json_pack("{s:[o, o]}", "oneOf", schema_of(alone), object_of(t));
}

static json_t *schema_of(const struct conf_field *f)
{
	switch (f->kind) {
	case CONF_BOOL: return or_variable(typed("boolean"));
	case CONF_UINT: return or_variable(number_of(f, "integer", 1));
	case CONF_SIZE: return size_schema();
	case CONF_MEMORY: return memory_schema();
	case CONF_DURATION: return duration_schema();
	case CONF_FRACTION: return or_variable(number_of(f, "number", 1000));
	case CONF_STRING: return typed("string");
	case CONF_WORD: return word_schema(f);
	case CONF_STRINGS: return list_schema(f, typed("string"));
	case CONF_STATUS_TTLS: return status_ttls_schema();
	case CONF_SECTION: return entry_schema(f->table);
	case CONF_SECTIONS: return list_schema(f, entry_schema(f->table));
	}
	return NULL;
}

static json_t *property_of(const struct conf_field *f)
{
	json_t *schema = schema_of(f);
	struct buf doc;
	buf_init(&doc, 0);
	buf_add(&doc, slice_str(f->doc));
	if (f->fallback)
		buf_addf(&doc, " Default: %s.", *f->fallback ? f->fallback : "\"\"");
	json_object_set_new(schema, "description", json_stringn(doc.at, doc.len));
	buf_fini(&doc);
	return schema;
}

static json_t *object_of(const struct conf_table *t)
{
	json_t *properties = json_object(), *required = json_array();
	for (size_t i = 0; i < t->count; i++) {
		const struct conf_field *f = &t->fields[i];
		json_object_set_new(properties, f->key, property_of(f));
		if (!f->fallback && f->kind != CONF_SECTION)
			json_array_append_new(required, json_string(f->key));
	}
	return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
	    "required", required, "additionalProperties", 0);
}

void conf_schema(struct buf *out, const struct conf_table *t, const char *title)
{
	json_t *schema = json_pack("{s:s, s:s}", "$schema",
	    "https://json-schema.org/draft/2020-12/schema", "title", title);
	json_t *object = object_of(t);
	json_object_update(schema, object);
	json_decref(object);
	char *text = json_dumps(schema, JSON_INDENT(2));
	json_decref(schema);
	must(text != NULL);
	buf_add(out, slice_str(text));
	buf_add_char(out, '\n');
	free(text);
}
