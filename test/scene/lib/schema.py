# SPDX-License-Identifier: Apache-2.0
"""The part of JSON Schema that Larder's OpenAPI document uses. A keyword that is not known here is a
fault of the document: otherwise nothing would hold an answer to it."""

ANNOTATIONS = {"description", "default", "examples", "format", "$ref"}
TYPES = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}
# keyword: the type that it is about, and whether a value is as it says
LIMITS = {
    "minimum": ("number", lambda v, limit: v >= limit),
    "maximum": ("number", lambda v, limit: v <= limit),
    "minLength": ("string", lambda v, limit: len(v) >= limit),
    "maxLength": ("string", lambda v, limit: len(v) <= limit),
    "minItems": ("array", lambda v, limit: len(v) >= limit),
    "maxItems": ("array", lambda v, limit: len(v) <= limit),
}
STRUCTURE = {"type", "enum", "oneOf", "items", "properties", "required", "additionalProperties"}
KNOWN = ANNOTATIONS | STRUCTURE | set(LIMITS)


class Wrong(Exception):
    pass


def resolve(document, node):
    """What a $ref stands for."""
    while "$ref" in node:
        path = node["$ref"].removeprefix("#/").split("/")
        node = document
        for name in path:
            if name not in node:
                raise Wrong(f"no {'/'.join(path)} in the document")
            node = node[name]
    return node


def children(schema):
    """The schemas in a schema."""
    yield from schema.get("properties", {}).values()
    yield from schema.get("oneOf", [])
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield schema[name]


def check_schema(document, schema, where):
    """Every keyword is one that validate() holds values to."""
    resolve(document, schema)
    if unknown := set(schema) - KNOWN:
        raise Wrong(f"{where}: {unknown} is not known to the validator")
    if missing := set(schema.get("required", [])) - set(schema.get("properties", {})):
        raise Wrong(f"{where}: {missing} is required and not described")
    for child in children(schema):
        check_schema(document, child, where)


def check_object(document, schema, value, where):
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", []):
        if name not in value:
            raise Wrong(f"{where}: no {name} in {value}")
    for name, member in value.items():
        if name in properties:
            validate(document, properties[name], member, f"{where}.{name}")
        elif more is False:
            raise Wrong(f"{where}: {name} is not described")
        elif more is not True:
            validate(document, more, member, f"{where}.{name}")


def check_one_of(document, schema, value, where):
    wrong = []
    for one in schema["oneOf"]:
        try:
            validate(document, one, value, where)
        except Wrong as why:
            wrong.append(str(why))
    if len(schema["oneOf"]) - len(wrong) != 1:
        raise Wrong(f"{where}: fits {len(schema['oneOf']) - len(wrong)} of oneOf: {wrong}")


def validate(document, schema, value, where="$"):
    """Raises Wrong, with the place, when a value is not as its schema says."""
    schema = resolve(document, schema)
    types = schema.get("type", list(TYPES))
    if not any(TYPES[one](value) for one in ([types] if isinstance(types, str) else types)):
        raise Wrong(f"{where}: {value!r} is no {types}")
    if value not in schema.get("enum", [value]):
        raise Wrong(f"{where}: {value!r} is none of {schema['enum']}")
    for name, (about, holds) in LIMITS.items():
        if name in schema and TYPES[about](value) and not holds(value, schema[name]):
            raise Wrong(f"{where}: {value!r} breaks {name} {schema[name]}")
    if "oneOf" in schema:
        check_one_of(document, schema, value, where)
    if isinstance(value, dict):
        check_object(document, schema, value, where)
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            validate(document, schema["items"], item, f"{where}[{number}]")
