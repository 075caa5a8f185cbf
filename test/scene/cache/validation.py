#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Validation of what is stale (RFC 9111 4.3): what the origin is asked, what a 304 updates, what
another answer replaces, what a HEAD tells."""

import scene
from caching import Pages, asked, date, is_hit, lasting, says, status
from larder import Larder
from origin import CLOSE, Origin, answer
from scene import case, check, equal
from wire import head

THEN = "Tue, 03 Nov 2020 10:11:12 GMT"
STALE = "max-age=10"  # beside an Age of 20


def stale(body=b"old", *fields):
    return lasting(STALE, body, "Age: 20", *fields)


def not_modified(*fields):
    return head("HTTP/1.1 304 Not Modified", *fields)


def test_what_is_asked():
    """RFC 9111 4.3.1: the validators, byte for byte as the origin wrote them, and no condition of
    the client's."""
    table = {
        "ETag": (['ETag: "x"'], ('"x"', None)),
        "weak": (['ETag: W/"x"'], ('W/"x"', None)),
        "odd": (["ETag: x y"], ("x y", None)),
        "Last-Modified": ([f"Last-Modified: {THEN}"], (None, THEN)),
        "old form": (
            ["Last-Modified: Tuesday, 03-Nov-20 10:11:12 GMT"],
            (None, "Tuesday, 03-Nov-20 10:11:12 GMT"),
        ),
        "both": (['ETag: "x"', f"Last-Modified: {THEN}"], ('"x"', THEN)),
        "neither": ([], (None, None)),
    }
    rows = list(table.values())
    with Origin(lambda r, _: stale(b"old", *rows[int(r.target[1:])][0])) as origin:
        with Larder(origin) as larder:
            for number, (name, (_, wanted)) in enumerate(table.items()):
                with case(name):
                    larder.get(f"/{number}")
                    larder.get(
                        f"/{number}",
                        'If-None-Match: "mine"',
                        f"If-Modified-Since: {date()}",
                        "X-Own: 1",
                    )
                    first, second = asked(origin, f"/{number}")
                    equal(first.get("If-None-Match"), None)
                    equal((second.get("If-None-Match"), second.get("If-Modified-Since")), wanted)
                    equal(second.get("X-Own"), "1", "a field of the client's")


def test_304_updates():
    """RFC 9111 4.3.4, 3.2: the fields of a 304 take the place of the stored ones, for this client
    and for the next; what describes the stored bytes stays."""
    first = lasting(
        "public, max-age=10",
        b"old",
        "Age: 20",
        'ETag: "x"',
        "X-Changed: 1",
        "X-Changed: 2",
        "X-Kept: 1",
        "Content-Type: text/old",
        "Content-Encoding: odd",
        "Content-MD5: old",
        "Set-Cookie: a=1",
    )
    update = not_modified(
        'ETag: "y"',
        "Cache-Control: public, max-age=1000",
        "X-Changed: 3",
        "X-New: 1",
        "Content-Type: text/new",
        "Content-Encoding: other",
        "Content-Length: 99",
        "Content-MD5: new",
        "Content-Range: bytes 0-1/2",
        "Set-Cookie: a=2",
        "Connection: x-hop",
        "X-Hop: 1",
    )
    with Origin(Pages({"/": [first, update]})) as origin, Larder(origin) as larder:
        larder.get("/")
        validated, hit = larder.get("/"), larder.get("/")
        said = says(
            validated, hit=None, fwd="stale", fwd_status=304, stored=True, detail="not-modified"
        )
        check(998 <= said["ttl"] <= 1000, f"{said}")
        check(is_hit(hit), "fresh again")
        for got in (validated, hit):
            equal((got.status, got.body), (200, b"old"))
            for name, values in {
                "X-Changed": ["3"],
                "X-Kept": ["1"],
                "X-New": ["1"],
                "Content-Type": ["text/new"],
                "Content-Encoding": ["odd"],
                "Content-Length": ["3"],
                "Content-MD5": ["old"],
                "Content-Range": [],
                "ETag": ['"x"'],
                "Cache-Control": ["public, max-age=1000"],
                "Set-Cookie": ["a=2"],
                "X-Hop": [],
            }.items():
                with case(name):
                    equal(got.all(name), values)
        equal(len(origin.requests), 2)


def test_304_without_words():
    """A 304 that says nothing leaves the lifetime as it was, counted anew: without a Date it is of
    the moment it came (RFC 9110 6.6.1)."""
    first = stale(b"old", 'ETag: "x"', f"Date: {date(-100)}")
    with Origin(Pages({"/": [first, not_modified()]})) as origin, Larder(origin) as larder:
        larder.get("/")
        says(larder.get("/"), fwd_status=304)
        equal(len(origin.requests), 2)
        got = larder.get("/")
        check(is_hit(got), "the stored Date counts, not the one of the 304")
        check(8 <= status(got)["ttl"] <= 10, f"{status(got)}")


def test_304_forbids():
    """A 304 may take back the permission to store."""
    update = not_modified('ETag: "x"', "Cache-Control: no-store")
    last = lasting("max-age=60", b"new")
    with Origin(Pages({"/": [stale(b"old", 'ETag: "x"'), update, last]})) as origin, Larder(
        origin
    ) as larder:
        larder.get("/")
        got = larder.get("/")
        equal((got.status, got.body), (200, b"old"))
        says(got, stored=None, fwd_status=304)
        equal(larder.get("/").body, b"new")


