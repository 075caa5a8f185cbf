#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Streams of one connection harm each other not: one that is slow, cut, cancelled or stalled is its
own affair, and what is cut never looks whole."""

import sys
import threading
import time

sys.path.insert(0, "test/scene/lib")
import scene
from h2wire import CANCEL, H2, INTERNAL_ERROR, NO_ERROR, RstStreamFrame, WindowUpdateFrame, get, request
from larder import Larder
from origin import CLOSE, Origin, answer, takes_body
from scene import check, equal, eventually
from wire import head

BIG = 4 << 20
FRESH = ("Cache-Control: max-age=60",)


def settle(larder):
    larder.wait_for_metric(0, "http_requests_under_way")
    larder.wait_for_metric(0, "cache_fetches_under_way")


def test_a_reader_holds_back_only_itself():
    replies = lambda request, wire: answer(b"x" * BIG, *FRESH)
    with Origin(replies) as origin, Larder(origin) as larder:
        with H2(larder, settings={4: 1000}) as h2:
            h2.send(h2.head(1, get("/big")))
            h2.until(lambda: len(h2.answers[1].body) == 1000 if 1 in h2.answers else False)
            h2.send(h2.head(3, get("/big")), WindowUpdateFrame(3, BIG))
            equal(len(h2.answer(3).body), BIG)
            equal(len(h2.answers[1].body), 1000)
            h2.send(WindowUpdateFrame(1, BIG))
            equal(len(h2.answer(1).body), BIG)


def test_an_upload_holds_back_only_itself():
    go_on = threading.Event()

    @takes_body
    def replies(request, wire):
        if request.target == "/slow":
            go_on.wait(20)
        wire.read_body(request, "none")
        return answer(str(len(request.body)).encode())

    with Origin(replies) as origin, Larder(origin) as larder, H2(larder) as h2:
        h2.send(h2.head(1, request("POST", "/slow", ("content-length", str(64 << 20))), False))
        sent = 0
        end = time.monotonic() + 1
        while time.monotonic() < end:
            room = min(h2.room(1), h2.room(0), 16384)
            if room <= 0:
                h2.sock.settimeout(0.2)
                try:
                    h2.read()
                except TimeoutError:
                    break
                continue
            h2.updates[1] = h2.updates.get(1, 0) - room
            h2.updates[0] = h2.updates.get(0, 0) - room
            h2.send(h2.data(1, b"x" * room))
            sent += room
        h2.sock.settimeout(20)
        check(room <= 0 and h2.room(0) > 0, f"the upload was not held back: {sent} bytes")
        check(sent < 48 << 20, f"{sent} bytes were taken")
        h2.ask(3, request("POST", "/quick"), b"y" * (1 << 20))
        equal(bytes(h2.answer(3).body), str(1 << 20).encode())
        go_on.set()
        h2.send_body(1, b"x" * ((64 << 20) - sent))
        equal(bytes(h2.answer(1).body), str(64 << 20).encode())


def test_a_truncated_answer_is_reset():
    def replies(request, wire):
        if request.target == "/chunks":
            return head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n", CLOSE
        return head("HTTP/1.1 200 OK", "Content-Length: 1000") + b"x" * 400, CLOSE

    with Origin(replies) as origin, Larder(origin) as larder, H2(larder) as h2:
        for stream, target in ((1, "/length"), (3, "/chunks")):
            h2.ask(stream, get(target))
            cut = h2.answer(stream)
            equal((cut.status, cut.ended, cut.reset), (200, False, INTERNAL_ERROR), target)
        equal(h2.goaways, [])
        settle(larder)


def test_cancelled():
    go_on = threading.Event()

    def replies(request, wire):
        go_on.wait(20)
        return answer(b"late", "Cache-Control: no-store")

    with Origin(replies) as origin, Larder(origin) as larder, H2(larder) as h2:
        for stream in range(1, 40, 2):
            h2.send(h2.head(stream, request("POST", f"/{stream}"), ends=stream % 4 == 1))
        larder.wait_for_metric(20, "http_requests_under_way")
        h2.send(*(RstStreamFrame(stream, CANCEL) for stream in range(1, 40, 2)))
        larder.wait_for_metric(0, "http_requests_under_way")
        go_on.set()
        h2.ask(41, get("/next"))
        equal(bytes(h2.answer(41).body), b"late")
        settle(larder)


def test_gone_with_streams_under_way():
    go_on = threading.Event()

    def replies(request, wire):
        go_on.wait(20)
        return answer(b"late", "Cache-Control: no-store")

    with Origin(replies) as origin, Larder(origin) as larder:
        with H2(larder) as h2:
            h2.send(*(h2.head(stream, get(f"/{stream}")) for stream in range(1, 40, 2)))
            larder.wait_for_metric(20, "http_requests_under_way")
        larder.wait_for_metric(0, "http_requests_under_way")
        larder.wait_for_metric(0, "http_connections", state="open")
        go_on.set()
        settle(larder)


def test_answered_early():
    """An answer before the whole request ends it with NO_ERROR (RFC 9113 8.1)."""
    with Origin() as origin, Larder(origin) as larder, H2(larder) as h2:
        h2.send(h2.head(1, request("POST", "/x", ("content-length", "999999999999")), False))
        h2.until(lambda: 1 in h2.answers and h2.answers[1].reset is not None)
        equal((h2.answers[1].status, h2.answers[1].ended, h2.answers[1].reset), (413, True, NO_ERROR))
        h2.ask(3, get("/x"))
        equal(h2.answer(3).status, 200)


def test_trailers_of_a_stream_that_is_over():
    """An answer ends a request within its trailers: nobody waits for the rest of them, and the
    other streams go on for as long as they need."""
    go_on = threading.Event()

    @takes_body
    def replies(request, wire):
        if request.target == "/late":
            go_on.wait(20)
        return answer(b"whole", "Cache-Control: no-store", "Connection: close"), CLOSE

    limits = {"head-timeout": "500ms"}
    with Origin(replies) as origin, Larder(origin, config={"limits": limits}) as larder:
        with H2(larder) as h2:
            h2.send(h2.head(1, get("/late")), h2.head(3, request("POST", "/early"), ends=False))
            h2.until(lambda: h2.settings)
            trailers = h2.head(3, [("x-t", "x" * 100)])
            h2.sock.sendall(trailers[:20])
            equal(h2.answer(3).status, 200)
            h2.until(lambda: h2.answers[3].reset is not None)
            h2.sock.sendall(trailers[20:])
            time.sleep(1)
            go_on.set()
            equal(bytes(h2.answer(1).body), b"whole")
            equal(h2.goaways, [])
        equal(larder.metric("http_refused_total", why="head-timeout"), 0)


def test_slow_clients():
    limits = {"body-timeout": "300ms", "send-timeout": "300ms", "head-timeout": "300ms"}
    with Origin(answer(b"x" * BIG, *FRESH)) as origin, Larder(origin, config={"limits": limits}) as larder:
        with H2(larder, settings={4: 10}) as h2:
            h2.send(h2.head(1, request("POST", "/slow"), ends=False))
            equal(h2.answer(1).status if h2.answer(1).heads else h2.answer(1).reset, 408)
            h2.send(h2.head(3, get("/x")))
            equal(h2.answer(3).reset, CANCEL)
            equal(h2.goaways, [])
            for stream in range(5, 50, 2):
                h2.send(h2.head(stream, get("/x")))
            equal(h2.ending(), 11)
        equal(larder.metric("h2_abuse_total", why="stalled-windows"), 1)
        with H2(larder) as h2:
            h2.until(lambda: h2.settings)
            h2.send(h2.head(1, get("/x"), whole=False))
            equal(h2.ending(), None)
        equal(larder.metric("http_refused_total", why="head-timeout"), 1)
        settle(larder)


scene.run()
