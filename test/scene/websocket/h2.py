#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""WebSocket over HTTP/2 (RFC 8441): CONNECT with a protocol makes a tunnel of a stream."""

import sys
import threading

sys.path.insert(0, "test/scene/lib")
import scene
from caching import Pages
from h2wire import CANCEL, H2, RstStreamFrame, get, request
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal
from tunnels import KEY, agreed, check_nothing_is_left, echo, tunnelled
from wire import head

VERSION = ("sec-websocket-version", "13")


def connect(path="/chat", *fields):
    return request("CONNECT", path, (":protocol", "websocket"), VERSION, *fields)


def heard(h2, stream, count):
    h2.until(lambda: len(h2.answers[stream].body) >= count)
    return bytes(h2.answers[stream].body)


def opened(h2, stream=1, *fields):
    h2.send(h2.head(stream, connect("/chat", *fields), ends=False))
    h2.until(lambda: stream in h2.answers and h2.answers[stream].has_final())
    return h2.answers[stream]


def test_tunnel():
    """RFC 8441 4, 5: no Upgrade and no key here, both towards the origin."""

    def reply(asked, wire):
        wire.send(agreed(asked, "Sec-WebSocket-Protocol: chat") + b"welcome")
        echo(wire)

    with Origin(reply) as origin, Larder(origin) as larder, H2(larder) as h2:
        got = opened(h2, 1, ("sec-websocket-protocol", "chat"), ("sec-websocket-key", KEY))
        equal(h2.settings.get(8), 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL")
        equal((got.status, got.get("sec-websocket-protocol")), (200, "chat"))
        for name in ("sec-websocket-accept", "upgrade", "connection", "cache-status", "age"):
            equal(got.get(name), None, name)
        asked = origin.request
        equal((asked.method, asked.target), ("GET", "/chat"))
        equal((asked.get("Upgrade"), asked.get("Connection")), ("websocket", "Upgrade"))
        equal((asked.get("Sec-WebSocket-Version"), asked.get("Content-Length")), ("13", None))
        check(asked.get("Sec-WebSocket-Key") not in (None, KEY), "the client's key went on")
        h2.send_body(1, b"x" * 300000, ends=False)
        equal(heard(h2, 1, 300007), b"welcome" + b"x" * 300000)
        equal(larder.metric("http_tunnels", state="open"), 1)
        h2.send_body(1, b"", ends=True)
        got = h2.answer(1)
        check(got.ended and got.reset is None, "it did not end well")
        check(larder.metric("http_tunnel_bytes_total", direction="out") >= 300007, "out")
        equal(larder.metric("http_tunnel_bytes_total", direction="in"), 300000)
        larder.wait_for_metric(0, "http_tunnels", state="open")


def test_refused():
    """Only a switch may look like one: any other 2xx would be taken for it."""
    pages = {
        "/403": answer(b"no", status="403 Forbidden"),
        "/200": answer(b"a page", "Cache-Control: max-age=60"),
        "/bad": head("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket"),
    }
    with Origin(Pages(pages)) as origin, Larder(origin) as larder, H2(larder) as h2:
        for stream, path, status in ((1, "/403", 403), (3, "/200", 502), (5, "/bad", 502)):
            with case(path):
                h2.send(h2.head(stream, connect(path), ends=False))
                equal(h2.answer(stream).status, status)
        h2.ask(7, get("/200"))
        equal((h2.answer(7).status, bytes(h2.answer(7).body)), (200, b"a page"))
        equal(larder.metric("http_tunnels_total"), 0)


def test_route_without():
    route = {"path": "/", "origin": "default", "websocket": False}
    with Origin() as origin, Larder(origin, config={"routes": [route]}) as larder:
        with H2(larder) as h2:
            h2.send(h2.head(1, connect(), ends=False))
            equal(h2.answer(1).status, 501)
        equal(origin.requests, [])


def test_ends():
    ended = threading.Event()

    def listen(wire):
        wire.send(b"hello")
        wire.read_rest()
        ended.set()

    with Origin(tunnelled(listen)) as origin, Larder(origin) as larder:
        for name in ("stream", "connection"):
            with case(name), H2(larder) as h2:
                ended.clear()
                opened(h2)
                equal(heard(h2, 1, 5), b"hello")
                if name == "stream":
                    h2.send(RstStreamFrame(1, error_code=CANCEL))
                else:
                    h2.sock.close()
                check(ended.wait(10), "the origin saw no end")
                larder.wait_for_metric(0, "http_tunnels", state="open")
        check_nothing_is_left(larder)


def test_the_origin_ends():
    for name, end in {"close": "close", "reset": "reset"}.items():
        go = threading.Event()

        def last_words(wire):
            wire.send(b"bye")
            go.wait(20)
            getattr(wire, end)()

        with case(name), Origin(tunnelled(last_words)) as origin, Larder(origin) as larder:
            with H2(larder) as h2:
                opened(h2)
                equal(heard(h2, 1, 3), b"bye")
                go.set()
                equal((h2.answer(1).ended, h2.answer(1).reset is None), (end == "close",) * 2)
            check_nothing_is_left(larder)


def test_idle():
    config = {"limits": {"tunnel-idle": "300ms", "send-timeout": "100ms"}}
    with Origin(tunnelled(echo)) as origin, Larder(origin, config=config) as larder:
        with H2(larder) as h2:
            opened(h2)
            for i in range(5):
                h2.send(h2.data(1, b"."))
                equal(len(heard(h2, 1, i + 1)), i + 1)
                threading.Event().wait(0.15)
            check(h2.answer(1).reset is not None, "it was not cut")
            equal(larder.metric("http_closed_total", why="tunnel-idle"), 1)
            larder.wait_for_metric(0, "http_tunnels", state="open")


scene.run()
