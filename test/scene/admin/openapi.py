#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI description against the handlers: it has every endpoint that there is and no other, and
what the endpoints of purges answer is what it says."""

import http.client
import json
import re
from pathlib import Path

import scene
from caching import lasting, with_store
from larder import Larder
from origin import Origin
from scene import case, check, equal

TABLE = Path(__file__).resolve().parents[3] / "edge/admin/admin.c"
KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def ask(larder, method, path, body=None):
    """Status, media type and text."""
    link = http.client.HTTPConnection("127.0.0.1", larder.admin_port, timeout=20)
    link.request(method, path, json.dumps(body) if body is not None else None)
    got = link.getresponse()
    said = got.read().decode()
    link.close()
    return got.status, got.headers.get_content_type(), said


class Description:
    """Enough of OpenAPI and JSON Schema for this one."""

    def __init__(self, text):
        self.all = json.loads(text)
        self.paths = self.all["paths"]

    def resolve(self, schema):
        while "$ref" in schema:
            node = self.all
            for part in schema["$ref"].removeprefix("#/").split("/"):
                node = node[part]
            schema = node
        return schema

    def faults(self, value, schema, at="$"):
        """What is wrong with a value, as a list of lines."""
        schema = self.resolve(schema)
        if "anyOf" in schema:
            each = [self.faults(value, one, at) for one in schema["anyOf"]]
            return [] if [] in each else [f"{at} is none of them: {each}"]
        kind = schema.get("type")
        if kind and (
            not isinstance(value, KINDS[kind])
            or (kind in ("integer", "number") and isinstance(value, bool))
        ):
            return [f"{at} is no {kind}: {value!r}"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{at} is none of {schema['enum']}: {value!r}"]
        found = []
        if kind == "array":
            for i, item in enumerate(value):
                found += self.faults(item, schema.get("items", {}), f"{at}[{i}]")
        if kind == "object":
            known = schema.get("properties", {})
            found += [f"{at} lacks {name}" for name in schema.get("required", []) if name not in value]
            for name, item in value.items():
                if name in known:
                    found += self.faults(item, known[name], f"{at}.{name}")
                elif schema.get("additionalProperties") is False:
                    found.append(f"{at}.{name} is not described")
        return found

    def check(self, method, path, status, kind, said):
        told = self.paths[path][method]["responses"]
        check(str(status) in told, f"{method} {path}: {status} is not described")
        content = told[str(status)].get("content", {})
        check(kind in content, f"{method} {path} {status}: {kind} is not described")
        if kind.endswith("json"):
            equal(self.faults(json.loads(said), content[kind]["schema"]), [])


def described(larder):
    status, kind, said = ask(larder, "GET", "/v1/openapi.json")
    equal((status, kind), (200, "application/json"))
    return Description(said)


def reply(request, _):
    return lasting("max-age=600", b"ok", "Surrogate-Key: all")


def test_every_endpoint():
    table = TABLE.read_text()
    rows = re.findall(r'\{ METHOD_(\w+), "[^"]*", "([^"]+)"', table)
    wanted = {(m.lower(), p if not p.endswith("/") else p + "{seq}") for m, p in rows}
    check(len(wanted) > 10, "the table was not read")
    with Origin(reply) as origin, Larder(origin) as larder:
        d = described(larder)
        equal(d.all["openapi"], "3.1.0")
        got = {(method, path) for path, item in d.paths.items() for method in item}
        equal(sorted(got ^ wanted), [])
        for method, path in sorted(got):
            with case(f"{method} {path}"):
                if path.endswith("reload"):
                    continue  # the certificates' is tested where there are some
                status, _, _ = ask(larder, method.upper(), path.replace("{seq}", "1"))
                check(status != 405 and str(status) in d.paths[path][method]["responses"], status)


def test_purges():
    with Origin(reply) as origin, with_store(origin) as larder:
        d = described(larder)
        for target in ("/1", "/2"):
            larder.get(target)
        orders = [
            {"tags": ["all"], "dry_run": True},
            {"tags": ["all"], "wait": True, "reason": "r", "deploy_id": "d"},
            {"tags": ["all"], "refresh": {"origin_rps": 100}, "wait": True},
            {"expression": "all AND NOT x", "mode": "hard", "wait": True},
            {"files": ["http://a/1"]},
            {"everything": True},
            {"tags": ["none"], "fail_if_empty": True},
            {"tags": [""]},
            {"tag": "x"},
            {"tags": ["all"], "max_objects": 1, "dry_run": False},
        ]
        for order in orders:
            with case(json.dumps(order)):
                d.check("post", "/v1/purge", *ask(larder, "POST", "/v1/purge", order))
        for seq in ("1", "2", "99", "x"):
            with case(seq):
                d.check("get", "/v1/purge/{seq}", *ask(larder, "GET", f"/v1/purge/{seq}"))
        d.check("get", "/v1/purges", *ask(larder, "GET", "/v1/purges"))
        # Orders that are taken are described, too.
        schema = d.all["components"]["schemas"]["Order"]
        for order in orders[:7]:
            equal(d.faults(order, schema), [])
        check(d.faults({"tag": "x"}, schema), "the checker checks nothing")


scene.run()
