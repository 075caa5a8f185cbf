#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 that breaks the rules, and what comes of it: a malformed request costs its stream, and the
connection serves the next one (RFC 9113 8.1.1); what leaves no common ground costs the connection,
with the code that RFC 9113 names. Not a byte of either reaches the origin."""

import threading
from contextlib import contextmanager

import h2raw
import scene
from h2raw import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    NO_ERROR,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PRIORITY_UPDATE,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    bare,
    literal,
    number,
    request,
    section,
    settings,
)
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal
from wire import Wire

LAST = END_HEADERS | END_STREAM
LARGEST = (1 << 31) - 1


@contextmanager
def stage(**limits):
    """An origin, and Larder before it. `/hold` is answered when the scene is over."""
    over = threading.Event()

    def reply(asked, _):
        if asked.target == "/hold":
            over.wait(20)
        return answer(b"ok", "Cache-Control: no-store")

    config = {"limits": limits} if limits else {}
    with Origin(reply) as origin, Larder(origin, config=config) as larder:
        try:
            yield larder, origin
        finally:
            over.set()


def targets(origin):
    """What was asked for at the origin; also what it could not understand must not be there."""
    with origin.changed:
        equal(origin.faults, [], "what the origin heard")
        return [asked.target for asked in origin.requests]


def lives(client, origin):
    """The connection serves the next request, and the origin heard of no other."""
    client.expect_ok("/next")
    equal(targets(origin), ["/next"], "at the origin")
    origin.forget()


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


def refusal(got):
    """RFC 9113 8.1.1: reset, or answered by an error before that."""
    told = 400 <= got.status < 500
    check(got.reset == PROTOCOL_ERROR or (told and got.ended), f"{got}, no refusal")


def one_broken(larder, origin, fields):
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
            with case(name), h2raw.connect(larder.port) as client:
                stream = client.new_stream()
                client.headers(stream, fields)
                equal(client.read_answer(stream, 5).status, status)
                lives(client, origin)


# ---- Content-Length and DATA (RFC 9113 8.1.1) ----


def post(*fields, flags=END_HEADERS):
    return lambda client, stream: client.headers(stream, request("/", *fields, method="POST"), flags)


def data(payload, end=True):
    return lambda client, stream: client.data(stream, payload, end)


def length(value, *more):
    return post(("content-length", value), *more)


LENGTHS = {
    "too short": (length("5"), data(b"abc")),
    "too short by all": (length("5"), data(b"")),
    "too short without DATA": (post(("content-length", "5"), flags=LAST),),
    "too long": (length("3"), data(b"abcde")),
    "0, and DATA": (length("0"), data(b"abc")),
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
            with case(name), h2raw.connect(larder.port) as client:
                stream = client.new_stream()
                for step in steps:
                    step(client, stream)
                refusal(client.read_answer(stream, 5))
                lives(client, origin)


def test_too_long_in_a_later_frame():
    """What came before it may have been passed on, but never what is too much."""
    with stage() as (larder, origin), h2raw.connect(larder.port) as client:
        stream = client.ask(
            "/", ("content-length", "3"), method="POST", body=b"abc", end=False
        )
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
            with case(name), h2raw.connect(larder.port) as client:
                stream = client.ask("/", method="POST", body=b"abc", end=False)
                client.headers(stream, fields)
                refusal(client.read_answer(stream, 5))
                lives(client, origin)
        with case("without an end"), h2raw.connect(larder.port) as client:
            stream = client.ask("/", method="POST", body=b"abc", end=False)
            client.headers(stream, [("x-sum", "1")], END_HEADERS)
            refusal(client.read_answer(stream, 5))
            lives(client, origin)


# ---- stream errors of single frames ----


def test_stream_errors():
    """RFC 9113 5.4.2: these may cost the connection too; then by the same code."""
    table = {
        "increment of 0": (WINDOW_UPDATE, number(0), [PROTOCOL_ERROR]),
        "window overflow": (WINDOW_UPDATE, number(LARGEST), [FLOW_CONTROL_ERROR]),
        "PRIORITY too short": (PRIORITY, b"\0\0\0\0", [FRAME_SIZE_ERROR]),
    }
    with stage() as (larder, _):
        for name, (kind, payload, codes) in table.items():
            with case(name), h2raw.connect(larder.port) as client:
                stream = client.ask("/hold")
                client.ping()
                client.frame(kind, 0, stream, payload)
                ended_by(client, stream, codes)


def ended_by(client, stream, codes):
    got = client.answer_of(stream)
    client.read_until(lambda: got.is_over or client.goaway, "error", 5)
    if client.goaway:
        client.expect_goaway(*codes, within=5)
        return
    check(got.reset in codes, f"{got} instead of {codes}")
    client.expect_ok("/next")


def test_data_on_a_closed_stream():
    """RFC 9113 5.1: DATA behind END_STREAM is nobody's."""
    with stage() as (larder, origin):
        for path in ("/", "/hold"):
            with case(path), h2raw.connect(larder.port) as client:
                stream = client.ask(path)
                if path == "/":
                    client.read_answer(stream)
                else:
                    origin.wait_for(1)
                client.data(stream, b"SMUGGLED", end=True)
                client.ping() if path == "/hold" else None
                closed_again(client, stream, {STREAM_CLOSED, PROTOCOL_ERROR})
                check(b"SMUGGLED" not in origin.heard, "it is at the origin")
                origin.forget()


