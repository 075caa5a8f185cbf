#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Conditional requests against what is stored (RFC 9110 13, RFC 9111 4.3.2)."""

import scene
from caching import asked, date, is_hit, lasting, says
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal

HOUR = 3600
MODIFIED = date(-HOUR)
BOTH = ['ETag: "x"', f"Last-Modified: {MODIFIED}"]

# name: fields of what is stored, the request's conditions, the status
TABLE = {
    # RFC 9110 13.1.2, RFC 9110 8.8.3.2: weak comparison, lists, "*"
    "same tag": (BOTH, ['If-None-Match: "x"'], 304),
    "another tag": (BOTH, ['If-None-Match: "y"'], 200),
    "weak tag of the client": (BOTH, ['If-None-Match: W/"x"'], 304),
    "weak tag of the origin": (['ETag: W/"x"'], ['If-None-Match: "x"'], 304),
    "first of a list": (BOTH, ['If-None-Match: "x", "y"'], 304),
    "last of a list": (BOTH, ['If-None-Match: "y","z" ,W/"x"'], 304),
    "on the second line": (BOTH, ['If-None-Match: "y"', 'If-None-Match: "x"'], 304),
    "a comma in a tag": (['ETag: "a,b"'], ['If-None-Match: "c", "a,b"'], 304),
    "part of a tag": (['ETag: "a,b"'], ['If-None-Match: "a", "b"'], 200),
    "*": (BOTH, ["If-None-Match: *"], 304),
    "a tag where none is stored": ([], ['If-None-Match: "x"'], 200),
    "case of a tag": (BOTH, ['If-None-Match: "X"'], 200),
    # RFC 9110 13.1.3
    "since then": (BOTH, [f"If-Modified-Since: {MODIFIED}"], 304),
    "since later": (BOTH, [f"If-Modified-Since: {date(-HOUR + 60)}"], 304),
    "since before": (BOTH, [f"If-Modified-Since: {date(-HOUR - 60)}"], 200),
    "since nonsense": (BOTH, ["If-Modified-Since: yesterday"], 200),
    "since twice": (
        BOTH,
        [f"If-Modified-Since: {MODIFIED}", f"If-Modified-Since: {MODIFIED}"],
        200,
    ),
    # RFC 9111 4.3.2: without a Last-Modified the Date stands for it
    "since, and no Last-Modified": (
        [f"Date: {date(-60)}"],
        [f"If-Modified-Since: {date(-30)}"],
        304,
    ),
    "since before the Date": ([f"Date: {date(-60)}"], [f"If-Modified-Since: {date(-90)}"], 200),
    # RFC 9110 13.2.2: If-None-Match alone decides
    "tag over date, no": (BOTH, ['If-None-Match: "y"', f"If-Modified-Since: {MODIFIED}"], 200),
    "tag over date, yes": (
        BOTH,
        ['If-None-Match: "x"', f"If-Modified-Since: {date(-2 * HOUR)}"],
        304,
    ),
    # RFC 9110 13.2.2: before Range
    "before a range": (BOTH, ['If-None-Match: "x"', "Range: bytes=0-0"], 304),
    "and then a range": (BOTH, ['If-None-Match: "y"', "Range: bytes=0-0"], 206),
}


def test_table():
    rows = list(TABLE.values())

    def reply(request, _):
        return lasting(
            "max-age=9999",
            b"body",
            *rows[int(request.target[1:])][0],
            "Content-Type: a/b",
            "X-Own: 1",
        )

    with Origin(reply) as origin, Larder(origin) as larder:
        for number, (name, (_, conditions, code)) in enumerate(TABLE.items()):
            target = f"/{number}"
            larder.get(target)
            for method in ("GET", "HEAD"):
                with case(f"{name}, {method}"):
                    got = larder.ask(f"{method} {target} HTTP/1.1", "Host: a", *conditions)
                    wanted = 200 if method == "HEAD" and code == 206 else code
                    equal(got.status, wanted)
                    check(is_hit(got), f"{says(got)}")
                    equal(
                        got.body,
                        b""
                        if method == "HEAD" or code == 304
                        else b"body"[: 1 if code == 206 else 4],
                    )
            equal(len(asked(origin, target)), 1)


def test_what_a_304_carries():
    """RFC 9110 15.4.5: what a cache would update, not what describes a body."""
    kept = {
        "Cache-Control": "max-age=60",
        "Content-Location": "/other",
        "Date": date(-5),
        "ETag": '"x"',
        "Expires": date(HOUR),
        "Vary": "Foo",
        "X-Own": "1",
    }
    left_out = {"Content-Type": "a/b", "Content-Language": "de", "Content-Encoding": "odd"}
    said = answer(b"body", *(f"{name}: {value}" for name, value in (kept | left_out).items()))
    with Origin(said) as origin, Larder(origin) as larder:
        larder.get("/")
        got = larder.get("/", 'If-None-Match: "x"')
        equal(got.status, 304)
        for name, value in kept.items():
            equal(got.get(name), value, name)
        for name in (*left_out, "Content-Length"):
            equal(got.get(name), None, name)
        check(4 <= int(got.get("Age")) <= 7, "Age")


def test_on_a_miss():
    """The answer that was just fetched is judged, too."""
    with Origin(lasting("max-age=60", b"body", *BOTH)) as origin, Larder(origin) as larder:
        got = larder.get("/", 'If-None-Match: "x"')
        equal(got.status, 304)
        says(got, fwd="uri-miss", fwd_status=200, stored=True)
        got = larder.get("/")
        equal((got.body, is_hit(got)), (b"body", True))


def test_only_what_is_200():
    """RFC 9110 13.2.1: conditions are about what a 200 would carry."""
    said = lasting("max-age=60", b"none", 'ETag: "x"', status="404 Not Found")
    with Origin(said) as origin, Larder(origin) as larder:
        larder.get("/")
        got = larder.get("/", 'If-None-Match: "x"')
        equal((got.status, got.body, is_hit(got)), (404, b"none", True))


def test_what_is_passed():
    """A condition on what is not stored, and may not be, is the origin's to judge."""

    def reply(request, _):
        if request.get("If-None-Match") == '"x"':
            return answer(b"", 'ETag: "x"', status="304 Not Modified").replace(
                b"Content-Length: 0\r\n", b""
            )
        return lasting("no-store", b"body", 'ETag: "x"')

    with Origin(reply) as origin, Larder(origin) as larder:
        for _ in range(3):
            equal(larder.get("/", 'If-None-Match: "x"').status, 304)
            equal(larder.get("/", 'If-None-Match: "y"').status, 200)


scene.run()
