#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Bad orders: each says what is wrong and in which field, and does nothing: nothing is in the
log, no number is used, and all that was stored is a hit. Idempotency-Key: done once, whatever is
sent twice."""

import json
import socket
import threading

import scene
from caching import is_hit, numbered, with_store
from origin import Origin
from purging import admin, get, log_of, order, purged
from scene import case, check, equal
from wire import Wire, head

GOOD = {"tags": ["one"]}
MANY = [f"t{number}" for number in range(10_001)]
GATE = {"url": "http://a/", "header": "X-V", "equals": "1"}

# what is sent: the field that is named
TABLE = [
    ({}, ""),
    ([], ""),
    ("text", ""),
    (None, ""),
    (17, ""),
    ({"tag": ["one"]}, "tag"),
    ({"": 1}, ""),
    ({"Tags": ["one"]}, "Tags"),
    ({"mode": "hard"}, ""),
    ({"everything": False}, ""),
    ({"dry_run": True}, ""),
    # lists
    *[
        ({name: value}, field.replace("*", name))
        for name in ("files", "tags", "prefixes", "hosts")
        for value, field in (
            ([], "*"),
            ("http://a/", "*"),
            (None, "*"),
            (True, "*"),
            ({"a": 1}, "*"),
            ([1], "*[0]"),
            ([None], "*[0]"),
            ([[]], "*[0]"),
            ([""], "*[0]"),
            (["x" * 8193], "*[0]"),
            (["http://a/" if name == "files" else "a", ""], "*[1]"),
            (["a\nb"], "*[0]"),
            (["a\x7f"], "*[0]"),
            (MANY, "*"),
        )
    ],
    ({"tags": MANY[:5000], "hosts": MANY[:5001]}, "hosts"),
    # what they say
    ({"files": ["/path"]}, "files[0]"),
    ({"files": ["a/path"]}, "files[0]"),
    ({"files": ["ftp://a/"]}, "files[0]"),
    ({"files": ["http:///x"]}, "files[0]"),
    ({"files": ["http://a/", "http://b b/"]}, "files[1]"),
    ({"files": ["http://u@a/"]}, "files[0]"),
    ({"files": ["http://a:99999/"]}, "files[0]"),
    ({"prefixes": ["a/x?y"]}, "prefixes[0]"),
    ({"prefixes": ["a/x*"]}, "prefixes[0]"),
    ({"prefixes": ["a/x#y"]}, "prefixes[0]"),
    ({"prefixes": ["a/x y"]}, "prefixes[0]"),
    ({"prefixes": ["a/\u00e4"]}, "prefixes[0]"),
    ({"prefixes": ["a b/x"]}, "prefixes[0]"),
    ({"prefixes": ["http://"]}, "prefixes[0]"),
    ({"prefixes": ["http:///x"]}, "prefixes[0]"),
    ({"prefixes": ["ftp://a/x"]}, "prefixes[0]"),
    ({"prefixes": ["/ok", "a" + "/x" * 33]}, "prefixes[1]"),
    ({"hosts": ["a/b"]}, "hosts[0]"),
    ({"hosts": ["http://a"]}, "hosts[0]"),
    ({"hosts": ["*.a"]}, "hosts[0]"),
    ({"hosts": ["a b"]}, "hosts[0]"),
    ({"hosts": ["a:x"]}, "hosts[0]"),
    ({"hosts": ["\u00e4.example"]}, "hosts[0]"),
    ({"everything": 1}, "everything"),
    ({"everything": "true"}, "everything"),
    ({"everything": None}, "everything"),
    ({"expression": ""}, "expression"),
    ({"expression": 1}, "expression"),
    ({"expression": "a AND"}, "expression"),
    ({"expression": "(a"}, "expression"),
    ({"expression": "(" * 5000 + "a" + ")" * 5000}, "expression"),
    ({"expression": "NOT " * 3000 + "a"}, "expression"),
    ({"regex": ""}, "regex"),
    ({"regex": ["a"]}, "regex"),
    ({"regex": "("}, "regex"),
    ({"regex": "a" * 100_000}, "regex"),
    # how
    *[
        (GOOD | {name: value}, name)
        for name, values in {
            "mode": ("", "HARD", "invalid", 1, None, True, ["soft"]),
            "reason": ("", 1, None, "x" * 1025, "a\nb", []),
            "deploy_id": ("", 1, None, "x" * 1025, "a\0b"[:1] + "\x01", {}),
            "dry_run": (1, "true", None, []),
            "wait": (1, "yes", None),
            "fail_if_empty": (0, "", {}),
            "confirm": (1, "1", None),
            "max_objects": (0, -1, 1.5, "10", None, True),
            "refresh": (1, "true", None, [], {"rps": 1}, {"origin_rps": 1, "x": 2}),
            "wait_origin": (True, "http://a/", [], None, {}, {"url": "http://a/"},
                            GATE | {"json": "$.a"}),
        }.items()
        for value in values
    ],
    (GOOD | {"refresh": {"origin_rps": 0}}, "refresh.origin_rps"),
    (GOOD | {"refresh": {"origin_rps": 1.5}}, "refresh.origin_rps"),
    (GOOD | {"refresh": {"origin_rps": "x"}}, "refresh.origin_rps"),
    (GOOD | {"refresh": {"origin_rps": 10**6}}, "refresh.origin_rps"),
    (GOOD | {"refresh": True, "mode": "hard"}, "refresh"),
    (GOOD | {"wait_origin": GATE | {"x": 1}}, "wait_origin.x"),
    (GOOD | {"wait_origin": GATE | {"url": 1}}, "wait_origin.url"),
    (GOOD | {"wait_origin": GATE | {"equals": ""}}, "wait_origin.equals"),
    (GOOD | {"wait_origin": GATE | {"header": "a b"}}, "wait_origin.header"),
    (GOOD | {"wait_origin": GATE | {"timeout": 60}}, "wait_origin.timeout"),
    (GOOD | {"wait_origin": GATE | {"timeout": "1"}}, "wait_origin.timeout"),
    (GOOD | {"wait_origin": GATE | {"timeout": "601s"}}, "wait_origin.timeout"),
    (GOOD | {"wait_origin": GATE | {"url": "/x"}}, "wait_origin"),
    # keys that are hard to name
    (GOOD | {"x" * 5000: 1}, None),
    (GOOD | {"\u20ac" * 100: 1}, None),
    (GOOD | {'a"b\\c\r\n\u0001': 1}, None),
    (GOOD | {"wait_origin": GATE | {"\u20ac" * 100: 1}}, None),
]  # fmt: skip

# no JSON, or none that is safe to read
TEXTS = [
    b"",
    b" ",
    b"{",
    b'{"tags":["one"]',
    b'{"tags":["one"]}}',
    b'{"tags":["one"]} {"tags":["one"]}',
    b'{"tags":["one"],}',
    b"{tags:['one']}",
    b'{"tags":["one"],"tags":["two"]}',
    b'{"tags":["one"],"refresh":{"origin_rps":1,"origin_rps":2}}',
    b'{"tags":["\xff\xfe"]}',
    b'{"tags":["\xc0\x80"]}',
    b'{"tags":["\\u0000"]}',
    b'{"tags":["\\ud800"]}',
    b'{"ta\\u0000gs":["one"]}',
    b'{"max_objects":1e400,"tags":["one"]}',
    b'{"max_objects":99999999999999999999999,"tags":["one"]}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\x00" * 1000,
    b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
    b"tags=one",
]


def setting():
    return numbered("max-age=900", "Surrogate-Key: one")


def nothing_happened(larder):
    check(is_hit(get(larder, "a/")), "it was purged")
    equal(log_of(larder), [])
    for mode in ("hard", "soft"):
        equal(larder.metric("purges_total", mode=mode), 0)


def test_orders():
    with Origin(setting()) as origin, with_store(origin) as larder:
        get(larder, "a/")
        for what, field in TABLE:
            with case(f"{json.dumps(what)[:60]}"):
                code, said = order(larder, json.dumps(what).encode())
                equal(code, 422, f"{said}")
                if field is not None:
                    equal(said.get("field", ""), field, f"{said}")
                check(said["detail"] and said["status"] == 422, f"{said}")
                check(is_hit(get(larder, "a/")), "it was purged")
        nothing_happened(larder)
        equal(purged(larder, **GOOD)["seq"], 1)


def test_texts():
    with Origin(setting()) as origin, with_store(origin) as larder:
        get(larder, "a/")
        for text in TEXTS:
            with case(f"{text[:40]}"):
                code, said = order(larder, text)
                equal(code, 422, f"{said}")
                check("JSON" in said["detail"], f"{said}")
        # It is said where.
        for text, place in (
            (b"", "line 1, column 0"),
            (b'{"tags":["one"],}', "line 1, column 17"),
            (b'{\n  "tags": ["one"]\n  "mode": "soft"\n}\n', "line 3, column 8"),
            (b'{"tags":["one"],\n"tags":["two"]}', "line 2, column 6"),
        ):
            with case(f"{text}"):
                check(f"{place}: " in order(larder, text)[1]["detail"], f"{order(larder, text)}")
        nothing_happened(larder)


def test_sizes():
    """Up to 10,000 items in 1 MiB are an order; what is larger is refused, not read."""
    with Origin(setting()) as origin, with_store(origin) as larder:
        get(larder, "a/")
        large = json.dumps(GOOD).encode()
        for name, text in {
            "spaces": large + b" " * (1 << 20),
            "2 MiB": large + b" " * (2 << 20),
            "20 MiB": large + b" " * (20 << 20),
        }.items():
            with case(name):
                equal(status_of(larder, text), 413)
        nothing_happened(larder)
        tags = [f"tag-{number}-" + "\u00e9" * 40 for number in range(10_000)]
        text = json.dumps({"tags": tags}, ensure_ascii=False).encode()
        equal(order(larder, text)[1].get("seq"), 1)
        urls = [f"http://a/{number}/" + "%C3%A9" * 13 for number in range(10_000)]
        equal(purged(larder, files=urls)["seq"], 2)
        equal([one["seq"] for one in log_of(larder)], [1, 2])
        equal(log_of(larder)[0]["order"]["tags"], tags)
        check(is_hit(get(larder, "a/")), "it was not named")


def status_of(larder, text):
    """Some answer comes, though not all may be read."""
    with Wire(socket.create_connection(("127.0.0.1", larder.admin_port))) as wire:
        try:
            wire.send(head("POST /v1/purge HTTP/1.1", "Host: a", f"Content-Length: {len(text)}"))
            wire.send(text)
        except OSError:
            pass
        return wire.read_answer().status


def test_cut_uploads():
    """What did not come as a whole is no order."""
    text = json.dumps(GOOD).encode()
    with Origin(setting()) as origin, with_store(origin) as larder:
        get(larder, "a/")
        for name, lines, body in (
            ("length", [f"Content-Length: {len(text) + 1}"], text),
            ("length, a space short", [f"Content-Length: {len(text) + 1}"], text),
            ("no last chunk", ["Transfer-Encoding: chunked"], b"%x\r\n%s\r\n" % (len(text), text)),
            ("in a chunk", ["Transfer-Encoding: chunked"], b"%x\r\n%s" % (len(text) + 9, text)),
        ):
            for how in ("finish", "reset"):
                with case(f"{name}, {how}"):
                    wire = Wire(socket.create_connection(("127.0.0.1", larder.admin_port)))
                    wire.send(head("POST /v1/purge HTTP/1.1", "Host: a", *lines), body)
                    if how == "finish":
                        wire.finish()
                        rest = wire.read_rest()
                        check(not rest.startswith(b"HTTP/1.1 2"), f"{rest[:200]}")
                        wire.close()
                    else:
                        wire.reset()
        # Shorter than said otherwise: what is behind it is another request, and none.
        wire = Wire(socket.create_connection(("127.0.0.1", larder.admin_port)))
        wire.send(head("POST /v1/purge HTTP/1.1", "Host: a", f"Content-Length: {len(text) - 1}"))
        wire.send(text)
        equal(wire.read_answer().status, 422)
        wire.close()
        equal(admin(larder, "POST", "/v1/purge")[0], 422)
        for method in ("PUT", "DELETE", "GET"):
            equal(admin(larder, method, "/v1/purge", text if method == "PUT" else None)[0], 405)
        nothing_happened(larder)


def test_idempotency():
    with Origin(setting()) as origin, with_store(origin) as larder:
        key = {"Idempotency-Key": "deploy-1"}
        get(larder, "a/")
        code, first = order(larder, GOOD | {"mode": "hard"}, key)
        equal((code, first["seq"]), (200, 1))
        check(not is_hit(get(larder, "a/")), "purged")
        # The same is not done again; its answer is the first's.
        code, again = order(larder, GOOD | {"mode": "hard"}, key)
        equal((code, again["seq"], again["at"]), (200, 1, first["at"]))
        check(is_hit(get(larder, "a/")), "it was done again")
        equal(order(larder, {"everything": True}, key)[0], 409)
        check(is_hit(get(larder, "a/")), "another order under that key")
        equal(len(log_of(larder)), 1)
        # What was refused has used no key.
        other = {"Idempotency-Key": "deploy-2"}
        equal(order(larder, {"tags": [""]}, other)[0], 422)
        equal(order(larder, GOOD, other)[1]["seq"], 2)
        # Not even the one under which a good one was done.
        equal(order(larder, {"tags": [""]}, key)[0], 422)
        equal(order(larder, b"{", key)[0], 422)
        equal(order(larder, GOOD | {"mode": "hard"}, key)[1]["seq"], 1)
        # Nor is a key another's beginning.
        equal(order(larder, GOOD, {"Idempotency-Key": "deploy-"})[1]["seq"], 3)
        equal(order(larder, GOOD)[1]["seq"], 4)
        equal(order(larder, GOOD)[1]["seq"], 5)
        equal(order(larder, GOOD, {"Idempotency-Key": "k" * 256})[1]["seq"], 6)
        code, said = order(larder, GOOD, {"Idempotency-Key": "k" * 257})
        equal((code, said["field"]), (422, "Idempotency-Key"))
        equal(len(log_of(larder)), 6)


def test_idempotency_at_once():
    """Many that retry at the same time: it is done once."""
    with Origin(setting()) as origin, with_store(origin) as larder:
        said = []

        def send():
            said.append(order(larder, GOOD, {"Idempotency-Key": "k"}))

        crew = [threading.Thread(target=send) for _ in range(20)]
        for one in crew:
            one.start()
        for one in crew:
            one.join()
        codes = {code for code, _ in said}
        check(codes <= {200, 409} and 200 in codes, f"{codes}")
        equal({answer["seq"] for code, answer in said if code == 200}, {1})
        equal(purged(larder, **GOOD)["seq"], 2)


scene.run()