def closed_again(client, stream, codes):
    """RFC 9113 5.1: the connection ends, or the stream does; or, where it was already gone, its
    frames are not heard."""
    next_stream = client.ask("/next")
    got, was = client.answer_of(next_stream), client.answer_of(stream)
    client.read_until(lambda: got.is_over or client.goaway, "what follows", 5)
    if client.goaway:
        client.expect_goaway(*codes, within=5)
        return
    equal(got.status, 200)
    check(was.reset in codes | {NO_ERROR, None}, f"{was}")


def test_headers_on_a_closed_stream():
    """RFC 9113 5.1, RFC 9113 5.1.1: the second request of a stream is never served."""
    with stage() as (larder, origin):
        for name, flags in {"request": LAST, "trailers": END_HEADERS}.items():
            with case(name), h2raw.connect(larder.port) as client:
                stream = client.ask("/first")
                client.read_answer(stream)
                client.headers(stream, request("/second"), flags)
                closed_again(client, stream, {STREAM_CLOSED, PROTOCOL_ERROR})
                check("/second" not in targets(origin), "it was served")
        with case("half closed"), h2raw.connect(larder.port) as client:
            stream = client.ask("/hold")
            client.headers(stream, request("/second"))
            client.read_until(
                lambda: client.goaway or client.answer_of(stream).reset is not None, "error", 5
            )
            code = client.goaway[1] if client.goaway else client.answer_of(stream).reset
            check(code in (STREAM_CLOSED, PROTOCOL_ERROR), f"code {code}")
            check("/second" not in targets(origin), "it was served")


def test_stream_ids_go_up():
    """RFC 9113 5.1.1: a lower one is closed, whether it was used or not."""
    with stage() as (larder, origin), h2raw.connect(larder.port) as client:
        client.next = 9
        client.expect_ok("/nine")
        client.headers(3, request("/three"))
        closed_again(client, 3, {PROTOCOL_ERROR, STREAM_CLOSED})
        check("/three" not in targets(origin), "it was served")


# ---- connection errors ----


def opened(what, path="/hold"):
    """What is sent on a stream that is open, or half closed."""
    return lambda client: client.send(what(client.ask(path)))


def uploading(what):
    return lambda client: client.send(what(client.ask("/hold", method="POST", end=False)))


def begun(*frames):
    """A header block that is not over, and then that."""
    block = section(request("/hold"))
    return (bare(HEADERS, END_STREAM, 1, block[:5]), *frames)


BLOCK = section(request("/hold"))
TOO_LONG = b"\0" * 16385

