#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What HTTP/2 does not allow resets its stream, or ends its connection, and reaches no origin; what
the limits do not allow is answered. Either way the other streams go on (RFC 9113 5.4, 8.1.1)."""

import sys

sys.path.insert(0, "test/scene/lib")
import scene
from h2wire import H2, DataFrame, PingFrame, WindowUpdateFrame, get, request
from larder import Larder
from origin import Origin
from scene import case, equal

GET = get("/x")
MALFORMED, BAD_CONNECTION = "reset 1", "goaway 1"


def without(name):
    return [pair for pair in GET if pair[0] != name]


def having(name, value):
    return [(key, value if key == name else old) for key, old in GET]


HEADS = {
    # RFC 9113 8.3: pseudo fields
    "no path": (without(":path"), MALFORMED),
    "no method": (without(":method"), MALFORMED),
    "no scheme": (without(":scheme"), MALFORMED),
    "no authority": (without(":authority"), MALFORMED),
    "a doubled path": ([*GET, (":path", "/y")], MALFORMED),
    "a late path": ([*without(":path"), ("x", "y"), (":path", "/y")], MALFORMED),
    "an unknown one": ([*GET, (":foo", "y")], MALFORMED),
    "an answer's": ([*GET, (":status", "200")], MALFORMED),
    "an empty path": (having(":path", ""), MALFORMED),
    "a path without slash": (having(":path", "x"), MALFORMED),
    "an absolute path": (having(":path", "http://a/x"), MALFORMED),
    "a fragment": (having(":path", "/x#y"), MALFORMED),
    "a space in the path": (having(":path", "/x y"), MALFORMED),
    "GET *": (having(":path", "*"), MALFORMED),
    "OPTIONS *": (request("OPTIONS", "*"), "200"),
    "user info": (having(":authority", "u@a"), MALFORMED),
    "a port too large": (having(":authority", "a:99999"), MALFORMED),
    "another scheme": (having(":scheme", "ftp"), MALFORMED),
    "a bad method": (having(":method", "G T"), MALFORMED),
    "an unknown method": (having(":method", "FOO"), "200"),
    "Host alone": ([*without(":authority"), ("host", "a")], "200"),
    "Host the same": ([*GET, ("host", "A:80")], "200"),
    "Host another": ([*GET, ("host", "b")], MALFORMED),
    "Host doubled": ([*without(":authority"), ("host", "a"), ("host", "a")], MALFORMED),
    # RFC 9113 8.2: fields
    "upper case": ([*GET, ("X-A", "y")], MALFORMED),
    "Connection": ([*GET, ("connection", "close")], MALFORMED),
    "Keep-Alive": ([*GET, ("keep-alive", "1")], MALFORMED),
    "Proxy-Connection": ([*GET, ("proxy-connection", "close")], MALFORMED),
    "Transfer-Encoding": ([*GET, ("transfer-encoding", "chunked")], MALFORMED),
    "Upgrade": ([*GET, ("upgrade", "websocket")], MALFORMED),
    "TE: gzip": ([*GET, ("te", "gzip")], MALFORMED),
    "NUL": ([*GET, ("x", "a\0b")], MALFORMED),
    "CRLF": ([*GET, ("x", "a\r\nb: c")], MALFORMED),
    "LF": ([*GET, ("x", "a\nb")], MALFORMED),
    "a space before a value": ([*GET, ("x", " a")], MALFORMED),
    "a space in a name": ([*GET, ("x y", "a")], MALFORMED),
    "a colon in a name": ([*GET, ("x:y", "a")], MALFORMED),
    "no name": ([*GET, ("", "a")], MALFORMED),
    # RFC 9113 8.1.1: length
    "a length without a body": ([*GET, ("content-length", "5")], MALFORMED),
    "no number": ([*GET, ("content-length", "5x")], MALFORMED),
    # RFC 9113 8.5, RFC 8441 4
    "CONNECT": ([(":method", "CONNECT"), (":authority", "a:443")], "405"),
    "TRACE": (having(":method", "TRACE"), "405"),
    "another protocol": ([*having(":method", "CONNECT"), (":protocol", "foo")], "501"),
    "a protocol with GET": ([*GET, (":protocol", "websocket")], MALFORMED),
    # limits
    "a long path": (having(":path", "/" + "x" * 9000), "414"),
    "many fields": ([*GET, *((f"x{i}", "y") for i in range(120))], "431"),
    "a large head": ([*GET, *((f"x{i}", "y" * 3600) for i in range(10))], "431"),
    "a large body": ([*GET, ("content-length", "999999999999")], "413"),
    "an expectation": ([*GET, ("expect", "more")], "417"),
}


def test_heads():
    with Origin() as origin, Larder(origin) as larder:
        for name, (fields, wanted) in HEADS.items():
            with case(name), H2(larder) as h2:
                origin.forget()
                ends = name not in ("no number", "a large body", "an expectation")
                h2.send(h2.head(1, fields, ends))
                equal(h2.verdict(1), wanted)
                equal(len(origin.requests), int(wanted == "200"))
                h2.ask(3, get("/next"))
                equal(h2.verdict(3), "200", "the next one")


BODIES = {
    "longer than its length": ([("content-length", "2")], [(b"abc", False)], None, "reset 1"),
    "shorter than its length": ([("content-length", "9")], [(b"abc", True)], None, "reset 1"),
    "pseudo fields late": ([], [(b"abc", False)], [(":path", "/y")], "reset 1"),
    "a bad trailer": ([], [(b"abc", False)], [("connection", "close")], "reset 1"),
}


def test_bodies():
    with Origin() as origin, Larder(origin) as larder:
        for name, (fields, parts, trailers, wanted) in BODIES.items():
            with case(name), H2(larder) as h2:
                frames = [h2.head(1, request("POST", "/x", *fields), False)]
                frames += [h2.data(1, *part) for part in parts]
                h2.send(*frames, *([h2.head(1, trailers)] if trailers else []))
                equal(h2.verdict(1), wanted)
                h2.ask(3, get("/next"))
                equal(h2.verdict(3), "200", "the next one")


def raw(kind, flags, stream, payload=b""):
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


FRAMES = {
    "DATA on an idle stream": (lambda h2: DataFrame(1, b"x"), BAD_CONNECTION),
    "WINDOW_UPDATE on an idle stream": (lambda h2: WindowUpdateFrame(1, 1), BAD_CONNECTION),
    "an even stream": (lambda h2: h2.head(2, GET), BAD_CONNECTION),
    "HPACK that is none": (lambda h2: raw(1, 5, 1, b"\xff\xff"), "goaway 9"),
    "a PING that is short": (lambda h2: raw(6, 0, 0, b"x"), "goaway 6"),
    "a PING on a stream": (lambda h2: raw(6, 0, 1, b"x" * 8), BAD_CONNECTION),
    "SETTINGS on a stream": (lambda h2: raw(4, 0, 1), BAD_CONNECTION),
    "a frame too large": (lambda h2: raw(0, 0, 1, b"x" * 16385), "goaway 6"),
    "PUSH_PROMISE": (lambda h2: raw(5, 4, 1, b"\0\0\0\2"), BAD_CONNECTION),
    "a window too large": (lambda h2: WindowUpdateFrame(0, 2**31 - 1), "goaway 3"),
}


def test_frames():
    with Origin() as origin, Larder(origin) as larder:
        for name, (frame, wanted) in FRAMES.items():
            with case(name), H2(larder) as h2:
                h2.send(frame(h2))
                equal(h2.verdict(1), wanted)
                h2.ending()
        with case("a head interrupted"), H2(larder) as h2:
            h2.send(h2.head(1, GET, whole=False), PingFrame(0))
            equal(h2.verdict(1), BAD_CONNECTION)
        with case("no preface"), H2(larder, prior=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /") as h2:
            h2.ending()
        equal(origin.requests, [])
        larder.wait_for_metric(0, "http_connections", state="open")


scene.run()