def test_200_replaces():
    """RFC 9111 4.3.3: another answer takes the place of the stored one."""
    table = {
        "200": lasting("max-age=60", b"new", 'ETag: "y"'),
        "404": answer(b"new", status="404 Not Found"),
    }
    for name, second in table.items():
        with case(name), Origin(Pages({"/": [stale(b"old", 'ETag: "x"'), second]})) as origin:
            with Larder(origin) as larder:
                larder.get("/")
                got = larder.get("/")
                equal((str(got.status), got.body), (name, b"new"))
                says(got, fwd="stale", fwd_status=int(name), stored=True)
                got = larder.get("/")
                equal((str(got.status), got.body, is_hit(got)), (name, b"new", True))


def test_200_that_may_not_be_stored():
    """It goes to who asked, and the stored one is over: the origin has a newer one."""
    pages = Pages({"/": [stale(b"old", 'ETag: "x"'), lasting("no-store", b"new"), CLOSE]})
    with Origin(pages) as origin, Larder(origin) as larder:
        larder.get("/")
        got = larder.get("/")
        equal(got.body, b"new")
        says(got, fwd="stale", stored=None, detail="no-store")
        equal(larder.get("/").status, 502, "what is over does not cover for the origin")


def test_client_condition_on_a_validated_answer():
    """RFC 9111 4.3.2: our validation first, then the client's own condition."""
    pages = Pages(
        {"/": [stale(b"old", 'ETag: "x"'), not_modified('ETag: "x"', "Cache-Control: max-age=0")]}
    )
    with Origin(pages) as origin, Larder(origin) as larder:
        larder.get("/")
        got = larder.get("/", 'If-None-Match: "x"')
        equal((got.status, got.get("ETag")), (304, '"x"'))
        got = larder.get("/", 'If-None-Match: "z"')
        equal((got.status, got.body), (200, b"old"))


def test_304_to_the_clients_condition():
    """On a miss the client's condition is not the origin's business: the whole answer is fetched,
    stored, and judged here."""

    def reply(request, _):
        return (
            not_modified('ETag: "x"')
            if request.get("If-None-Match")
            else lasting("max-age=60", b"all", 'ETag: "x"')
        )

    with Origin(reply) as origin, Larder(origin) as larder:
        got = larder.get("/", 'If-None-Match: "x"')
        equal(got.status, 304)
        got = larder.get("/")
        equal((got.status, got.body, is_hit(got)), (200, b"all", True))


def test_no_cache_is_validated_each_time():
    """RFC 9111 5.2.2.4."""

    def reply(request, _):
        if request.get("If-None-Match"):
            return not_modified('ETag: "x"')
        return lasting("no-cache, max-age=60", b"body", 'ETag: "x"')

    with Origin(reply) as origin, Larder(origin) as larder:
        for turn in range(4):
            got = larder.get("/")
            equal((got.status, got.body), (200, b"body"))
            equal(len(origin.requests), turn + 1)
        says(got, fwd="stale", fwd_status=304, detail="not-modified")


# ---- HEAD ----


def ask_head(larder, target, *fields):
    return larder.ask(f"HEAD {target} HTTP/1.1", "Host: a", *fields)


def test_head_is_answered_from_what_is_stored():
    with Origin(lasting("max-age=60", b"body", 'ETag: "x"')) as origin, Larder(origin) as larder:
        got = ask_head(larder, "/")
        says(got, fwd="uri-miss", stored=None)
        equal(origin.requests[0].method, "HEAD", "a HEAD stays one")
        larder.get("/")
        got = ask_head(larder, "/")
        check(is_hit(got), "a GET's answer serves a HEAD")
        equal((got.status, got.get("Content-Length")), (200, "4"))
        equal(ask_head(larder, "/", 'If-None-Match: "x"').status, 304)
        equal(len(origin.requests), 2)


# name: the HEAD's answer, what a GET then gets: body, hit?
HEADS = {
    "agrees": (lasting(STALE, b"body", 'ETag: "x"', "X-New: 1"), b"body", True),
    "says nothing": (
        head("HTTP/1.1 200 OK", "Cache-Control: max-age=60", "X-New: 1"),
        b"body",
        True,
    ),
    "another ETag": (lasting("max-age=60", b"body", 'ETag: "y"'), b"new", False),
    "another date": (lasting("max-age=60", b"body", f"Last-Modified: {date()}"), b"new", False),
    "another length": (lasting("max-age=60", b"longer", 'ETag: "x"'), b"new", False),
    "gone": (answer(b"", status="410 Gone"), b"new", False),
    "forbids": (lasting("no-store", b"body", 'ETag: "x"'), b"new", False),
}


def test_head_updates():
    """RFC 9111 4.3.5: a HEAD's answer that fits the stored one freshens it, another ends it."""
    rows = list(HEADS.values())

    def reply(request, _):
        said, _, _ = rows[int(request.target[1:])]
        if request.method == "HEAD":
            return said[: said.index(b"\r\n\r\n") + 4]
        is_first = len(asked(origin, request.target, "GET")) == 1
        fields = ('ETag: "x"', f"Last-Modified: {THEN}", "X-Old: 1")
        return stale(b"body", *fields) if is_first else lasting("max-age=60", b"new")

    with Origin(reply) as origin, Larder(origin) as larder:
        for number, (name, (_, body, hit)) in enumerate(HEADS.items()):
            with case(name):
                larder.get(f"/{number}")
                ask_head(larder, f"/{number}")
                got = larder.get(f"/{number}")
                equal((got.body, is_hit(got)), (body, hit))
                if hit:
                    equal((got.get("X-Old"), got.get("X-New")), ("1", "1"))


scene.run()