# RFC 9113 4.1, 4.2, 4.3, 5.1, 6.1 to 6.10: name -> (frames, codes)
CONNECTION = {
    # DATA
    "DATA on stream 0": (bare(DATA, 0, 0, b"x"), [PROTOCOL_ERROR]),
    "DATA on an idle stream": (bare(DATA, 0, 1, b"x"), [PROTOCOL_ERROR]),
    "DATA on an even stream": (bare(DATA, 0, 2, b"x"), [PROTOCOL_ERROR, STREAM_CLOSED]),
    "DATA padded beyond its end": (
        uploading(lambda s: bare(DATA, PADDED, s, b"\x09abcdefgh")),
        [PROTOCOL_ERROR],
    ),
    "DATA padded by all of it": (
        uploading(lambda s: bare(DATA, PADDED, s, b"\xff" + b"\0" * 200)),
        [PROTOCOL_ERROR],
    ),
    "DATA padded without a length": (
        uploading(lambda s: bare(DATA, PADDED, s)),
        [PROTOCOL_ERROR, FRAME_SIZE_ERROR],
    ),
    # HEADERS
    "HEADERS on stream 0": (bare(HEADERS, LAST, 0, BLOCK), [PROTOCOL_ERROR]),
    "HEADERS on an even stream": (bare(HEADERS, LAST, 2, BLOCK), [PROTOCOL_ERROR]),
    "HEADERS padded beyond its end": (
        bare(HEADERS, LAST | PADDED, 1, b"\xff" + BLOCK),
        [PROTOCOL_ERROR],
    ),
    "HEADERS padded without a length": (
        bare(HEADERS, LAST | PADDED, 1),
        [PROTOCOL_ERROR, FRAME_SIZE_ERROR],
    ),
    "HEADERS with half a priority": (
        bare(HEADERS, LAST | WITH_PRIORITY, 1, b"\0\0"),
        [PROTOCOL_ERROR, FRAME_SIZE_ERROR],
    ),
    "HEADERS too long": (bare(HEADERS, LAST, 1, TOO_LONG), [FRAME_SIZE_ERROR]),
    # PRIORITY, RST_STREAM
    "PRIORITY on stream 0": (bare(PRIORITY, 0, 0, b"\0\0\0\1\1"), [PROTOCOL_ERROR]),
    "RST_STREAM on stream 0": (bare(RST_STREAM, 0, 0, number(8)), [PROTOCOL_ERROR]),
    "RST_STREAM on an idle stream": (bare(RST_STREAM, 0, 1, number(8)), [PROTOCOL_ERROR]),
    "RST_STREAM too short": (
        opened(lambda s: bare(RST_STREAM, 0, s, b"\0\0\0")),
        [FRAME_SIZE_ERROR],
    ),
    "RST_STREAM too long": (
        opened(lambda s: bare(RST_STREAM, 0, s, b"\0\0\0\0\0")),
        [FRAME_SIZE_ERROR],
    ),
    # SETTINGS
    "SETTINGS of 5 bytes": (bare(SETTINGS, 0, 0, b"\0\1\0\0\0"), [FRAME_SIZE_ERROR]),
    "SETTINGS on a stream": (bare(SETTINGS, 0, 1), [PROTOCOL_ERROR]),
    "SETTINGS, ACK with payload": (
        bare(SETTINGS, ACK, 0, settings(enable_push=0)),
        [FRAME_SIZE_ERROR],
    ),
    "SETTINGS, ACK of 1 byte": (bare(SETTINGS, ACK, 0, b"\0"), [FRAME_SIZE_ERROR]),
    "ENABLE_PUSH 2": (bare(SETTINGS, 0, 0, settings(enable_push=2)), [PROTOCOL_ERROR]),
    "INITIAL_WINDOW_SIZE 2^31": (
        bare(SETTINGS, 0, 0, settings(initial_window_size=1 << 31)),
        [FLOW_CONTROL_ERROR],
    ),
    "MAX_FRAME_SIZE 16383": (
        bare(SETTINGS, 0, 0, settings(max_frame_size=16383)),
        [PROTOCOL_ERROR],
    ),
    "MAX_FRAME_SIZE 0": (bare(SETTINGS, 0, 0, settings(max_frame_size=0)), [PROTOCOL_ERROR]),
    "MAX_FRAME_SIZE 2^24": (
        bare(SETTINGS, 0, 0, settings(max_frame_size=1 << 24)),
        [PROTOCOL_ERROR],
    ),
    "SETTINGS too long": (bare(SETTINGS, 0, 0, b"\0" * 16386), [FRAME_SIZE_ERROR]),
    # RFC 9113 6.9.2: the new size may push a window over its largest
    "a window over the largest by SETTINGS": (
        opened(
            lambda s: bare(WINDOW_UPDATE, 0, s, number(LARGEST - 65535))
            + bare(SETTINGS, 0, 0, settings(initial_window_size=65536))
        ),
        [FLOW_CONTROL_ERROR],
    ),
    # PUSH_PROMISE, PING, GOAWAY
    "PUSH_PROMISE": (
        opened(lambda s: bare(PUSH_PROMISE, END_HEADERS, s, number(2) + BLOCK)),
        [PROTOCOL_ERROR],
    ),
    "PUSH_PROMISE on stream 0": (
        bare(PUSH_PROMISE, END_HEADERS, 0, number(2) + BLOCK),
        [PROTOCOL_ERROR],
    ),
    "PING of 7 bytes": (bare(PING, 0, 0, b"1234567"), [FRAME_SIZE_ERROR]),
    "PING of 9 bytes": (bare(PING, 0, 0, b"123456789"), [FRAME_SIZE_ERROR]),
    "PING of none": (bare(PING), [FRAME_SIZE_ERROR]),
    "PING on a stream": (bare(PING, 0, 1, b"12345678"), [PROTOCOL_ERROR]),
    "PING too long": (bare(PING, 0, 0, TOO_LONG), [FRAME_SIZE_ERROR]),
    "GOAWAY on a stream": (bare(GOAWAY, 0, 1, number(0) * 2), [PROTOCOL_ERROR]),
    "GOAWAY of 7 bytes": (bare(GOAWAY, 0, 0, b"\0" * 7), [FRAME_SIZE_ERROR]),
    # WINDOW_UPDATE
    "increment of 0": (bare(WINDOW_UPDATE, 0, 0, number(0)), [PROTOCOL_ERROR]),
    "window overflow": (bare(WINDOW_UPDATE, 0, 0, number(LARGEST)), [FLOW_CONTROL_ERROR]),
    "WINDOW_UPDATE on an idle stream": (
        bare(WINDOW_UPDATE, 0, 1, number(1)),
        [PROTOCOL_ERROR],
    ),
    "WINDOW_UPDATE of 3 bytes": (bare(WINDOW_UPDATE, 0, 0, b"\0\0\1"), [FRAME_SIZE_ERROR]),
    "WINDOW_UPDATE of 5 bytes": (bare(WINDOW_UPDATE, 0, 0, b"\0\0\0\0\1"), [FRAME_SIZE_ERROR]),
    # CONTINUATION
    "CONTINUATION of nothing": (
        bare(CONTINUATION, END_HEADERS, 1, BLOCK),
        [PROTOCOL_ERROR],
    ),
    "CONTINUATION on stream 0": (
        begun(bare(CONTINUATION, END_HEADERS, 0, BLOCK[5:])),
        [PROTOCOL_ERROR],
    ),
    "CONTINUATION behind the end": (
        opened(lambda s: bare(CONTINUATION, END_HEADERS, s, literal("x", "y"))),
        [PROTOCOL_ERROR],
    ),
    "CONTINUATION of another stream": (
        begun(bare(CONTINUATION, END_HEADERS, 3, BLOCK[5:])),
        [PROTOCOL_ERROR],
    ),
    "PING within a block": (begun(bare(PING, 0, 0, b"12345678")), [PROTOCOL_ERROR]),
    "DATA within a block": (begun(bare(DATA, END_STREAM, 1, b"x")), [PROTOCOL_ERROR]),
    "HEADERS within a block": (begun(bare(HEADERS, LAST, 3, BLOCK)), [PROTOCOL_ERROR]),
    "HEADERS twice": (begun(bare(HEADERS, LAST, 1, BLOCK[5:])), [PROTOCOL_ERROR]),
    "SETTINGS within a block": (begun(bare(SETTINGS)), [PROTOCOL_ERROR]),
    "RST_STREAM within a block": (begun(bare(RST_STREAM, 0, 1, number(8))), [PROTOCOL_ERROR]),
    "WINDOW_UPDATE within a block": (
        begun(bare(WINDOW_UPDATE, 0, 0, number(1))),
        [PROTOCOL_ERROR],
    ),
    "an unknown frame within a block": (begun(bare(0x77, 0, 0, b"x")), [PROTOCOL_ERROR]),
    # any kind
    "an unknown frame too long": (bare(0x77, 0, 0, TOO_LONG), [FRAME_SIZE_ERROR]),
}


