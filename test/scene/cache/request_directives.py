#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What a client asks of the cache (RFC 9111 5.2.1), and how far it gets."""

import scene
from caching import asked, is_hit, lasting, numbered, says
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal

# The stored answer is 30 s old and fresh for another 70, or stale for 30.
FRESH = lasting("max-age=100", b"ok", 'ETag: "x"', "Age: 30")
STALE = lasting("max-age=100", b"ok", 'ETag: "x"', "Age: 130")

# name: what is stored, what the client asks, why the origin is asked (None = it is not), detail
TABLE = {
    # RFC 9111 5.2.1.4
    "no-cache": (FRESH, "no-cache", "request", "request-no-cache"),
    "no-cache of no value": (FRESH, "no-cache, max-stale", "request", "request-no-cache"),
    # RFC 9111 5.2.1.1
    "max-age reached": (FRESH, "max-age=20", "request", "request-max-age"),
    "max-age=0": (FRESH, "max-age=0", "request", "request-max-age"),
    "max-age, older": (FRESH, "max-age=60", None, None),
    "max-age that is no number": (FRESH, "max-age=soon", "request", "request-max-age"),
    # RFC 9111 5.2.1.3
    "min-fresh is left": (FRESH, "min-fresh=60", None, None),
    "min-fresh is not left": (FRESH, "min-fresh=90", "request", "request-min-fresh"),
    # RFC 9111 5.2.1.2
    "max-stale": (STALE, "max-stale", None, "max-stale"),
    "max-stale, enough": (STALE, "max-stale=60", None, "max-stale"),
    "max-stale, too little": (STALE, "max-stale=10", "stale", None),
    "stale": (STALE, "x-nothing", "stale", None),
    # RFC 9111 5.2.3
    "unknown directives": (FRESH, "nothing-to-see-here, x=1", None, None),
    "names in any case": (FRESH, "No-Cache", "request", "request-no-cache"),
}


def test_directives():
    rows = list(TABLE.values())

    def reply(request, _):
        if request.get("If-None-Match"):
            return answer(b"", 'ETag: "x"', "Cache-Control: max-age=100", status="304 Not Modified")
        return rows[int(request.target[1:])][0]

    with Origin(reply) as origin, Larder(origin) as larder:
        for number, (name, (_, control, why, detail)) in enumerate(TABLE.items()):
            target = f"/{number}"
            with case(name):
                larder.get(target)
                got = larder.get(target, f"Cache-Control: {control}")
                equal((got.status, got.body), (200, b"ok"))
                if why:
                    says(got, hit=None, fwd=why, fwd_status=304, detail="not-modified", stored=True)
                else:
                    says(got, hit=True, fwd=None, detail=detail)
                equal(len(asked(origin, target)), 2 if why else 1)


def test_the_reason_when_the_origin_answers_anew():
    """Not validated but replaced: the reason why it was asked is what the detail says."""
    with Origin(numbered("max-age=100")) as origin, Larder(origin) as larder:
        larder.get("/")
        got = larder.get("/", "Cache-Control: no-cache")
        equal(got.body, b"2")
        says(got, fwd="request", fwd_status=200, stored=True, detail="request-no-cache")
        equal(larder.get("/").body, b"2", "what is stored now")


def test_pragma():
    """RFC 9111 5.4: Pragma: no-cache asks where there is no Cache-Control."""
    with Origin(numbered("max-age=100")) as origin, Larder(origin) as larder:
        larder.get("/")
        equal(larder.get("/", "Pragma: no-cache").body, b"2")
        equal(larder.get("/", "Pragma: no-cache", "Cache-Control: max-age=50").body, b"2")
        equal(larder.get("/", "Pragma: foo").body, b"2")


def test_no_store():
    """RFC 9111 5.2.1.5: its answer is not stored; what is stored already is no affair of it."""
    with Origin(numbered("max-age=100")) as origin, Larder(origin) as larder:
        for body in (b"1", b"2"):
            got = larder.get("/", "Cache-Control: no-store")
            equal(got.body, body)
            says(got, fwd="uri-miss", stored=None, detail="request-no-store")
        equal(larder.get("/").body, b"3")
        check(is_hit(larder.get("/")), "stored")
        larder.get("/", "Cache-Control: no-store")
        equal(larder.get("/").body, b"3", "still stored")


def test_only_if_cached():
    """RFC 9111 5.2.1.7: 504 unless something usable is stored; the origin is not asked."""
    with Origin(by_path) as origin, Larder(origin) as larder:
        only = "Cache-Control: only-if-cached"
        got = larder.get("/fresh", only)
        equal(got.status, 504)
        says(got, hit=None, stored=None, detail="only-if-cached")
        for target in ("/fresh", "/stale", "/always"):
            larder.get(target)
        equal(larder.get("/fresh", only).status, 200)
        check(is_hit(larder.get("/fresh", only)), "no hit")
        equal(larder.get("/stale", only).status, 504)
        equal(larder.get("/stale", only + ", max-stale").status, 200)
        equal(larder.get("/always", only).status, 504)
        equal(larder.get("/fresh", only + ", max-age=1").status, 504, "too old for the client")
        equal(larder.ask("HEAD /none HTTP/1.1", "Host: a", only).status, 504)
        equal(len(origin.requests), 3)


def by_path(request, _):
    if request.target == "/always":
        return lasting("max-age=100, no-cache", b"ok", 'ETag: "x"')
    return STALE if request.target == "/stale" else FRESH


def test_max_stale_has_limits():
    """RFC 9111 5.2.1.2, 4.2.4: not where the origin forbids stale answers."""
    for control in ("must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=100"):
        said = lasting(f"max-age=100, {control}", b"ok", 'ETag: "x"', "Age: 130")
        with case(control), Origin(said) as origin, Larder(origin) as larder:
            larder.get("/")
            got = larder.get("/", "Cache-Control: max-stale=1000")
            check(not is_hit(got), f"{control}: served stale")
            equal(len(origin.requests), 2)


def test_immutable():
    """RFC 8246 2: a reload does not validate what is immutable and fresh; a forced one does."""
    with Origin(by_kind) as origin, Larder(origin) as larder:
        for target in ("/fresh", "/stale"):
            larder.get(target)
        reload = "Cache-Control: max-age=0"
        check(is_hit(larder.get("/fresh", reload)), "max-age=0 asked for what is immutable")
        got = larder.get("/fresh", "Cache-Control: no-cache")
        check(not is_hit(got), "no-cache did not")
        check(not is_hit(larder.get("/stale", reload)), "stale is not immutable")


def by_kind(request, _):
    age = "Age: 130" if request.target == "/stale" else "Age: 30"
    return lasting("max-age=100, immutable", b"ok", 'ETag: "x"', age)


scene.run()
