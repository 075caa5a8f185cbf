#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Requests that break HTTP/2's rules: each costs its stream, and the connection serves the next one
(RFC 9113 8.1.1). Not a byte of them reaches the origin."""

import h2raw
import scene
from h2raw import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    PROTOCOL_ERROR,
    bare,
    request,
    section,
)
from h2stage import attempt, lives, refusal, stage
from scene import case, check, equal

LAST = END_HEADERS | END_STREAM

# ---- malformed requests: the stream's end (RFC 9113 8.1.1) ----

# RFC 9113 8.2.1, RFC 9113 8.2.2
FIELDS = {
    "upper case": ("X-Upper", "1"),
    "one upper case": ("x-uppeR", "1"),
    "empty name": ("", "1"),
    "CR in a name": ("x\r", "1"),
    "LF in a name": ("x\ny", "1"),
    "CRLF in a name": ("x: y\r\nz", "1"),
    "NUL in a name": ("x\0y", "1"),
    "space in a name": ("x y", "1"),
    "space behind a name": ("x ", "1"),
    "tab in a name": ("x\ty", "1"),
    "colon in a name": ("x:y", "1"),
    "DEL in a name": ("x\x7f", "1"),
    "beyond ASCII in a name": ("x\xe9", "1"),
    "CR in a value": ("x", "a\rb"),
    "LF in a value": ("x", "a\nb"),
    "CRLF in a value": ("x", "a\r\nb: c"),
    "NUL in a value": ("x", "a\0b"),
    "CR at the end": ("x", "a\r"),
    "NUL alone": ("x", "\0"),
    "space before a value": ("x", " a"),
    "space behind a value": ("x", "a "),
    "tab before a value": ("x", "\ta"),
    "tab behind a value": ("x", "a\t"),
    "connection": ("connection", "close"),
    "connection: keep-alive": ("connection", "keep-alive"),
    "empty connection": ("connection", ""),
    "keep-alive": ("keep-alive", "timeout=5"),
    "proxy-connection": ("proxy-connection", "keep-alive"),
    "transfer-encoding: chunked": ("transfer-encoding", "chunked"),
    "transfer-encoding: identity": ("transfer-encoding", "identity"),
    "upgrade": ("upgrade", "websocket"),
    "upgrade to h2c": ("upgrade", "h2c"),
    "te: gzip": ("te", "gzip"),
    "te: trailers and more": ("te", "trailers, gzip"),
    "late pseudo field": (":path", "/late"),
    "doubled method": [(":method", "GET"), *request()],
    "doubled scheme": [(":scheme", "http"), *request()],
    "doubled authority": [(":authority", "a"), *request()],
    "doubled path": [(":path", "/"), *request()],
    "two paths": [(":path", "/other"), *request()],
    "late authority": [*request(authority=None), ("x", "1"), (":authority", "a")],
    "unknown pseudo field": [(":unknown", "1"), *request()],
    "empty pseudo field": [(":", "1"), *request()],
    "upper-case pseudo field": [(":Method", "GET"), *request(method=None)],
    "a response's pseudo field": [(":status", "200"), *request()],
    "protocol without CONNECT": [(":protocol", "websocket"), *request()],
    "no fields at all": [],
    "only a field": [("x", "1")],
}

# RFC 9113 8.3.1
TARGETS = {
    "no method": request(method=None),
    "no scheme": request(scheme=None),
    "no path": request(None),
    "no authority and no Host": request(authority=None),
    "empty method": request(method=""),
    "method of two words": request(method="GET /other"),
    "method with CRLF": request(method="GET\r\n"),
    "empty scheme": request(scheme=""),
    "scheme with a space": request(scheme="http "),
    "unknown scheme": request(scheme="gopher"),
    "empty path": request(""),
    "path without a slash": request("index.html"),
    "a whole URL as path": request("http://a/"),
    "* for GET": request("*"),
    "path with a space": request("/a b"),
    "path with a tab": request("/a\tb"),
    "path with CRLF": request("/a\r\nb"),
    "path with NUL": request("/a\0b"),
    "path with a fragment": request("/a#b"),
    "space before the path": request(" /"),
    "user in the authority": request(authority="user@a"),
    "user and password": request(authority="user:pass@a"),
    "authority with a path": request(authority="a/b"),
    "authority with a space": request(authority="a b"),
    "authority with a comma": request(authority="a,b"),
    "authority with NUL": request(authority="a\0b"),
    "authority with a port that is none": request(authority="a:b"),
    "port beyond 65535": request(authority="a:65536"),
    "Host differs": request("/", ("host", "b")),
    "Host differs in its port": request("/", ("host", "a:8080")),
    "Host twice": request("/", ("host", "a"), ("host", "a"), authority=None),
    "two Hosts": request("/", ("host", "a"), ("host", "b"), authority=None),
    "Host with a user": request("/", ("host", "u@a"), authority=None),
    "empty Host alone": request("/", ("host", ""), authority=None),
    "CONNECT with a path": request("/", method="CONNECT"),
    "CONNECT without authority": request(None, method="CONNECT", scheme=None, authority=None),
}


def one_broken(larder, origin, fields):
    origin.forget()
    with h2raw.connect(larder.port) as client:
        stream = client.new_stream()
        client.headers(stream, fields)
        refusal(client.read_answer(stream, 5))
        lives(client, origin)


def test_fields():
    with stage() as (larder, origin):
        for name, what in FIELDS.items():
            with case(name):
                one_broken(larder, origin, request("/", what) if isinstance(what, tuple) else what)


def test_targets():
    with stage() as (larder, origin):
        for name, fields in TARGETS.items():
            with case(name):
                one_broken(larder, origin, fields)


def test_many_on_one_connection():
    """One client's mistakes, a few dozen, are no attack; and each is counted."""
    with stage() as (larder, origin), h2raw.connect(larder.port) as client:
        streams = [client.new_stream() for _ in FIELDS]
        for stream, what in zip(streams, FIELDS.values()):
            client.headers(stream, request("/", what) if isinstance(what, tuple) else what)
        for stream in streams:
            refusal(client.read_answer(stream, 5))
        lives(client, origin)
        check(larder.metric("h2_malformed_total") > len(FIELDS) / 2, "not counted")