def test_connection_errors():
    with stage() as (larder, origin):
        for name, (what, codes) in CONNECTION.items():
            with case(name), h2raw.connect(larder.port) as client:
                if callable(what):
                    what(client)
                else:
                    client.next = 5  # it stands for streams 1 and 3
                    client.send(*what) if isinstance(what, tuple) else client.send(what)
                client.expect_goaway(*codes, within=5)
        with h2raw.connect(larder.port) as client:
            client.expect_ok("/next")
        check(set(targets(origin)) <= {"/hold", "/next"}, f"{targets(origin)}")


def test_data_too_long():
    """RFC 9113 4.2: of the stream or of the connection."""
    with stage() as (larder, _), h2raw.connect(larder.port) as client:
        stream = client.ask("/hold", method="POST", end=False)
        client.frame(DATA, 0, stream, TOO_LONG)
        ended_by(client, stream, [FRAME_SIZE_ERROR])


def test_more_than_the_window():
    """RFC 9113 6.9.1: an origin that takes nothing opens no window; who sends all the same is cut
    off, and costs no memory."""
    over = threading.Event()

    def deaf(*_):
        over.wait(20)
        return answer()

    deaf.takes_body = True
    with Origin(deaf) as origin, Larder(origin) as larder:
        try:
            with h2raw.connect(larder.port) as client:
                before = larder.memory()
                stream = client.ask("/", method="POST", end=False)
                chunk = bare(DATA, 0, stream, b"x" * 16384)
                client.pump((chunk for _ in range(4096)), rest=2)
                got = client.answer_of(stream)
                code = client.goaway[1] if client.goaway else got.reset
                equal(code, FLOW_CONTROL_ERROR, f"{got}")
                larder.check_growth(before, 16 << 20)
        finally:
            over.set()


