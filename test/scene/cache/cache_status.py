#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Every answer says what the cache did and why (RFC 9211), and the access log and the metrics say
the same: one reason code with its clause."""

import time
from collections import Counter

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
    "/valid": [
        lasting("max-age=10", b"ok", "Age: 20", 'ETag: "x"'),
        head("HTTP/1.1 304 Not Modified"),
    ],
    "/swr": [lasting(STALE, b"ok", "Age: 20"), lasting("max-age=60")],
    "/sie": [lasting("max-age=10", b"ok", "Age: 20"), answer(b"", status="503 Down")],
    "/vary": lasting("max-age=60", b"ok", "Vary: Foo"),
    "/closed": CLOSE,
    "/404": answer(b"none", status="404 Not Found"),
    "/no-cache": lasting("no-cache", b"ok", 'ETag: "x"'),
    None: lasting("max-age=60"),
}


def hit(detail=None):
    return {"hit": True, "detail": detail}


def stored(fwd, detail=None, code=200):
    return {"fwd": fwd, "fwd_status": code, "stored": True, "detail": detail}


def passed(fwd, detail, code=200):
    return {"fwd": fwd, "fwd_status": code, "detail": detail}


# The log's `clause` of each reason.
CLAUSES = {
    "uri-miss": "RFC 9211 2.2",
    "vary-miss": "RFC 9111 4.1",
    "fresh": "RFC 9111 4.2",
    "stale": "RFC 9111 4.2.4",
    "not-modified": "RFC 9111 4.3.4",
    "stale-while-revalidate": "RFC 5861 3",
    "stale-if-error": "RFC 5861 4",
    "max-stale": "RFC 9111 5.2.1.2",
    "request-no-cache": "RFC 9111 5.2.1.4",
    "only-if-cached": "RFC 9111 5.2.1.7",
    "no-cache": "RFC 9111 5.2.2.4",
    "private": "RFC 9111 5.2.2.7",
    "method": "RFC 9111 4",
    "range": "RFC 9111 3.3",
    "precondition": "RFC 9111 4.3.2",
}

# What is asked, in this order: request and fields; Cache-Status; the log's status and reason.
STORY = [
    ("GET /fresh", [], stored("uri-miss"), "miss uri-miss"),
    ("GET /fresh", [], hit(), "hit fresh"),
    ("HEAD /fresh", [], hit(), "hit fresh"),
    ("GET /fresh", ['If-None-Match: "x"'], hit(), "hit fresh"),
    ("GET /fresh", ["Range: bytes=0-0"], hit(), "hit fresh"),
    ("GET /fresh", ["Range: bytes=9-"], hit(), "hit fresh"),
    (
        "GET /fresh",
        ["Cache-Control: no-cache"],
        stored("request", "request-no-cache"),
        "miss request-no-cache",
    ),
    ("GET /private", [], passed("uri-miss", "private"), "pass private"),
    ("GET /private", [], passed("uri-miss", "known-uncacheable"), "pass known-uncacheable"),
    ("GET /stale", [], stored("uri-miss"), "miss uri-miss"),
    ("GET /stale", [], stored("stale"), "miss stale"),
    ("GET /valid", [], stored("uri-miss"), "miss uri-miss"),
    ("GET /valid", [], stored("stale", "not-modified", 304), "revalidated not-modified"),
    ("GET /swr", [], stored("uri-miss"), "miss uri-miss"),
    ("GET /swr", [], hit("stale-while-revalidate"), "stale stale-while-revalidate"),
    ("GET /sie", [], stored("uri-miss"), "miss uri-miss"),
    ("GET /sie", ["Cache-Control: max-stale"], hit("max-stale"), "stale max-stale"),
    ("GET /sie", [], hit("stale-if-error"), "stale stale-if-error"),
    ("GET /vary", ["Foo: 1"], stored("uri-miss"), "miss uri-miss"),
    ("GET /vary", ["Foo: 2"], stored("vary-miss"), "miss vary-miss"),
    ("POST /fresh", ["Content-Length: 0"], passed("method", "method"), "pass method"),
    (
        "GET /fresh",
        ["Cache-Control: only-if-cached"],
        {"detail": "only-if-cached"},
        "error only-if-cached",
    ),
    ("GET /bypass", [], passed("bypass", "bypass"), "pass bypass"),
    ("GET /closed", [], passed("uri-miss", "origin-closed", None), "error origin-error"),
    ("GET /404", [], stored("uri-miss", code=404), "miss uri-miss"),
    ("GET /404", [], hit(), "hit fresh"),
    ("GET /other", ["Range: bytes=0-0"], passed("uri-miss", "range"), "pass range"),
    ("GET /other", ["If-Match: *"], passed("request", "precondition"), "pass precondition"),
    ("GET /no-cache", [], stored("uri-miss"), "miss uri-miss"),
    ("GET /no-cache", [], stored("stale", "no-cache"), "miss no-cache"),
]
PARAMETERS = ("hit", "fwd", "fwd_status", "stored", "collapsed", "detail")


def test_the_story():
    """The same of each: in the answer, in the log, in the metrics."""
    bypass = {"path": "/bypass", "origin": "default", "cache": {"enabled": False}}
    routes = [{"path": "/", "origin": "default"}, bypass]
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
                asked, fields, _, words = STORY[number]
                with case(f"log {number}: {asked} {fields}"):
                    equal(f"{line['method']} {line['path']}", asked)
                    equal(f"{line['cache_status']} {line['cache_reason']}", words)
                    equal(line.get("clause"), CLAUSES.get(line["cache_reason"]))
            check_metrics(larder)


def check_status(got, wanted, target):
    said = status(got)
    was_both = wanted.get("detail") == "stale-if-error"  # it was forwarded, and came from the store
    for name in PARAMETERS:
        if was_both and name in ("hit", "fwd", "fwd_status"):
            continue
        equal(said.get(name.replace("_", "-")), wanted.get(name), f"{name} of {said}")
    equal(said["key"], f"http://a{target}")
    is_covered = said.get("detail") == "stale-if-error"  # forwarded, and answered from the store
    equal(
        isinstance(said.get("ttl"), int),
        bool(said.get("hit") or said.get("stored") or is_covered),
        f"ttl of {said}",
    )
    equal(got.get("X-Cache"), "HIT" if said.get("hit") or is_covered else "MISS")
    check(not ("hit" in said and "fwd" in said), "RFC 9211 2.2: never together")
    if said.get("hit"):
        check(got.get("Age") is not None, "RFC 9111 5.1: no Age")


def check_metrics(larder):
    for words, count in Counter(row[3] for row in STORY).items():
        result, reason = words.split(" ")
        with case(f"metric {words}"):
            larder.wait_for_metric(
                count, "cache_results_total", result=result, reason=reason
            )
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
            said = sorted(
                (status(wire.read_answer()) for wire in wires),
                key=lambda s: s.get("collapsed", False),
            )
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
            check(
                got.get("Cache-Status").startswith("edge-7; fwd=uri-miss"), got.get("Cache-Status")
            )
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
                        equal(
                            (line["age"], line["ttl"], line["failure"]),
                            (None, None, "origin-closed"),
                        )
                    else:
                        check(ttl - 1 <= line["ttl"] <= ttl and 0 <= line["age"] <= 1, f"{line}")
            check(
                eventually(lambda: larder.metric("access_log_lines_total") == 3, "lines"), "lines"
            )


scene.run()
