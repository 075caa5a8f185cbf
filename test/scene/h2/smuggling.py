#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing in an HTTP/2 request makes a second one at an origin that speaks HTTP/1.1 (RFC 9113 10.3); and
what looks odd but is allowed gets there."""

import h2raw
import scene
from h2raw import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PRIORITY_UPDATE,
    PROTOCOL_ERROR,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    bare,
    number,
    request,
    section,
    settings,
)
from h2stage import attempt, lives, refusal, stage, targets
from scene import case, check, equal

LAST = END_HEADERS | END_STREAM

# ---- requests within requests ----

SECOND = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

SMUGGLED = {
    "path": request(f"/ HTTP/1.1\r\nHost: a\r\n\r\n{SECOND}"),
    "path, LF": request("/ HTTP/1.1\nHost: a\n\nGET /smuggled HTTP/1.1\nX: "),
    "path, spaces": request("/ HTTP/1.1 GET /smuggled"),
    "method": request(method=f"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n{SECOND}GET"),
    "method, space": request(method="GET /smuggled HTTP/1.1"),
    "authority": request(authority=f"a\r\n\r\n{SECOND}"),
    "authority, field": request(authority="a\r\nTransfer-Encoding: chunked"),
    "scheme": request(scheme="http://a/smuggled HTTP/1.1\r\nX: "),
    "scheme, host": request(scheme="http://b/?"),
    "host": request("/", ("host", f"a\r\n\r\n{SECOND}"), authority=None),
    "value": request("/", ("x", f"y\r\n\r\n{SECOND}")),
    "value, LF": request("/", ("x", "y\n\nGET /smuggled HTTP/1.1\nHost: a\n\n")),
    "value, NUL": request("/", ("x", f"y\0\r\n\r\n{SECOND}")),
    "cookie": request("/", ("cookie", f"a=b\r\n\r\n{SECOND}")),
    "cookie in crumbs": request("/", ("cookie", "a=b"), ("cookie", f"\r\n\r\n{SECOND}")),
    "name": request("/", (f"x: y\r\n\r\n{SECOND}x", "y")),
    "name with a coding": request("/", ("transfer-encoding: chunked\r\nx", "y")),
    "name with a colon": request("/", ("transfer-encoding:", "chunked")),
    "name with a space": request("/", ("transfer-encoding ", "chunked")),
    "name with a tab": request("/", ("transfer-encoding\t", "chunked")),
    "name in upper case": request("/", ("Transfer-Encoding", "chunked")),
    "coding": request("/", ("transfer-encoding", "chunked")),
    "coding, with a length": request(
        "/", ("transfer-encoding", "chunked"), ("content-length", "50")
    ),
    "length with CRLF": request("/", ("content-length", "0\r\nTransfer-Encoding: chunked")),
    "length doubled": request("/", ("content-length", "0"), ("content-length", "38")),
    "length padded": request("/", ("content-length ", "0")),
    "upgrade": request("/", ("upgrade", f"x\r\n\r\n{SECOND}")),
}


def test_no_request_within_a_request():
    """A downgrade writes fields as lines: what would end its line must not get there (RFC 9113
    10.3). Each with DATA that would be a request if its framing were believed, and without."""
    with stage() as (larder, origin):
        for name, fields in SMUGGLED.items():
            for body in (None, ("0\r\n\r\n" + SECOND).encode()):
                with case(f"{name}, {'DATA' if body else 'no DATA'}"):
                    smuggle(larder, origin, fields, body)


def smuggle(larder, origin, fields, body):
    origin.forget()
    with h2raw.connect(larder.port) as client:
        stream = client.new_stream()
        client.headers(stream, fields, END_HEADERS if body else LAST)
        if body:
            client.data(stream, body, end=True)
        refusal(client.read_answer(stream, 5))
        lives(client, origin)
        check(b"smuggled" not in origin.heard, "it is at the origin")


def test_a_body_is_a_body():
    """Bytes that look like a request, in a body that is framed right, stay its body."""
    body = ("0\r\n\r\n" + SECOND).encode()
    table = {
        "without a length": [],
        "with its length": [("content-length", str(len(body)))],
        "GET": [],
        "in small frames": [],
    }
    with stage() as (larder, origin):
        for name, fields in table.items():
            with attempt(name, larder, origin) as client:
                method = "GET" if name == "GET" else "POST"
                if name == "in small frames":
                    stream = client.ask("/", *fields, method=method, end=False)
                    for byte in body:
                        client.data(stream, bytes([byte]))
                    client.data(stream, b"", end=True)
                else:
                    stream = client.ask("/", *fields, method=method, body=body)
                got = client.read_answer(stream, 5)
                check(got.status in (200, 400), str(got))
                if got.status == 200:
                    equal(origin.request.body, body)
                origin.forget()
                lives(client, origin)


def test_trailers_stay_trailers():
    """What would be framing or routing in a head is dropped from trailers."""
    late = [("content-length", "0"), ("host", "b"), ("x-sum", "1")]
    with stage() as (larder, origin), h2raw.connect(larder.port) as client:
        stream = client.ask("/", method="POST", body=b"abc", end=False)
        client.headers(stream, late)
        got = client.read_answer(stream, 5)
        check(got.status == 200 or got.reset == PROTOCOL_ERROR, str(got))
        origin_saw = [] if got.reset else origin.request.trailers
        names = {name.lower() for name, _ in origin_saw}
        check(not names & {"content-length", "host"}, f"{origin_saw}")


# ---- what looks odd and is allowed ----


def sent(*frames, fields=(), **pseudo):
    def send(client):
        client.send(*frames)
        return client.ask("/", *fields, **pseudo)

    return send


def in_one(flags, payload):
    def send(client):
        stream = client.new_stream()
        client.frame(HEADERS, flags, stream, payload)
        return stream

    return send


GOOD = section(request("/"))

ALLOWED = {
    "plain": sent(),
    "Host alone": sent(fields=[("host", "a")], authority=None),
    "Host as :authority": sent(fields=[("host", "a")]),
    "Host in upper case": sent(fields=[("host", "A")]),
    "te: trailers": sent(fields=[("te", "trailers")]),
    "all of a token's bytes": sent(fields=[("!#$%&'*+-.^_`|~09az", "1")]),
    "bytes beyond ASCII": sent(fields=[("x", "\x80\xff")]),
    "a tab within": sent(fields=[("x", "a\tb")]),
    "empty value": sent(fields=[("x", "")]),
    "unknown frame": sent(bare(0x77, 0xFF, 0, b"whatever"), bare(0xFF, 0, 1)),
    "unknown flags on PING": sent(bare(PING, 0xFE, 0, b"12345678")),
    "unknown setting": sent(bare(SETTINGS, 0, 0, settings(n153=7))),
    "PRIORITY of an idle stream": sent(bare(PRIORITY, 0, 7, b"\0\0\0\1\1")),
    "PRIORITY_UPDATE": sent(bare(PRIORITY_UPDATE, 0, 0, number(1) + b"u=1")),
    "reserved bit": sent(bare(PING, 0, 1 << 31, b"12345678")),
    "WINDOW_UPDATE's reserved bit": sent(bare(WINDOW_UPDATE, 0, 0, number(1 << 31 | 5))),
    "padding": in_one(LAST | PADDED, b"\x05" + GOOD + b"\0" * 5),
    "a priority": in_one(LAST | WITH_PRIORITY, b"\0\0\0\0\xff" + GOOD),
    "unknown flags on HEADERS": in_one(LAST | 0xD2, GOOD),
    "two size updates": in_one(LAST, b"\x20\x3f\xe1\x1f" + GOOD),
    "PING with ACK, unasked": sent(bare(PING, ACK, 0, b"12345678")),
}


def test_allowed():
    with stage() as (larder, origin):
        for name, ask in ALLOWED.items():
            with attempt(name, larder, origin) as client:
                equal(client.read_answer(ask(client), 5).status, 200)
                equal(len(targets(origin)), 1)
                origin.forget()


def test_priority_of_itself():
    """RFC 9113 5.3.2 has no such rule left, RFC 7540 5.3.1 made it an error; neither a request on
    its side nor the process comes to harm."""
    with stage() as (larder, _), h2raw.connect(larder.port) as client:
        client.frame(HEADERS, LAST | WITH_PRIORITY, 1, number(1) + b"\x10" + GOOD)
        client.next = 3
        got = client.answer_of(1)
        client.read_until(lambda: got.is_over or client.goaway, "word", 5)
        code = client.goaway[1] if client.goaway else got.reset
        check(got.status == 200 or code == PROTOCOL_ERROR, f"{got}, {code}")
        with h2raw.connect(larder.port) as other:
            other.expect_ok("/")


def test_pieces():
    """However TCP cuts it, and however the section is cut into CONTINUATIONs: but not both to the
    last byte, since more than a few CONTINUATIONs, as nghttp2 counts them, are an attack."""
    opening, middle = PREFACE + bare(SETTINGS), len(GOOD) // 2
    table = {
        1: opening + bare(HEADERS, LAST, 1, GOOD),
        5: opening
        + bare(HEADERS, END_STREAM, 1, GOOD[:1])
        + bare(CONTINUATION, 0, 1, GOOD[1:middle])
        + bare(CONTINUATION, END_HEADERS, 1, GOOD[middle:]),
    }
    with stage() as (larder, _):
        for size, whole in table.items():
            with case(f"{size} bytes at a time"), larder.connect() as wire:
                for at in range(0, len(whole), size):
                    wire.send(whole[at : at + size])
                client = h2raw.Client(wire.sock, preface=b"")
                client.next = 3
                equal(client.read_answer(1, 5).status, 200)


def test_cookie_crumbs():
    """RFC 9113 8.2.3: joined for HTTP/1.1."""
    with stage() as (larder, origin), h2raw.connect(larder.port) as client:
        client.expect_ok("/", ("cookie", "a=b"), ("x", "1"), ("cookie", "c=d"), ("cookie", "e=f"))
        equal(origin.request.get("Cookie"), "a=b; c=d; e=f")


def test_http_1_beside_it():
    """The port still speaks HTTP/1.1, and an HTTP/1 client gets no frame."""
    with stage() as (larder, origin):
        equal(larder.get("/").status, 200)
        with larder.connect() as wire:
            wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
            equal(wire.read_answer().status, 200, "h2c by Upgrade is gone (RFC 9113 3.1)")


scene.run()