# ---- HPACK (RFC 7541) ----

HPACK = {
    "index 0": b"\x80",
    "index beyond the tables": b"\xbe",
    "name beyond the tables": b"\x7f\x20\x01x",
    "an index without end": b"\xff" * 20,
    "an index over 32 bits": b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    "a length over 32 bits": b"\x00\x7f\xff\xff\xff\xff\xff\xff\xff\x7f",
    "Huffman: EOS": b"\x00\x01x\x84\xff\xff\xff\xff",
    "Huffman: padded by more than 7 bits": b"\x00\x01x\x82\x1f\xff",
    "Huffman: padded by zeros": b"\x00\x01x\x81\x18",
    "size update behind a field": literal("x", "y") + b"\x20",
    "a string beyond the block": b"\x00\x01x\x7f\x00abc",
    "no value": b"\x00\x01x",
    "no name": b"\x40",
    "half a length": b"\x00\x7f",
}


def test_hpack():
    """RFC 9113 4.3: both sides' tables are no longer the same, so nothing can follow."""
    with stage() as (larder, origin):
        for name, block in HPACK.items():
            with case(name), h2raw.connect(larder.port) as client:
                client.ping()
                client.headers(1, BLOCK + block if "update" not in name else block)
                client.next = 3
                client.expect_goaway(COMPRESSION_ERROR, within=5)
        with case("size update over the limit"), h2raw.connect(larder.port) as client:
            client.ping()
            limit = client.settings.get(h2raw.HEADER_TABLE_SIZE, 4096)
            client.headers(1, h2raw.integer(limit + 1, 5, 0x20) + BLOCK)
            client.expect_goaway(COMPRESSION_ERROR, within=5)
        equal(targets(origin), [])


def test_hpack_of_a_broken_request():
    """A refused section is unpacked all the same: what it put into the table is there for the next
    request (RFC 9113 4.3)."""
    broken = {
        "malformed": section(request("/", ("x", "a\nb"))),
        "too large": section(request("/", *((f"x-{i}", "y" * 100) for i in range(20)))),
        "too many": section(request("/", *((f"x-{i}", "y") for i in range(40)))),
    }
    with stage(**{"head-size": "1k", "head-fields": 30}) as (larder, origin):
        for name, block in broken.items():
            with case(name), h2raw.connect(larder.port) as client:
                stream = client.new_stream()
                client.headers(stream, block + literal("x-kept", "in the table", 0x40))
                refusal(client.read_answer(stream, 5))
                stream = client.new_stream()
                client.headers(stream, section(request("/next")) + b"\xbe")
                equal(client.read_answer(stream, 5).status, 200)
                equal(origin.request.get("X-Kept"), "in the table")
                origin.forget()


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
    with stage(**{"head-size": "1k", "head-fields": 30}) as (larder, origin):
        for name, fields in table.items():
            with case(name), h2raw.connect(larder.port) as client:
                before = larder.metric("http_refused_total", why="head-too-large")
                stream = client.new_stream()
                size = 500 if "CONTINUATION" in name else 16384
                client.headers(stream, request("/", *fields), size=size)
                equal(client.read_answer(stream, 5).status, 431)
                lives(client, origin)
                after = larder.metric("http_refused_total", why="head-too-large")
                equal(after, before + 1, "counted")
        with case("just allowed"), h2raw.connect(larder.port) as client:
            client.expect_ok("/", ("x", "y" * 900))
            client.expect_ok("/", *((f"x-{i}", "y") for i in range(30)))


