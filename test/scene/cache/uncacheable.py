#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What cannot be stored does not queue (hit-for-miss): a key that was uncacheable is remembered as
such for a while, and its requests go to the origin side by side; but only for as long as it is."""

import threading
import time

import scene
from caching import Pages, asked, crowd, is_hit, lasting, numbered, says, status
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal


def together(count, said):
    """A reply that comes only when so many requests are at the origin at the same time."""
    barrier = threading.Barrier(count)

    def reply(*_):
        barrier.wait(10)
        return said

    return reply


def test_all_at_once():
    """20 slow uncacheable requests are all at the origin at the same time, once the key is
    known."""
    for name, first in {
        "no-store": lasting("no-store"),
        "no lifetime": answer(b"ok"),
        "404": lasting("no-store", status="404 No"),
    }.items():
        pages = Pages({"/": [first, together(20, lasting("no-store", b"slow"))]})
        with case(name), Origin(pages) as origin, Larder(origin, workers=4) as larder:
            larder.get("/")
            with crowd(larder, 20, "/") as wires:
                for wire in wires:
                    got = wire.read_answer()
                    equal(got.body, b"slow")
                    says(
                        got, fwd="uri-miss", detail="known-uncacheable", collapsed=None, stored=None
                    )
            equal(len(origin.requests), 21)


def test_all_at_once_on_a_new_key():
    """When nobody knows the key yet the first one shows that it is uncacheable; the rest then go
    together."""
    pages = Pages({"/": [lasting("no-store", b"slow"), together(19, lasting("no-store", b"slow"))]})
    with Origin(pages) as origin, Larder(origin, workers=4) as larder:
        with crowd(larder, 20, "/") as wires:
            for wire in wires:
                equal(wire.read_answer().body, b"slow")
        equal(len(origin.requests), 20)


def test_it_becomes_cacheable():
    """The first answer that may be stored is stored: known-uncacheable is a reason not to wait, not
    a reason not to store."""
    pages = Pages(
        {"/": [lasting("no-store", b"1"), lasting("max-age=60", b"2"), lasting("max-age=60", b"3")]}
    )
    with Origin(pages) as origin, Larder(origin) as larder:
        equal([larder.get("/").body for _ in range(3)], [b"1", b"2", b"2"])
        check(is_hit(larder.get("/")), "not stored")


def test_it_is_forgotten():
    """uncacheable-ttl: then the key is one like others again."""
    pages = Pages({"/": [lasting("no-store", b"1"), lasting("max-age=60", b"2")]})
    with Origin(pages) as origin, Larder(
        origin, config={"cache": {"uncacheable-ttl": "300ms"}}
    ) as larder:
        larder.get("/")
        time.sleep(0.35)
        got = larder.get("/")
        says(got, fwd="uri-miss", detail=None, stored=True)
        check(is_hit(larder.get("/")), "not stored")


def test_off():
    """uncacheable-ttl 0: nothing is remembered."""
    with Origin(numbered("no-store")) as origin, Larder(
        origin, config={"cache": {"uncacheable-ttl": 0}}
    ) as larder:
        for _ in range(3):
            says(larder.get("/"), detail="no-store", stored=None)
        equal(len(origin.requests), 3)


def test_an_error_is_not_remembered_for_long():
    """A 503 that nobody may store does not keep the good answer behind it from being stored."""
    pages = Pages({"/": [answer(b"down", status="503 Down"), lasting("max-age=60", b"up")]})
    with Origin(pages) as origin, Larder(origin) as larder:
        equal(larder.get("/").status, 503)
        equal(larder.get("/").body, b"up")
        check(is_hit(larder.get("/")), "the origin is well again, and asked for each request")


def test_who_asks_makes_no_key_uncacheable():
    """That one client's request may not be answered for all says nothing about the others'."""
    table = {
        "no-store": ["Cache-Control: no-store"],
        "Authorization": ["Authorization: Basic eHk6eg=="],
        "Range": ["Range: bytes=0-0"],
        "If-Match": ["If-Match: *"],
    }
    for name, fields in table.items():
        with case(name), Origin(lasting("max-age=60")) as origin, Larder(origin) as larder:
            larder.get("/", *fields)
            says(larder.get("/"), fwd="uri-miss", stored=True, detail=None)
            check(is_hit(larder.get("/")), "not stored")


def test_it_hides_nothing():
    """A stored answer that may still be served stale is not lost to it."""
    stale = lasting("max-age=10, stale-if-error=600", b"good", "Age: 20", 'ETag: "x"')
    pages = Pages({"/": [stale, answer(b"", status="503 Down"), answer(b"", status="503 Down")]})
    with Origin(pages) as origin, Larder(origin) as larder:
        for _ in range(3):
            equal(larder.get("/").body, b"good")


def test_conditions_and_ranges_are_the_origins():
    """What is passed is passed whole."""
    with Origin(lasting("no-store", b"ok")) as origin, Larder(origin) as larder:
        larder.get("/")
        larder.get("/", 'If-None-Match: "x"', "Range: bytes=0-0")
        last = asked(origin, "/")[-1]
        equal((last.get("If-None-Match"), last.get("Range")), ('"x"', "bytes=0-0"))


def test_metrics():
    with Origin(lasting("no-store")) as origin, Larder(origin) as larder:
        for _ in range(3):
            check(not status(larder.get("/")).get("hit"), "hit")
        larder.wait_for_metric(1, "cache_results_total", result="pass", reason="no-store")
        larder.wait_for_metric(2, "cache_results_total", result="pass", reason="known-uncacheable")


scene.run()
