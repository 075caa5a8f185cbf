#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document against the handlers: it names every endpoint and no other, each answers, its
scopes are those of the table, and what the handlers really say is what its schemas describe. What it
says of an order is held against the handler, too: whatever it allows is taken, whatever it forbids not."""

import http.client
import json
import re
from contextlib import closing, contextmanager

import scene
from caching import lasting, restart, wait_until_written, with_store
from larder import TOP
from origin import Origin
from schema import Wrong, check_schema, resolve, validate
from scene import case, check, equal

ROW = re.compile(r'\{ METHOD_(\w+), "[^"]*", "([^"]+)", GRANT_(\w+), \w+ \}')
SCOPES = {"READ": "read", "PURGE_SELECT": "purge:select", "PURGE_ALL": "purge:all", "ADMIN": "admin"}
URL = "http://a/1"


def endpoints():
    """The table in admin.c: {(method, path): scope or None}."""
    source = (TOP / "edge/admin/admin.c").read_text()
    table = source[source.index("} endpoints[] = {") :].partition("};")[0]
    rows = ROW.findall(table)
    equal(len(rows), table.count("METHOD_"), "rows of the table that are not understood")
    return {
        (method.lower(), path + "{seq}" if path.endswith("/") else path): SCOPES.get(grant)
        for method, path, grant in rows
    }


def operations(document):
    return {
        (method, path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def ask(larder, method, target, body=None, **fields):
    """Status, media type and body."""
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", larder.admin_port, timeout=20)) as link:
        link.request(method.upper(), target, body, fields)
        got = link.getresponse()
        return got.status, got.headers.get_content_type(), got.read()


def document_of(larder):
    status, kind, text = ask(larder, "GET", "/v1/openapi.json")
    equal((status, kind), (200, "application/json"))
    equal(text, (TOP / "edge/admin/openapi.json").read_bytes(), "it is not the file that is here")
    return json.loads(text)


def check_answer(document, method, path, answer):
    """An answer is one that the document describes. Returns its JSON."""
    status, kind, body = answer
    described = document["paths"][path][method]["responses"]
    check(str(status) in described, f"{method} {path}: {status} is not described: {body[:300]}")
    content = resolve(document, described[str(status)]).get("content", {})
    check(kind in content, f"{method} {path} {status}: {kind} is none of {list(content)}")
    schema = content[kind].get("schema")
    if not kind.endswith("json"):
        return body
    value = json.loads(body)
    if schema:
        validate(document, schema, value, f"{method} {path} {status}")
    return value


def shop(request, _):
    vary = ["Vary: Foo"] if request.target == "/2" else []
    control = "no-store" if request.target == "/3" else "max-age=600, stale-while-revalidate=60"
    return lasting(control, b"x" * 500, "Surrogate-Key: all t", *vary)


@contextmanager
def stocked():
    """A Larder with one of each kind of object."""
    with Origin(shop) as origin, with_store(origin) as larder:
        for number in range(4):
            larder.get(f"/{number}")
        wait_until_written(larder, 3)
        yield larder


def test_the_document():
    with Origin(shop) as origin, with_store(origin) as larder:
        document = document_of(larder)
        equal(document["openapi"], "3.1.0")
        described, there = operations(document), endpoints()
        equal(sorted(described), sorted(there), "what is described, and what there is")
        names = [operation["operationId"] for operation in described.values()]
        equal(len(names), len(set(names)), "operationId twice")
        for key, operation in described.items():
            with case(f"{key}"):
                scope = there[key]
                wanted = [{"token": [scope]}, {"certificate": [scope]}] if scope else []
                equal(operation["security"], wanted)
                for parameter in operation.get("parameters", []):
                    check_schema(document, parameter["schema"], parameter["name"])
                for answer in operation["responses"].values():
                    for content in resolve(document, answer)["content"].values():
                        check_schema(document, content.get("schema", {}), str(key))
        for name, schema in document["components"]["schemas"].items():
            check_schema(document, schema, name)
            if schema.get("type") == "object":
                equal(schema["additionalProperties"], False, f"{name} may hold anything")


def target_of(path, operation):
    """A path with the example of each parameter that it needs."""
    query = []
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(parameter["example"]))
        elif parameter["in"] == "query" and parameter["name"] == "url":
            query.append(f"url={URL}")
    return path + ("?" + "&".join(query) if query else "")


def test_every_endpoint_answers():
    with stocked() as larder:
        document = document_of(larder)
        check_answer(document, "post", "/v1/purge", ask(larder, "post", "/v1/purge", '{"tags":["no"]}'))
        for (method, path), operation in operations(document).items():
            with case(f"{method} {path}"):
                body = json.dumps({"tags": ["none"]}) if "requestBody" in operation else None
                target = target_of(path, operation)
                answer = ask(larder, method, target, body)
                equal(answer[0], 200, str(answer[2]))
                check_answer(document, method, path, answer)
                # A method that is not described is not there; HEAD goes with GET.
                for other in {"get", "post", "put", "delete"} - set(document["paths"][path]):
                    equal(ask(larder, other, target)[0], 405, other)
                if method == "get":
                    equal(ask(larder, "head", target)[0], answer[0])
        for path in ("/v1", "/v1/purge/", "/v1/openapi", "/v2/purge"):
            equal(ask(larder, "get", path)[0], 404, path)


def test_what_is_said_of_objects():
    with stocked() as larder:
        document = document_of(larder)
        for path, query, status in (
            ("/v1/object", f"?url={URL}", 200),
            ("/v1/object", "?url=http://a/none", 404),
            ("/v1/object", "?url=x", 400),
            ("/v1/object", "", 400),
            ("/v1/objects", "?limit=1", 200),
            ("/v1/objects", "?limit=x", 400),
            ("/v1/objects", "?tier=cold", 200),
            ("/v1/objects/top", "?limit=2", 200),
            ("/v1/objects/top", "?limit=0", 400),
            ("/v1/object/export", "?url=http://a/none", 404),
            ("/v1/object/export", f"?url={URL}&header=a%20b:c", 400),
            ("/v1/purges", "", 200),
            ("/v1/purges", "?since=0&limit=10000", 200),
            *(("/v1/purges", f"?since={bad}", 400) for bad in ("abc", "-1", "", f"{2**64 - 1}")),
            *(("/v1/purges", f"?limit={bad}", 400) for bad in ("abc", "0", "10001", "99999", "")),
            ("/v1/purge/{seq}", "", 404),
        ):
            with case(path + query):
                answer = ask(larder, "get", path.replace("{seq}", "999") + query)
                equal(answer[0], status, str(answer[2]))
                said = check_answer(document, "get", path, answer)
                if path == "/v1/purges" and status == 400:
                    check(query[1:7] in said["detail"], f"it does not name the parameter: {said}")


GATE = {"url": URL, "header": "X-No", "equals": "1", "timeout": "100ms"}
# orders, and the status of their answer; those that purge nothing first
ORDERS = [
    ({"tags": ["t"], "dry_run": True}, 200),
    ({"tags": ["none"], "fail_if_empty": True}, 412),
    ({"everything": True, "max_objects": 1}, 409),
    ({"tags": ["t"], "wait_origin": GATE}, 504),
    ({"everything": True, "max_objects": 1, "confirm": True}, 200),
    ({"tags": ["t"], "reason": "why", "deploy_id": "42"}, 200),
    ({"files": [URL], "mode": "hard"}, 200),
    ({"prefixes": ["a/x", "/y"], "hosts": ["b"]}, 200),
    ({"everything": True, "wait": True}, 200),
    ({"expression": "t AND NOT draft", "wait": True}, 200),
    ({"regex": "^http://a/[0-9]$", "mode": "soft"}, 200),
    ({"tags": ["t"], "refresh": True, "wait": True}, 200),
    ({"tags": ["t"], "refresh": {"origin_rps": 50}}, 200),
    ({"tags": ["x" * 8192]}, 200),
    ({"expression": "x" * 4096, "dry_run": True}, 200),
    ({"regex": "x" * 1024, "dry_run": True}, 200),
]
BAD = [
    {},
    {"tags": []},
    {"tags": [""]},
    {"tags": ["a"] * 10001},
    {"tags": "a"},
    {"tag": ["a"]},
    {"expression": "x" * 4097},
    {"regex": "x" * 1025},
    *({name: ["x" * 8193]} for name in ("files", "tags", "prefixes", "hosts")),
    {"tags": ["a"], "wait_origin": GATE | {"equals": "x" * 8193}},
    {"tags": ["a"], "mode": "purge"},
    {"tags": ["a"], "max_objects": 0},
    {"tags": ["a"], "reason": "x" * 1025},
    {"tags": ["a"], "refresh": {"origin_rps": 0}},
    {"tags": ["a"], "refresh": {"rps": 1}},
    {"tags": ["a"], "wait_origin": {"url": URL}},
]


def test_orders_and_receipts():
    with stocked() as larder:
        document = document_of(larder)
        whole = document["components"]["schemas"]["Order"]
        for what, status in ORDERS:
            with case(f"{what}"):
                validate(document, whole, what, "order")
                answer = ask(larder, "post", "/v1/purge", json.dumps(what))
                equal(answer[0], status, str(answer[2]))
                said = check_answer(document, "post", "/v1/purge", answer)
                if "seq" not in said:
                    continue
                shown = ask(larder, "get", f"/v1/purge/{said['seq']}")
                check_answer(document, "get", "/v1/purge/{seq}", shown)
        for what in BAD:
            with case(f"bad: {str(what)[:80]}"):
                answer = ask(larder, "post", "/v1/purge", json.dumps(what))
                equal(answer[0], 422)
                check_answer(document, "post", "/v1/purge", answer)
                try:
                    # That something must be meant is said in words.
                    validate(document, whole, what or {"": 1}, "order")
                    raise AssertionError("its schema allows it")
                except Wrong:
                    pass
        key = {"Idempotency_Key": "k"}
        for what, status in (({"tags": ["a"]}, 200), ({"tags": ["b"]}, 409)):
            answer = ask(larder, "post", "/v1/purge", json.dumps(what), **key)
            equal(answer[0], status)
            check_answer(document, "post", "/v1/purge", answer)
        large = ask(larder, "post", "/v1/purge", b" " * (2 << 20))
        equal(large[0], 413)
        check_answer(document, "post", "/v1/purge", large)
        log = check_answer(document, "get", "/v1/purges", ask(larder, "get", "/v1/purges"))
        equal(log["last"], len(log["purges"]))
        # A receipt of a former life is the log's entry.
        restart(larder)
        old = check_answer(document, "get", "/v1/purge/{seq}", ask(larder, "get", "/v1/purge/1"))
        equal(old["order"], {"everything": True, "mode": "soft"})


def test_every_member_of_an_order_is_described():
    """Those that order.c reads, and no other."""
    source = (TOP / "purge/order.c").read_text()
    table = source[source.index("} members[] = {") :].partition("};")[0]
    read = sorted(re.findall(r'^\t\{ "(\w+)"', table, re.M))
    document = json.loads((TOP / "edge/admin/openapi.json").read_text())
    equal(sorted(document["components"]["schemas"]["Order"]["properties"]), read)


def test_the_validator():
    """It finds what is wrong: else all of this proves nothing."""
    document = {"components": {"x": {"type": "string"}}}
    whole = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": ["integer", "null"]}, "b": {"enum": ["x"]},
                       "c": {"type": "array", "items": {"$ref": "#/components/x"}},
                       "d": {"oneOf": [{"type": "boolean"}, {"type": "number"}]}},
        "additionalProperties": False,
    }
    for value in ({"a": 1}, {"a": None, "b": "x", "c": ["y"]}, {"a": 1, "d": 1.5}, {"a": 1, "d": True}):
        validate(document, whole, value)
    for value in ({}, [], {"a": "1"}, {"a": True}, {"a": 1, "b": "y"}, {"a": 1, "c": [1]},
                  {"a": 1, "c": {}}, {"a": 1, "d": "x"}, {"a": 1, "e": 1}, {"a": 1.5}):
        with case(f"{value}"):
            try:
                validate(document, whole, value)
            except Wrong:
                continue
            raise AssertionError("taken for right")


scene.run()
