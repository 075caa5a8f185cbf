#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Every answer says what the cache did and why (RFC 9211), and the access log and the metrics say
the same: one reason code with its clause."""

import time

import scene
from caching import Gate, Pages, access_lines, crowd, lasting, says, status, wait_until_asked
from larder import Larder, free_port
from origin import CLOSE, Origin, answer
from scene import case, check, equal, eventually
from wire import head

STALE = "max-age=10, stale-while-revalidate=60"
PAGES = {
    "/fresh": lasting("max-age=60", b"ok", 'ETag: "x"'),
    "/private": lasting("private"),
    "/stale": [lasting("max-age=10", b"ok", "Age: 20"), lasting("max-age=60")],
    "/valid": [lasting("max-age=10", b"ok", "Age: 20", 'ETag: "x"'), head("HTTP/1.1 304 Not Modified")],
    "/swr": [lasting(STALE, b"ok", "Age: 20"), lasting("max-age=60")],
    "/sie": [lasting("max-age=10", b"ok", "Age: 20"), answer(b"", status="503 Down")],
    "/vary": lasting("max-age=60", b"ok", "Vary: Foo"),
    "/closed": CLOSE,
    "/404": answer(b"none", status="404 Not Found"),
    "/no-cache": lasting("no-cache", b"ok", 'ETag: "x"'),
    None: lasting("max-age=60"),
}

# What is asked, in this order: request; Cache-Status; and the log's words
STORY = [
    ("GET /fresh", [], dict(fwd="uri-miss", fwd_status=200, stored=True), ("miss", "uri-miss", "RFC 9211 2.2")),
    ("GET /fresh", [], dict(hit=True), ("hit", "fresh", "RFC 9111 4.2")),
    ("HEAD /fresh", [], dict(hit=True), ("hit", "fresh", "RFC 9111 4.2")),
    ("GET /fresh", ['If-None-Match: "x"'], dict(hit=True), ("hit", "fresh", "RFC 9111 4.2")),
    ("GET /fresh", ["Range: bytes=0-0"], dict(hit=True), ("hit", "fresh", "RFC 9111 4.2")),
    ("GET /fresh", ["Range: bytes=9-"], dict(hit=True), ("hit", "fresh", "RFC 9111 4.2")),
    ("GET /fresh", ["Cache-Control: no-cache"], dict(fwd="request", fwd_status=200, stored=True, detail="request-no-cache"), ("miss", "request-no-cache", "RFC 9111 5.2.1.4")),
    ("GET /private", [], dict(fwd="uri-miss", fwd_status=200, detail="private"), ("pass", "private", "RFC 9111 5.2.2.7")),
    ("GET /private", [], dict(fwd="uri-miss", fwd_status=200, detail="known-uncacheable"), ("pass", "known-uncacheable", None)),
    ("GET /stale", [], dict(fwd="uri-miss", fwd_status=200, stored=True), ("miss", "uri-miss", "RFC 9211 2.2")),
    ("GET /stale", [], dict(fwd="stale", fwd_status=200, stored=True), ("miss", "stale", "RFC 9111 4.2.4")),
    ("GET /valid", [], dict(fwd="uri-miss", fwd_status=200, stored=True), ("miss", "uri-miss", "RFC 9211 2.2")),
    ("GET /valid", [], dict(fwd="stale", fwd_status=304, stored=True, detail="not-modified"), ("revalidated", "not-modified", "RFC 9111 4.3.4")),
    ("GET /swr", [], dict(fwd="uri-miss", fwd_status=200, stored=True), ("miss", "uri-miss", "RFC 9211 2.2")),
    ("GET /swr", [], dict(hit=True, detail="stale-while-revalidate"), ("stale", "stale-while-revalidate", "RFC 5861 3")),
    ("GET /sie", [], dict(fwd="uri-miss", fwd_status=200, stored=True), ("miss", "uri-miss", "RFC 9211 2.2")),
    ("GET /sie", ["Cache-Control: max-stale"], dict(hit=True, detail="max-stale"), ("stale", "max-stale", "RFC 9111 5.2.1.2")),
    ("GET /sie", [], dict(detail="stale-if-error"), ("stale", "stale-if-error", "RFC 5861 4")),
    ("GET /vary", ["Foo: 1"], dict(fwd="uri-miss", fwd_status=200, stored=True), ("miss", "uri-miss", "RFC 9211 2.2")),
    ("GET /vary", ["Foo: 2"], dict(fwd="vary-miss", fwd_status=200, stored=True), ("miss", "vary-miss", "RFC 9111 4.1")),
    ("POST /fresh", ["Content-Length: 0"], dict(fwd="method", fwd_status=200, detail="method"), ("pass", "method", "RFC 9111 4")),
    ("GET /fresh", ["Cache-Control: only-if-cached"], dict(detail="only-if-cached"), ("error", "only-if-cached", "RFC 9111 5.2.1.7")),
    ("GET /bypass", [], dict(fwd="bypass", fwd_status=200, detail="bypass"), ("pass", "bypass", None)),
    ("GET /closed", [], dict(fwd="uri-miss", detail="origin-closed"), ("error", "origin-error", None)),
    ("GET /404", [], dict(fwd="uri-miss", fwd_status=404, stored=True), ("miss", "uri-miss", "RFC 9211 2.2")),
    ("GET /404", [], dict(hit=True), ("hit", "fresh", "RFC 9111 4.2")),
    ("GET /other", ["Range: bytes=0-0"], dict(fwd="uri-miss", fwd_status=200, detail="range"), ("pass", "range", "RFC 9111 3.3")),
    ("GET /other", ["If-Match: *"], dict(fwd="request", fwd_status=200, detail="precondition"), ("pass", "precondition", "RFC 9111 4.3.2")),
    ("GET /no-cache", [], dict(fwd="uri-miss", fwd_status=200, stored=True), ("miss", "uri-miss", "RFC 9211 2.2")),
    ("GET /no-cache", [], dict(fwd="stale", fwd_status=200, stored=True, detail="no-cache"), ("miss", "no-cache", "RFC 9111 5.2.2.4")),
]
PARAMETERS = ("hit", "fwd", "fwd_status", "stored", "collapsed", "detail")


def test_the_story():
    """The same of each: in the answer, in the log, in the metrics."""
    routes = [{"path": "/", "origin": "default"}, {"path": "/bypass", "origin": "default", "cache": {"enabled": False}}]
    with Origin(Pages(PAGES)) as origin:
        larder = Larder(origin)
        log = larder.path / "access"
        larder.configure({"routes": routes, "log": {"access": str(log)}})
        with larder:
            for number, (asked, fields, wanted, _) in enumerate(STORY):
                with case(f"{number}: {asked} {fields}"):
                    got = larder.ask(f"{asked} HTTP/1.1", "Host: a", *fields)
                    check_status(got, wanted, asked.split(" ")[1])
                larder.wait_for_metric(0, "cache_fetches_under_way")
            for number, line in enumerate(access_lines(log, len(STORY))):
                asked, fields, _, (result, reason, clause) = STORY[number]
                with case(f"log {number}: {asked} {fields}"):
                    equal((line["method"], line["path"]), tuple(asked.split(" ")))
                    equal((line["cache_status"], line["cache_reason"], line.get("clause")), (result, reason, clause))
            check_metrics(larder)


def check_status(got, wanted, target):
    said = status(got)
    for name in PARAMETERS:
        if name == "hit" and wanted.get("detail") == "stale-if-error":
            continue  # it was forwarded and it came from the store: either word is true
        if name in ("fwd", "fwd_status") and wanted.get("detail") in ("stale-if-error",):
            continue
        equal(said.get(name.replace("_", "-")), wanted.get(name), f"{name} of {said}")
    equal(said["key"], f"http://a{target}")
    equal(isinstance(said.get("ttl"), int), bool(said.get("hit") or said.get("stored")), f"ttl of {said}")
    equal(got.get("X-Cache"), "HIT" if said.get("hit") else "MISS")
    check(not ("hit" in said and "fwd" in said), "RFC 9211 2.2: never together")
    if said.get("hit"):
        check(got.get("Age") is not None, "RFC 9111 5.1: no Age")


def check_metrics(larder):
    counted = {}
    for _, _, _, (result, reason, _) in STORY:
        counted[result, reason] = counted.get((result, reason), 0) + 1
    for (result, reason), count in counted.items():
        with case(f"metric {result} {reason}"):
            larder.wait_for_metric(count, "cache_results_total", seconds=2, result=result, reason=reason)
    total = sum(
        float(line.rsplit(" ", 1)[1])
        for line in larder.admin("/metrics").body.decode().splitlines()
        if line.startswith("larder_cache_results_total{")
    )
    equal(total, len(STORY), "all of them, and each once")


def test_refused():
    """Errors that no route had a say in carry it, too."""
    table = {
        "no host": (["GET / HTTP/1.1"], 400, "bad-host"),
        "bad field": (["GET / HTTP/1.1", "Host: a", "X : y"], 400, "bad-field"),
        "TRACE": (["TRACE / HTTP/1.1", "Host: a"], 405, "method-refused"),
        "expectation": (["GET / HTTP/1.1", "Host: a", "Expect: magic"], 417, "expect-unknown"),
        "long line": (["GET /" + "x" * 9000 + " HTTP/1.1", "Host: a"], 414, "line-too-long"),
        "large head": (["GET / HTTP/1.1", "Host: a", "X: " + "x" * 40000], 431, "head-too-large"),
    }
    with Origin() as origin, Larder(origin) as larder:
        for name, (lines, code, detail) in table.items():
            with case(name):
                got = larder.ask(*lines)
                equal(got.status, code)
                says(got, hit=None, fwd=None, stored=None, detail=detail)
                equal(got.get("X-Cache"), "MISS")
                equal(got.get("Cache-Control"), "no-store")
        equal(len(origin.requests), 0)


def test_no_route():
    config = {"routes": [{"host": "b", "path": "/", "origin": "default"}]}
    with Origin() as origin, Larder(origin, config=config) as larder:
        got = larder.get("/")
        equal(got.status, 404)
        says(got, hit=None, fwd=None, detail="no-route")


def test_failures():
    """What the origin did wrong is the detail; what was asked of it stays the fwd."""
    table = {
        "/closed": (CLOSE, 502, "origin-closed"),
        "/malformed": (b"220 smtp ready\r\n\r\n", 502, "origin-malformed"),
        "/slow": (lambda *_: time.sleep(0.5), 504, "origin-slow"),
    }
    config = {"origin": {"first-byte-timeout": "100ms"}}
    with Origin(Pages({name: row[0] for name, row in table.items()})) as origin:
        with Larder(origin, config=config) as larder:
            for target, (_, code, detail) in table.items():
                with case(target):
                    got = larder.get(target)
                    equal(got.status, code)
                    says(got, hit=None, fwd="uri-miss", stored=None, detail=detail)
                with case(f"POST {target}"):
                    got = larder.ask(f"POST {target} HTTP/1.1", "Host: a", "Content-Length: 0")
                    equal(got.status, code)
                    says(got, fwd="method", detail=detail)
    with Larder(f"http://127.0.0.1:{free_port()}") as larder:
        got = larder.get("/")
        equal(got.status, 502)
        says(got, fwd="uri-miss", detail="origin-connect")


def test_ttl():
    """RFC 9211 2.4: of a hit what is left, negative when it is stale; of what is stored, all."""
    with Origin(Pages(PAGES)) as origin, Larder(origin) as larder:
        check(59 <= status(larder.get("/fresh"))["ttl"] <= 60, "stored")
        check(59 <= status(larder.get("/fresh"))["ttl"] <= 60, "hit")
        check(-11 <= status(larder.get("/swr"))["ttl"] <= -10, "stored stale")
        check(-11 <= status(larder.get("/swr"))["ttl"] <= -10, "hit stale")
        equal(status(larder.get("/private")).get("ttl"), None)


def test_collapsed():
    """RFC 9211 2.7."""
    gate = Gate(lasting("max-age=60"))
    with Origin(gate) as origin, Larder(origin) as larder:
        with crowd(larder, 2, "/") as wires:
            wait_until_asked(origin, "/")
            larder.wait_for_metric(1, "cache_waits_total")
            gate.open()
            said = sorted((status(wire.read_answer()) for wire in wires), key=lambda s: s.get("collapsed", False))
        equal([s.get("collapsed") for s in said], [None, True])
        equal([s.get("stored") for s in said], [True, None])
        equal([s["fwd"] for s in said], ["uri-miss"] * 2)
        larder.wait_for_metric(1, "cache_results_total", result="collapsed", reason="collapsed")


def test_another_cache_before_us():
    """RFC 9211 2: members of caches nearer the origin come first, and ours is the last."""
    said = lasting("max-age=60", b"ok", 'Cache-Status: inner; hit; ttl=5, "outer cache"; fwd=miss')
    with Origin(said) as origin, Larder(origin) as larder:
        for hit in (None, True):
            got = larder.get("/")
            whole = ", ".join(got.all("Cache-Status"))
            check(whole.startswith('inner; hit; ttl=5, "outer cache"; fwd=miss, larder;'), whole)
            says(got, hit=hit)


def test_names_and_switches():
    """What it is called, and what of it is sent, is configured."""
    with Origin(lasting("max-age=60")) as origin:
        config = {"name": "edge-7", "cache": {"cache-status-key": False, "x-cache": False}}
        with Larder(origin, config=config) as larder:
            got = larder.get("/")
            check(got.get("Cache-Status").startswith("edge-7; fwd=uri-miss"), got.get("Cache-Status"))
            equal(("key=" in got.get("Cache-Status"), got.get("X-Cache")), (False, None))
        with Larder(origin, config={"cache": {"cache-status": False}}) as larder:
            got = larder.get("/")
            equal((got.get("Cache-Status"), got.get("X-Cache")), (None, "MISS"))


def test_the_key_is_quoted():
    """RFC 9651 3.3.3: a String, whatever the URI holds."""
    with Origin(lasting("max-age=60")) as origin, Larder(origin) as larder:
        for target in ("/a'b", "/%22", "/a?b=%5C", "/a?b;c,d"):
            with case(target):
                equal(status(larder.get(target))["key"], f"http://a{target}")


def test_log_is_one_line():
    """age and ttl in the log are those of the answer; an answer that never came has none."""
    with Origin(Pages(PAGES)) as origin:
        larder = Larder(origin)
        log = larder.path / "access"
        larder.configure({"log": {"access": str(log)}})
        with larder:
            for target in ("/fresh", "/fresh", "/closed"):
                larder.get(target)
            lines = access_lines(log, 3)
            for line, ttl in zip(lines, (60, 60, None)):
                with case(line["path"]):
                    if ttl is None:
                        equal((line["age"], line["ttl"], line["failure"]), (None, None, "origin-closed"))
                    else:
                        check(ttl - 1 <= line["ttl"] <= ttl and 0 <= line["age"] <= 1, f"{line}")
            check(eventually(lambda: larder.metric("access_log_lines_total") == 3, "lines"), "lines")


scene.run()
