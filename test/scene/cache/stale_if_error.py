#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""stale-if-error (RFC 5861 4): a stale answer covers for an origin that fails, in whichever way,
for as long as the answer says, at most as long as the operator allows; never where it is
forbidden."""

import time

import scene
from caching import Gate, Pages, asked, crowd, is_hit, lasting, says, status, wait_until_asked
from larder import Larder
from origin import CLOSE, Origin, answer
from scene import case, check, equal

STALE = lasting("max-age=10, stale-if-error=60", b"old", "Age: 20", 'ETag: "x"')


def silent(*_):
    """Takes the request and says nothing."""
    time.sleep(1.2)
    return CLOSE


def reset(_, wire):
    wire.reset()


# name: what the origin does when it is asked again
FAILURES = {
    "500": answer(b"down", status="500 Internal"),
    "502": answer(b"down", status="502 Bad"),
    "503": answer(b"down", "Retry-After: 9", status="503 Down"),
    "504": answer(b"down", status="504 Late"),
    "503 that may be stored": lasting("max-age=60", b"down", status="503 Down"),
    "reset": reset,
    "closed": CLOSE,
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE),
    "too slow": silent,
}


def test_failures():
    config = {"origin": {"first-byte-timeout": "200ms"}}
    for name, failure in FAILURES.items():
        with case(name), Origin(Pages({"/": [STALE, failure]})) as origin:
            with Larder(origin, config=config) as larder:
                larder.get("/")
                got = larder.get("/")
                equal((got.status, got.body), (200, b"old"))
                said = says(got, detail="stale-if-error", stored=None)
                check(not ("hit" in said and "fwd" in said), f"RFC 9211 2.1: {said}")
                check(int(got.get("Age")) >= 20, "Age")
                check(status(got)["ttl"] < 0, "ttl")
                equal(larder.get("/").body, b"old", "and again")


def test_refused():
    """Nobody listens any more."""
    origin = Origin(STALE)
    with Larder(origin) as larder:
        larder.get("/")
        origin.close()
        for _ in range(3):
            got = larder.get("/")
            equal((got.status, got.body), (200, b"old"))
            says(got, detail="stale-if-error")
        got = larder.get("/unknown")
        equal(got.status, 502)
        says(got, hit=None, fwd="uri-miss", stored=None, detail="origin-connect")


def test_it_recovers():
    """An error takes nothing away: when the origin is back, it validates what was stored."""
    pages = Pages({"/": [STALE, FAILURES["503"], FAILURES["500"], lasting("max-age=60", b"new")]})
    with Origin(pages) as origin, Larder(origin) as larder:
        larder.get("/")
        equal([larder.get("/").body for _ in range(3)], [b"old", b"old", b"new"])
        equal(asked(origin, "/")[-1].get("If-None-Match"), '"x"')
        check(is_hit(larder.get("/")), "fresh again")


def test_other_answers_are_answers():
    """What is no failure replaces the stored answer."""
    for code in (404, 403, 501):
        pages = Pages({"/": [STALE, answer(b"other", status=f"{code} Other")]})
        with case(str(code)), Origin(pages) as origin, Larder(origin) as larder:
            larder.get("/")
            got = larder.get("/")
            equal((got.status, got.body), (code, b"other"))


def test_window():
    # name: settings, Cache-Control, Age -> is it covered?
    named = "max-age=10, stale-if-error=60"
    table = {
        "within": ({}, named, 69, True),
        "beyond": ({}, named, 71, False),
        "zero": ({}, "max-age=10, stale-if-error=0", 11, False),
        "capped": ({"stale-if-error-max": "30s"}, "max-age=10, stale-if-error=600", 41, False),
        "within the cap": (
            {"stale-if-error-max": "30s"},
            "max-age=10, stale-if-error=600",
            38,
            True,
        ),
        "the refresh's cap is another": ({"stale-while-revalidate-max": "1s"}, named, 40, True),
        # RFC 9111 4.2.4, 5.2.2.2, 5.2.2.8, 5.2.2.10, 5.2.2.4
        "must-revalidate": ({}, named + ", must-revalidate", 20, False),
        "proxy-revalidate": ({}, named + ", proxy-revalidate", 20, False),
        "no-cache": ({}, named + ", no-cache", 20, False),
        "no-cache, and fresh": ({}, named + ", no-cache", 5, False),
        "s-maxage": ({}, "s-maxage=10", 11, False),
        "s-maxage beside a window": ({}, "s-maxage=10, stale-if-error=60", 20, True),
    }
    for name, (settings, control, age, covered) in table.items():
        said = lasting(control, b"old", f"Age: {age}", 'ETag: "x"')
        for kind, failure in (("503", FAILURES["503"]), ("closed", CLOSE)):
            pages = Pages({"/": [said, failure]})
            with case(f"{name}, {kind}"), Origin(pages) as origin:
                with Larder(origin, config={"cache": settings}) as larder:
                    larder.get("/")
                    code = 503 if kind == "503" else 502
                    equal(larder.get("/").status, 200 if covered else code)


def test_the_operators_window():
    """Without a word of the origin: an hour by default, or as configured; counted from the end of
    the freshness that the answer had."""
    table = {
        "/default": ({}, b"old"),
        "/off": ({"stale-if-error": 0}, b"down"),
        "/own": ({"stale-if-error": "10m"}, b"old"),
    }
    routes = [
        {"path": path, "origin": "default", "cache": settings}
        for path, (settings, _) in table.items()
    ]
    both = [lasting("max-age=1", b"old"), FAILURES["503"]]
    with Origin(Pages(dict.fromkeys(table, both))) as origin, Larder(
        origin, config={"routes": routes}
    ) as larder:
        for target in table:
            larder.get(target)
        time.sleep(1.02)
        for target, (_, body) in table.items():
            with case(target):
                equal(larder.get(target).body, body)


def test_the_clients_window():
    """RFC 5861 4: a client may ask for it, too; it opens nothing that the origin closed."""
    table = {"max-age=10": 200, "max-age=10, must-revalidate": 503, "max-age=10, no-cache": 503}
    for control, code in table.items():
        said = lasting(control, b"old", "Age: 20", 'ETag: "x"')
        pages = Pages({"/": [said, FAILURES["503"]]})
        with case(control), Origin(pages) as origin, Larder(
            origin, config={"cache": {"stale-if-error": 0}}
        ) as larder:
            larder.get("/")
            equal(larder.get("/", "Cache-Control: stale-if-error=60").status, code)


def test_never_fresh():
    """What was never fresh, and names no window, is not kept for the day when the origin fails."""
    pages = Pages({"/": [lasting("max-age=0", b"old", 'ETag: "x"'), FAILURES["503"]]})
    with Origin(pages) as origin, Larder(origin) as larder:
        larder.get("/")
        equal(larder.get("/").status, 503)


def test_everyone_who_waits():
    """All who joined the fetch that failed get the stale answer, and the origin is asked once."""
    gate = Gate(FAILURES["half a head"])  # not to be tried again, since something came
    with Origin(Pages({"/": [STALE, gate]})) as origin, Larder(origin, workers=4) as larder:
        larder.get("/")
        with crowd(larder, 50, "/") as wires:
            wait_until_asked(origin, "/", 2)
            larder.wait_for_metric(49, "cache_waits_total")
            gate.open()
            for wire in wires:
                got = wire.read_answer()
                equal((got.status, got.body), (200, b"old"))
                says(got, detail="stale-if-error")
        equal(len(origin.requests), 2)


scene.run()
