#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""stale-while-revalidate (RFC 5861 3): a stale answer is served at once and refreshed once behind
the client's back; for as long as the origin says, at most as long as the operator allows."""

import time

import scene
from caching import Gate, Pages, asked, crowd, is_hit, lasting, says, wait_until_asked
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal
from wire import head

CONTROL = "max-age=10, stale-while-revalidate=60"
STALE = lasting(CONTROL, b"old", "Age: 20", 'ETag: "x"')


def settle(larder):
    """Waits until no fetch is under way."""
    larder.wait_for_metric(0, "cache_fetches_under_way")


def test_stale_at_once_then_fresh():
    gate = Gate(lasting("max-age=60", b"new"))
    with Origin(Pages({"/": [STALE, gate]})) as origin, Larder(origin) as larder:
        larder.get("/")
        begin = time.monotonic()
        got = larder.get("/")
        check(time.monotonic() - begin < 5, "it waited for the origin")
        equal(got.body, b"old")
        said = says(got, hit=True, fwd=None, detail="stale-while-revalidate")
        check(said["ttl"] < 0, f"{said}")
        check(int(got.get("Age")) >= 20, "Age")
        wait_until_asked(origin, "/", 2)
        equal(asked(origin, "/")[1].get("If-None-Match"), '"x"', "the refresh validates")
        gate.open()
        settle(larder)
        got = larder.get("/")
        equal((got.body, is_hit(got)), (b"new", True))
        equal(len(origin.requests), 2)
        equal(larder.metric("cache_refreshes_total"), 1)


def test_a_304_refreshes():
    pages = Pages({"/": [STALE, head("HTTP/1.1 304 Not Modified", "Cache-Control: max-age=60")]})
    with Origin(pages) as origin, Larder(origin) as larder:
        larder.get("/")
        equal(larder.get("/").body, b"old")
        settle(larder)
        got = larder.get("/")
        equal((got.body, is_hit(got), status_detail(got)), (b"old", True, None))
        equal(len(origin.requests), 2)


def status_detail(got):
    return says(got).get("detail")


def test_exactly_one_refresh():
    """However many clients come, on however many workers."""
    gate = Gate(lasting("max-age=60", b"new"))
    with Origin(Pages({"/": [STALE, gate]})) as origin, Larder(origin, workers=4) as larder:
        larder.get("/")
        with crowd(larder, 100, "/") as wires:
            for wire in wires:
                equal(wire.read_answer().body, b"old")
        wait_until_asked(origin, "/", 2)
        gate.open()
        settle(larder)
        equal(larder.get("/").body, b"new")
        equal(len(origin.requests), 2)


def test_a_refresh_that_fails():
    """The stale answer goes on being served; the next client asks again."""
    down = answer(b"down", status="503 Down")
    with Origin(Pages({"/": [STALE, down, down, lasting("max-age=60", b"new")]})) as origin:
        with Larder(origin) as larder:
            larder.get("/")
            for turn in (2, 3, 4):
                got = larder.get("/")
                equal((got.status, got.body), (200, b"old"))
                wait_until_asked(origin, "/", turn)
                settle(larder)
            equal(larder.get("/").body, b"new")


# What other clients' ways of asking must not do to the refresh, which is the cache's own.
ASKERS = {
    "HEAD": ("HEAD", []),
    "no-store": ("GET", ["Cache-Control: no-store"]),
    "Range": ("GET", ["Range: bytes=0-0"]),
    "If-None-Match": ("GET", ['If-None-Match: "x"']),
    "Authorization": ("GET", ["Authorization: Basic eHk6eg=="]),
}


def test_who_asks_does_not_matter():
    """The refresh is a GET of the whole, whatever started it, and the stored answer outlives it."""
    for name, (method, fields) in ASKERS.items():
        pages = Pages({"/": [STALE, lasting("max-age=60", b"new")]})
        with case(name), Origin(pages) as origin, Larder(origin) as larder:
            larder.get("/")
            equal(
                larder.ask(f"{method} / HTTP/1.1", "Host: a", *fields).status in (200, 206, 304),
                True,
            )
            settle(larder)
            equal([r.method for r in origin.requests][1:], ["GET"], "what the origin was asked")
            equal(origin.requests[1].get("Range"), None)
            with case(f"{name}: afterwards"):
                got = larder.get("/")
                check(is_hit(got), f"neither the old nor the new one is stored: {says(got)}")


def test_window():
    """How long: what the origin says, up to the cap; what the operator says where it is silent; not
    beyond."""
    # name: settings, Cache-Control, Age -> served stale?
    table = {
        "within": ({}, "max-age=10, stale-while-revalidate=60", 69, True),
        "beyond": ({}, "max-age=10, stale-while-revalidate=60", 71, False),
        "none": ({}, "max-age=10", 11, False),
        "zero": (
            {"stale-while-revalidate": "1h"},
            "max-age=10, stale-while-revalidate=0",
            11,
            False,
        ),
        "capped": (
            {"stale-while-revalidate-max": "30s"},
            "max-age=10, stale-while-revalidate=600",
            41,
            False,
        ),
        "within the cap": (
            {"stale-while-revalidate-max": "30s"},
            "max-age=10, stale-while-revalidate=600",
            38,
            True,
        ),
        "beyond a day, the default cap": (
            {},
            "max-age=10, stale-while-revalidate=999999",
            86412,
            False,
        ),
        "the errors' cap is another": ({"stale-if-error-max": "1s"}, CONTROL, 30, True),
        # RFC 9111 5.2.2.2, 5.2.2.8, 5.2.2.4: these forbid it
        "must-revalidate": ({}, CONTROL + ", must-revalidate", 20, False),
        "proxy-revalidate": ({}, CONTROL + ", proxy-revalidate", 20, False),
        "no-cache": ({}, CONTROL + ", no-cache", 5, False),
    }
    for name, (settings, control, age, served) in table.items():
        said = lasting(control, b"old", f"Age: {age}", 'ETag: "x"')
        pages = Pages({"/": [said, lasting("max-age=60", b"new")]})
        with case(name), Origin(pages) as origin, Larder(
            origin, config={"cache": settings}
        ) as larder:
            larder.get("/")
            equal(larder.get("/").body, b"old" if served else b"new")


def test_the_operators_window():
    """A route's own, where the origin is silent: counted from the end of the freshness it had."""
    table = {"/own": ({"stale-while-revalidate": "60s"}, b"old"), "/default": ({}, b"new")}
    routes = [
        {"path": path, "origin": "default", "cache": settings}
        for path, (settings, _) in table.items()
    ]
    both = [lasting("max-age=1", b"old"), lasting("max-age=60", b"new")]
    with Origin(Pages(dict.fromkeys(table, both))) as origin, Larder(
        origin, config={"routes": routes}
    ) as larder:
        for target in table:
            larder.get(target)
        time.sleep(1.02)
        for target, (_, body) in table.items():
            with case(target):
                equal(larder.get(target).body, body)


def test_what_the_client_asks_goes_first():
    """RFC 9111 5.2.1: no-cache, max-age and min-fresh are not met by a stale answer."""
    for control in ("no-cache", "max-age=15", "min-fresh=1"):
        pages = Pages({"/": [STALE, lasting("max-age=60", b"new")]})
        with case(control), Origin(pages) as origin, Larder(origin) as larder:
            larder.get("/")
            equal(larder.get("/", f"Cache-Control: {control}").body, b"new")


scene.run()