def test_very_large_heads():
    """Far over the limit: the stream or the connection ends, and nothing is kept of it."""
    table = {
        "1000 fields": [(f"x-{i}", "y") for i in range(1000)],
        "1 MiB": [(f"x-{i}", "y" * 4000) for i in range(256)],
    }
    with stage() as (larder, origin):
        for name, fields in table.items():
            with case(name), h2raw.connect(larder.port) as client:
                block = section(request("/", *fields))
                parts = [block[at : at + 16000] for at in range(0, len(block), 16000)]
                frames = [bare(HEADERS, END_STREAM, 1, parts[0])]
                frames += [bare(CONTINUATION, 0, 1, part) for part in parts[1:-1]]
                last = parts[-1] if len(parts) > 1 else b""
                client.next = 3
                client.pump([*frames, bare(CONTINUATION, END_HEADERS, 1, last)], rest=0.3)
                got = client.answer_of(1)
                if client.goaway:
                    check(client.goaway[1] in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR), str(client.goaway))
                    check("MiB" in name, "a head of 1000 small fields ends the connection")
                else:
                    check(got.status == 431 or got.reset is not None, f"{got}")
                    client.expect_ok("/next")
                check(set(targets(origin)) <= {"/next"}, f"{targets(origin)}")


# ---- the preface (RFC 9113 3.4) ----


def test_preface():
    table = {
        "broken behind its head": b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "broken at its end": PREFACE[:-1] + b"X",
        "another version": b"PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n",
        "with a field": b"PRI * HTTP/2.0\r\nHost: a\r\n\r\nSM\r\n\r\n",
        "another method": b"PRJ * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "PING first": PREFACE + bare(PING, 0, 0, b"12345678"),
        "HEADERS first": PREFACE + bare(HEADERS, LAST, 1, BLOCK),
        "ACK first": PREFACE + bare(SETTINGS, ACK),
        "WINDOW_UPDATE first": PREFACE + bare(WINDOW_UPDATE, 0, 0, number(1)),
    }
    with stage() as (larder, origin):
        for name, said in table.items():
            with case(name), larder.connect() as wire:
                wire.send(said, bare(SETTINGS), bare(HEADERS, LAST, 3, BLOCK))
                wire.sock.settimeout(5)
                rest = wire.read_rest()
                check(b"ok" not in rest, f"served: {rest}")
        equal(origin.heard, b"")


def test_preface_in_pieces():
    with stage() as (larder, _):
        for size in (1, 3, 17):
            with case(f"{size} bytes at a time"), larder.connect() as wire:
                whole = PREFACE + bare(SETTINGS)
                for at in range(0, len(whole), size):
                    wire.send(whole[at : at + size])
                client = h2raw.Client(wire.sock, preface=b"")
                client.expect_ok("/")


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
            with case(name), h2raw.connect(larder.port) as client:
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
    "GOAWAY before": sent(),
}


def test_allowed():
    with stage() as (larder, origin):
        for name, ask in ALLOWED.items():
            with case(name), h2raw.connect(larder.port) as client:
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
    """However TCP cuts it, and however the section is cut into CONTINUATIONs."""
    whole = PREFACE + bare(SETTINGS) + bare(HEADERS, END_STREAM, 1, GOOD[:1])
    whole += bare(CONTINUATION, 0, 1, GOOD[1:9]) + bare(CONTINUATION, END_HEADERS, 1, GOOD[9:])
    with stage() as (larder, _):
        for size in (1, 2, 5, 10):
            with case(f"{size} bytes at a time"), larder.connect() as wire:
                for at in range(0, len(whole), size):
                    wire.send(whole[at : at + size])
                client = h2raw.Client(wire.sock, preface=b"")
                client.next = 3
                equal(client.read_answer(client.answer_of(1).stream, 5).status, 200)


def test_cookie_crumbs():
    """RFC 9113 8.2.3: joined for HTTP/1.1."""
    with stage() as (larder, origin), h2raw.connect(larder.port) as client:
        client.expect_ok("/", ("cookie", "a=b"), ("x", "1"), ("cookie", "c=d"), ("cookie", "e=f"))
        equal(origin.request.get("Cookie"), "a=b; c=d; e=f")


def test_http_1_beside_it():
    """The port still speaks HTTP/1.1, and an HTTP/1 client gets no frame."""
    with stage() as (larder, _):
        equal(larder.get("/").status, 200)
        with larder.connect() as wire:
            check(isinstance(wire, Wire), "")
            wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
            equal(wire.read_answer().status, 200, "h2c by Upgrade is gone (RFC 9113 3.1)")


scene.run()