def test_refused_with_a_status():
    """Well-formed, but not served: the client is told which of its wishes it is."""
    table = {
        "plain CONNECT": (request(None, method="CONNECT", scheme=None, authority="a:443"), 405),
        "TRACE": (request(method="TRACE"), 405),
        "Expect of something": (request("/", ("expect", "miracles"), method="POST"), 417),
        "long path": (request("/" + "x" * 9000), 414),
    }
    with stage() as (larder, origin):
        for name, (fields, status) in table.items():
            with attempt(name, larder, origin) as client:
                stream = client.new_stream()
                client.headers(stream, fields)
                equal(client.read_answer(stream, 5).status, status)
                lives(client, origin)


# ---- Content-Length and DATA (RFC 9113 8.1.1) ----


def post(*fields, flags=END_HEADERS):
    head = request("/", *fields, method="POST")
    return lambda client, stream: client.headers(stream, head, flags)


def data(payload, end=True):
    return lambda client, stream: client.data(stream, payload, end)


def length(value, *more):
    return post(("content-length", value), *more)


LENGTHS = {
    "too short": (length("5"), data(b"abc")),
    "too short by all": (length("5"), data(b"")),
    "too short without DATA": (post(("content-length", "5"), flags=LAST),),
    "too long": (length("3"), data(b"abcde")),
    "trailers too early": (
        length("5"),
        data(b"abc", end=False),
        lambda client, stream: client.headers(stream, [("x-sum", "1")]),
    ),
    "twice, different": (length("3", ("content-length", "5")), data(b"abc")),
    "twice, different, far apart": (length("3", ("x", "y"), ("content-length", "0")), data(b"abc")),
    "a list": (length("3, 5"), data(b"abc")),
    "empty": (length(""), data(b"abc")),
    "a word": (length("three"), data(b"abc")),
    "plus": (length("+3"), data(b"abc")),
    "minus": (length("-3"), data(b"abc")),
    "hexadecimal": (length("0x3"), data(b"abc")),
    "a digit and a letter": (length("3a"), data(b"abc")),
    "two words": (length("3 3"), data(b"abc")),
    "2 to the 64": (length("18446744073709551616"), data(b"abc")),
    "2 to the 64 and 3": (length("18446744073709551619"), data(b"abc")),
    "30 digits": (length("9" * 30), data(b"abc")),
}


