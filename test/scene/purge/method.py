#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Purging with the traffic: the PURGE method for those who may, Larder-Min-Seq for those who want no
less than what was purged, Cache-Group-Invalidation for origins (RFC 9875)."""

import json

import scene
from caching import is_hit, lasting, numbered, says
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal, eventually

MAY = {"purge": {"allow": ["127.0.0.0/8"]}}


def tagged(*fields):
    """GETs are numbered per target; all have these fields."""
    read = numbered("max-age=600, stale-while-revalidate=60", *fields)
    return lambda request, wire: (
        read(request, wire) if request.method == "GET" else answer(b"from the origin")
    )


def purge(larder, target="/", *fields):
    return larder.ask(f"PURGE {target} HTTP/1.1", "Host: a", *fields)


def test_a_url():
    with Origin(tagged("Vary: Foo")) as origin, Larder(origin, config=MAY) as larder:
        for value in ("x", "y"):
            larder.get("/1?b=2", f"Foo: {value}")
        larder.get("/2")
        got = purge(larder, "/1?b=2")
        equal(got.status, 200)
        receipt = json.loads(got.body)
        equal((receipt["seq"], receipt["mode"], receipt["durable"]), (1, "hard", True))
        equal(got.get("Larder-Seq"), "1")
        equal(receipt["actor"], "tcp:127.0.0.1", "an address is told from a token of that name")
        for value in ("x", "y"):
            says(larder.get("/1?b=2", f"Foo: {value}"), fwd="vary-miss", stored=True)
        check(is_hit(larder.get("/2")), "another URL is as it was")
        equal([request.method for request in origin.requests].count("PURGE"), 0)
        equal(larder.metric("purges_total", mode="hard"), 1)


def test_tags():
    for field in ("Surrogate-Key", "xkey"):
        with case(field):
            key = tagged("Surrogate-Key: one two")
            with Origin(key) as origin, Larder(origin, config=MAY) as larder:
                larder.get("/")
                equal(purge(larder, "/", f"{field}: other").status, 200)
                check(is_hit(larder.get("/")), "it has another tag")
                equal(purge(larder, "/elsewhere", f"{field}: three  TWO").status, 200)
                says(larder.get("/"), fwd="uri-miss", stored=True)


def test_tags_in_many_ways():
    """All lines of both names count, and tabs divide as spaces do."""
    for lines in (
        ("Surrogate-Key: one", "Surrogate-Key: two"),
        ("xkey: one", "xkey: two"),
        ("Surrogate-Key: one", "xkey: three", "surrogate-key: four", "XKEY: \t five  two "),
        ("Surrogate-Key: one\ttwo",),
        ("xkey: one \t two\tthree",),
    ):
        with case(f"{lines}"), Origin(tagged("Surrogate-Key: two")) as origin:
            with Larder(origin, config=MAY) as larder:
                larder.get("/")
                equal(purge(larder, "/elsewhere", *lines).status, 200)
                says(larder.get("/"), fwd="uri-miss", stored=True)


def test_as_many_tags_as_an_order_may_have():
    with Origin(tagged("Surrogate-Key: t")) as origin, Larder(origin, config=MAY) as larder:
        larder.get("/")
        got = purge(larder, "/", "Surrogate-Key: t" + " a" * 5000, "xkey:" + " b" * 5000)
        equal(got.status, 422)
        check(b"more than 10,000 tags" in got.body, str(got.body))
        check(is_hit(larder.get("/")), "all of it is done or nothing")
        equal(purge(larder, "/", "Surrogate-Key: t" + " a" * 4999, "xkey:" + " b" * 5000).status, 200)
        says(larder.get("/"), fwd="uri-miss", stored=True)


def test_soft():
    with Origin(tagged("Surrogate-Key: one")) as origin, Larder(origin, config=MAY) as larder:
        larder.get("/")
        got = purge(larder, "/", "Surrogate-Key: one", "Fastly-Soft-Purge: 1")
        equal(json.loads(got.body)["mode"], "soft")
        got = larder.get("/")
        equal(got.body, b"1")
        says(got, hit=True, detail="stale-while-revalidate")
        check(int(says(got)["ttl"]) <= 0, "it is stale")
        eventually(lambda: larder.get("/").body == b"2", "it was not refreshed")


def test_who_may():
    other = {"purge": {"allow": ["192.0.2.0/24"]}}
    with Origin(tagged()) as origin, Larder(origin, config=other) as larder:
        larder.get("/")
        equal(purge(larder).status, 403)
        check(is_hit(larder.get("/")), "a purge that was refused does nothing")
        # What somebody says of himself is not believed.
        equal(purge(larder, "/", "X-Forwarded-For: 192.0.2.1").status, 403)
    with Origin(tagged()) as origin, Larder(origin) as larder:
        equal(purge(larder).body, b"from the origin")


def test_min_seq():
    with Origin(tagged("Surrogate-Key: one")) as origin, Larder(origin, config=MAY) as larder:
        larder.get("/")
        larder.get("/other")
        seq = purge(larder, "/nothing").get("Larder-Seq")
        check(is_hit(larder.get("/")), "nothing of it was purged")
        got = larder.get("/", f"Larder-Min-Seq: {seq}")
        equal(got.body, b"2")
        says(got, fwd="request", detail="request-min-seq")
        # What was asked for behind the purge is new enough.
        check(is_hit(larder.get("/", f"Larder-Min-Seq: {seq}")), "it was just fetched")
        check(is_hit(larder.get("/other")), "others are not asked")
        for none in ("0", "00", "x", "-1", "1.5", ""):
            with case(none):
                check(is_hit(larder.get("/other", f"Larder-Min-Seq: {none}")), "it says nothing")
        # The origin fails: rather nothing than what is too old.
        seq = purge(larder, "/nothing").get("Larder-Seq")
        origin.reply = answer(b"", status="500 E")
        equal(larder.get("/other", f"Larder-Min-Seq: {seq}").status, 500)
        check(is_hit(larder.get("/other")), "others still have it")


def test_groups():
    def reply(request, wire):
        if request.method == "GET":
            return read(request, wire)
        return answer(b"", 'Cache-Group-Invalidation: "one", "x"')

    read = numbered("max-age=600", 'Cache-Groups: "one", "two"')
    with Origin(reply) as origin, Larder(origin) as larder:
        for host in ("a", "b"):
            larder.ask("GET /1 HTTP/1.1", f"Host: {host}")
        got = larder.ask("GET /1 HTTP/1.1", "Host: a")
        check(is_hit(got), "stored")
        larder.ask("POST /2 HTTP/1.1", "Host: a", "Content-Length: 0")
        check(not is_hit(larder.ask("GET /1 HTTP/1.1", "Host: a")), "its group was invalidated")
        check(is_hit(larder.ask("GET /1 HTTP/1.1", "Host: b")), "another origin's group was not")
        # A safe request's answer invalidates nothing (RFC 9875 3).
        read_again = numbered("max-age=600", 'Cache-Groups: "one"')
        origin.reply = lambda request, wire: (
            lasting("max-age=1", b"ok", 'Cache-Group-Invalidation: "one"')
            if request.target == "/safe"
            else read_again(request, wire)
        )
        larder.ask("GET /safe HTTP/1.1", "Host: a")
        check(is_hit(larder.ask("GET /1 HTTP/1.1", "Host: a")), "by a GET nothing changes")


scene.run()
