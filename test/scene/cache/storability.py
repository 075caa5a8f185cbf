#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What a shared cache stores and what not, each with its reason (RFC 9111 3): the first answer says
whether it was stored and why not, the second request whether that was true."""

from caching import asked, date, is_hit, lasting, says
from larder import Larder
from origin import CLOSE, Origin, answer
import scene
from scene import case, check, equal
from wire import Cut, head

LAST_YEAR = f"Last-Modified: {date(-365 * 86400)}"
CREDENTIALS = ["Authorization: Basic eHk6eg=="]

# name: request fields, answer, why it is not stored (None = it is)
TABLE = {
    # RFC 9111 3: explicit lifetime, heuristics, a validator; else nothing
    "max-age": ([], lasting("max-age=60"), None),
    "s-maxage": ([], lasting("s-maxage=60"), None),
    "Expires": ([], answer(b"ok", f"Expires: {date(60)}"), None),
    "Last-Modified": ([], answer(b"ok", LAST_YEAR), None),
    "ETag alone": ([], answer(b"ok", 'ETag: "x"'), None),
    "nothing": ([], answer(b"ok"), "no-lifetime"),
    "stale and without validator": ([], lasting("max-age=0, must-revalidate"), "no-lifetime"),
    # RFC 9111 3: a status that is not heuristically cacheable (RFC 9110 15.1) wants explicit words
    "201": ([], answer(b"ok", LAST_YEAR, status="201 Created"), "status"),
    "201 with lifetime": ([], lasting("max-age=60", status="201 Created"), None),
    "201 public": ([], lasting("public", b"ok", LAST_YEAR, status="201 Created"), None),
    "302": ([], answer(b"ok", "Location: /x", status="302 Found"), "status"),
    "500": ([], answer(b"ok", LAST_YEAR, status="500 Internal Server Error"), "status"),
    "500 with lifetime": ([], lasting("max-age=60", status="500 Internal Server Error"), None),
    "301": ([], answer(b"ok", LAST_YEAR, "Location: /x", status="301 Moved Permanently"), None),
    "unknown status with lifetime": ([], lasting("max-age=60", status="599 Odd"), None),
    # these answer one request's conditions
    "412": ([], lasting("max-age=60", status="412 Precondition Failed"), "status"),
    "416": ([], lasting("max-age=60", status="416 Range Not Satisfiable"), "status"),
    # RFC 9111 3.3
    "206": (
        [],
        lasting("max-age=60", b"ok", "Content-Range: bytes 0-1/9", status="206 Part"),
        "partial",
    ),
    # RFC 9111 5.2.2.5, RFC 9111 5.2.2.7, RFC 9111 5.2.2.4
    "no-store": ([], lasting("max-age=60, no-store"), "no-store"),
    "No-Store": ([], lasting("No-Store, max-age=60"), "no-store"),
    "no-store on its own line": (
        [],
        lasting("max-age=60", b"ok", "Cache-Control: no-store"),
        "no-store",
    ),
    "private": ([], lasting("max-age=60, private"), "private"),
    'private="x"': ([], lasting('max-age=60, private="x"'), None),
    "no-cache": ([], lasting("no-cache, max-age=60", b"ok", 'ETag: "x"'), None),
    "no-cache without validator": ([], lasting("no-cache, max-age=60"), "no-lifetime"),
    # RFC 9111 5.2.2.3: must-understand
    "must-understand, known": ([], lasting("max-age=60, must-understand, no-store"), None),
    "must-understand, unknown": (
        [],
        lasting("max-age=60, must-understand", status="599 Odd"),
        "must-understand",
    ),
    # RFC 9111 3.5: Authorization
    "Authorization": (CREDENTIALS, lasting("max-age=60"), "authorization"),
    "Authorization, public": (CREDENTIALS, lasting("max-age=60, public"), None),
    "Authorization, s-maxage": (CREDENTIALS, lasting("s-maxage=60"), None),
    "Authorization, must-revalidate": (CREDENTIALS, lasting("max-age=60, must-revalidate"), None),
    # RFC 9111 7.3: Set-Cookie is stored only where the answer says that it is fresh, or public
    "Set-Cookie": ([], answer(b"ok", LAST_YEAR, "Set-Cookie: a=b"), "set-cookie"),
    "Set-Cookie, max-age": ([], lasting("max-age=60", b"ok", "Set-Cookie: a=b"), None),
    "Set-Cookie, public": ([], lasting("public", b"ok", LAST_YEAR, "Set-Cookie: a=b"), None),
    # RFC 9111 4.1
    "Vary: *": ([], lasting("max-age=60", b"ok", "Vary: *"), "vary-star"),
    "Vary: Foo, *": ([], lasting("max-age=60", b"ok", "Vary: Foo, *"), "vary-star"),
    "Vary on two lines": ([], lasting("max-age=60", b"ok", "Vary: Foo", "Vary: *"), "vary-star"),
    # RFC 9111 5.2.1.5
    "request no-store": (["Cache-Control: no-store"], lasting("max-age=60"), "request-no-store"),
    # RFC 9111 5.2.3: what is unknown is ignored
    "extension": ([], lasting('community="UCI, no-store", max-age=60, x=1'), None),
}


def test_reasons():
    with Origin(by_number) as origin, Larder(origin) as larder:
        for number, (name, (fields, reply, why)) in enumerate(TABLE.items()):
            target = f"/{number}"
            with case(name):
                first = larder.get(target, *fields)
                equal(first.status, int(reply.split(b" ")[1]))
                equal(first.body, b"ok")
                says(first, stored=None if why else True, fwd="uri-miss", detail=why)
                larder.get(target)
                revalidates = b"ETag" in reply
                equal(len(asked(origin, target)), 1 if not why and not revalidates else 2, "asked")


def by_number(request, _):
    return list(TABLE.values())[int(request.target[1:])][1]


def test_what_is_asked():
    """Requests whose answers are not for the store, whatever these say."""
    table = {
        "POST": ("POST", [], "method", "method"),
        "PUT": ("PUT", [], "method", "method"),
        "OPTIONS": ("OPTIONS", [], "method", "method"),
        "unknown method": ("LIST", [], "method", "method"),
        # RFC 9111 4.3.2: the origin's to judge
        "If-Match": ("GET", ['If-Match: "x"'], "request", "precondition"),
        "If-Unmodified-Since": (
            "GET",
            [f"If-Unmodified-Since: {date()}"],
            "request",
            "precondition",
        ),
        # RFC 9111 3.3: a range of what is not stored is not fetched whole
        "Range": ("GET", ["Range: bytes=0-0"], "uri-miss", "range"),
    }
    with Origin(lasting("max-age=60")) as origin, Larder(origin) as larder:
        for number, (name, (method, fields, why, detail)) in enumerate(table.items()):
            target = f"/asked/{number}"
            with case(name):
                for _ in range(2):
                    got = larder.ask(
                        f"{method} {target} HTTP/1.1", "Host: a", *fields, "Content-Length: 0"
                    )
                    says(got, fwd=why, detail=detail, stored=None, hit=None)
                equal(len(asked(origin, target)), 2, "asked")
                says(larder.get(target), fwd="uri-miss", stored=True)


def test_fields_that_are_not_stored():
    """RFC 9111 3.1: hop-by-hop fields, and what a qualified directive names (5.2.2.4, 5.2.2.7)."""
    said = lasting(
        'max-age=60, private="x-user", no-cache="X-Once"',
        b"ok",
        "Connection: x-hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "X-User: me",
        "X-Once: 1",
        "X-All: 1",
        "Set-Cookie: a=b",
    )
    with Origin(said) as origin, Larder(origin) as larder:
        first, second = larder.get("/"), larder.get("/")
        check(is_hit(second), f"{second.fields}")
        for got in (first, second):
            for name, value in {
                "X-All": "1",
                "Set-Cookie": "a=b",
                "X-Hop": None,
                "Keep-Alive": None,
            }.items():
                equal(got.get(name), value, name)
        for name in ("X-User", "X-Once"):
            equal(second.get(name), None, f"{name} of the hit")
        for name, value in {"X-User": "me", "X-Once": "1"}.items():
            with case(f"{name} for who asked"):
                equal(first.get(name), value)


def test_too_large():
    """A body beyond max-object-size passes through whole, announced or not, and is not stored."""
    body = bytes(range(256)) * 1024  # 256 KiB
    announced = lasting("max-age=60", body)
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (4096, body[at : at + 4096]) for at in range(0, len(body), 4096)
    )
    unannounced = (
        head("HTTP/1.1 200 OK", "Cache-Control: max-age=60", "Transfer-Encoding: chunked")
        + chunks
        + b"0\r\n\r\n"
    )
    config = {"store": {"max-object-size": "64k"}}
    with Origin(lambda r, _: announced if r.target == "/length" else unannounced) as origin:
        with Larder(origin, config=config) as larder:
            for target in ("/length", "/chunks"):
                with case(target):
                    for _ in range(3):
                        equal(larder.get(target).body, body)
                    equal(len(asked(origin, target)), 3)
            says(larder.get("/length"), fwd="uri-miss", stored=None)


def test_a_very_large_head():
    """What is allowed as a head is stored and served, or refused: nobody waits for ever."""
    config = {"origin": {"head-size": "2m"}}
    for size in (30_000, 300_000, 700_000):
        big = [f"X-{number}: {'v' * 1000}" for number in range(size // 1000)]
        with case(f"{size} bytes"), Origin(lasting("max-age=60", b"ok", *big)) as origin:
            with Larder(origin, config=config) as larder:
                for _ in range(2):
                    got = larder.get("/")
                    check(got.status in (200, 502, 503), got.status)
                    if got.status == 200:
                        equal((got.body, len(got.fields) > size // 1000), (b"ok", True))


def test_truncated():
    """RFC 9111 3.3: what ended early is never stored as if it were whole, and not given out as
    such."""
    cut = lasting("max-age=60", b"0123456789")[:-5]
    chunk = (
        head("HTTP/1.1 200 OK", "Cache-Control: max-age=60", "Transfer-Encoding: chunked")
        + b"5\r\n01234\r\n"
    )
    with Origin(lambda r, _: (cut if r.target == "/length" else chunk, CLOSE)) as origin:
        with Larder(origin) as larder:
            for target in ("/length", "/chunks"):
                for _ in range(2):
                    with case(target):
                        try:
                            got = larder.get(target)
                        except Cut:
                            continue
                        check(False, f"{got.status} {got.body} as if it were whole")
                with case(f"{target} is not stored"):
                    equal(len(asked(origin, target)), 2)


def test_bypass():
    """A route that does not cache passes everything on, and says so."""
    config = {
        "routes": [
            {"path": "/", "origin": "default"},
            {"path": "/no", "origin": "default", "cache": {"enabled": False}},
        ]
    }
    with Origin(lasting("max-age=60")) as origin, Larder(origin, config=config) as larder:
        for _ in range(2):
            says(larder.get("/no/x"), fwd="bypass", detail="bypass", stored=None)
        equal(len(asked(origin, "/no/x")), 2)
        larder.get("/nothing")
        check(is_hit(larder.get("/nothing")), "/nothing is not below /no")


scene.run()