def test_lengths():
    with stage() as (larder, origin):
        for name, steps in LENGTHS.items():
            with attempt(name, larder, origin) as client:
                stream = client.new_stream()
                for step in steps:
                    step(client, stream)
                refusal(client.read_answer(stream, 5))
                lives(client, origin)


def test_too_long_in_a_later_frame():
    """The request that was whole before it may have been passed on, but never what is too much."""
    with stage() as (larder, origin):
        for length in (0, 3):
            with attempt(f"length {length}", larder, origin) as client:
                stream = client.ask(
                    "/", ("content-length", str(length)), method="POST", end=False
                )
                if length:
                    client.data(stream, b"x" * length)
                client.data(stream, b"SMUGGLED", end=True)
                got = client.read_answer(stream, 5)
                check(got.reset == PROTOCOL_ERROR or got.status, str(got))
                client.expect_ok("/next")
                check(b"SMUGGLED" not in origin.heard, "it is at the origin")
                equal(origin.faults, [])


# ---- trailers (RFC 9113 8.1) ----


def test_trailers():
    table = {
        "pseudo field": [(":path", "/other")],
        "a response's": [(":status", "200")],
        "upper case": [("X-Sum", "1")],
        "LF": [("x-sum", "1\n2")],
        "NUL": [("x-sum", "\0")],
        "connection": [("connection", "close")],
        "transfer-encoding": [("transfer-encoding", "chunked")],
    }
    with stage() as (larder, origin):
        for name, fields in table.items():
            with attempt(name, larder, origin) as client:
                stream = client.ask("/", method="POST", body=b"abc", end=False)
                client.headers(stream, fields)
                refusal(client.read_answer(stream, 5))
                lives(client, origin)
        with attempt("without an end", larder, origin) as client:
            stream = client.ask("/", method="POST", body=b"abc", end=False)
            client.headers(stream, [("x-sum", "1")], END_HEADERS)
            refusal(client.read_answer(stream, 5))
            lives(client, origin)


# ---- size (RFC 9113 10.5.1) ----


def test_large_heads():
    """431, and the connection survives."""
    table = {
        "a large field": [("x", "y" * 1500)],
        "many fields": [(f"x-{i}", "y" * 50) for i in range(25)],
        "too many fields": [(f"x-{i}", "y") for i in range(31)],
        "a large name": [("x" * 1500, "y")],
        "in CONTINUATION": [("x", "y" * 700), ("z", "y" * 700)],
    }
    with stage(head_size="1k", head_fields=30) as (larder, origin):
        for name, fields in table.items():
            with attempt(name, larder, origin) as client:
                before = larder.metric("http_refused_total", why="head-too-large")
                stream = client.new_stream()
                size = 500 if "CONTINUATION" in name else 16384
                client.headers(stream, request("/", *fields), size=size)
                equal(client.read_answer(stream, 5).status, 431)
                lives(client, origin)
                after = larder.metric("http_refused_total", why="head-too-large")
                equal(after, before + 1, "counted")
        with attempt("just allowed", larder, origin) as client:
            client.expect_ok("/", ("x", "y" * 900))
            client.expect_ok("/", *((f"x-{i}", "y") for i in range(30)))


def test_very_large_heads():
    """1000 fields are refused as any too large head is; what is far larger costs the connection."""
    with stage() as (larder, origin):
        with attempt("1000 fields", larder, origin) as client:
            stream = client.ask("/", *((f"x-{i}", "y") for i in range(1000)))
            equal(client.read_answer(stream, 5).status, 431)
            lives(client, origin)
        with attempt("1 MiB", larder, origin) as client:
            client.ping()  # so that nothing is acknowledged within the block
            block = section(request("/", *((f"x-{i}", "y" * 4000) for i in range(256))))
            parts = [block[at : at + 16000] for at in range(0, len(block), 16000)]
            frames = [bare(CONTINUATION if at else HEADERS, 0, 1, p) for at, p in enumerate(parts)]
            client.next = 3
            check(client.pump(frames), "the connection is still open")
            equal(client.goaway and client.goaway[1], ENHANCE_YOUR_CALM)
            equal(larder.metric("h2_abuse_total", why="endless-head"), 1)
            equal(origin.heard, b"")


scene.run()
