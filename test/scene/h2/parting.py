#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The end of a connection is told with GOAWAY, and no request that was taken is lost (RFC 9113 6.8):
on a graceful stop, after so many requests, and when nothing is asked any more."""

import signal
import sys
import threading
import time

sys.path.insert(0, "test/scene/lib")
import scene
from h2wire import H2, NO_ERROR, GoAwayFrame, PingFrame, get
from larder import Larder
from origin import Origin, answer
from scene import check, equal

LAST = 2**31 - 1


def test_graceful_stop():
    go_on = threading.Event()

    def replies(request, wire):
        go_on.wait(20)
        return answer(b"late", "Cache-Control: no-store")

    with Origin(replies) as origin, Larder(origin) as larder:
        with H2(larder) as idle, H2(larder) as busy:
            idle.until(lambda: idle.settings)
            busy.send(busy.head(1, get("/1")))
            origin.wait_for(1)
            larder.signal(signal.SIGQUIT)
            equal(idle.ending(), NO_ERROR)
            busy.until(lambda: busy.goaways)
            equal(busy.goaways, [(LAST, NO_ERROR)])
            # Sent before the notice was read, as it were: it is served, too.
            busy.send(busy.head(3, get("/3")))
            busy.until(lambda: len(busy.goaways) > 1)
            go_on.set()
            equal((bytes(busy.answer(1).body), bytes(busy.answer(3).body)), (b"late", b"late"))
            equal(busy.ending(), NO_ERROR)
            equal(busy.goaways[-1], (3, NO_ERROR))
        equal(larder.wait(), 0)


def test_so_many_requests():
    with Origin() as origin, Larder(origin, config={"limits": {"requests": 3}}) as larder:
        with H2(larder) as h2:
            for stream in (1, 3, 5):
                h2.ask(stream, get("/x"))
                equal(h2.answer(stream).status, 200)
            equal(h2.ending(), NO_ERROR)
            check(h2.goaways[-1][0] >= 5, f"{h2.goaways}")
        larder.wait_for_metric(0, "http_connections", state="open")


def test_nothing_asked():
    with Origin() as origin, Larder(origin, config={"limits": {"idle-timeout": "300ms"}}) as larder:
        with H2(larder) as h2:
            h2.ask(1, get("/x"))
            equal(h2.answer(1).status, 200)
            equal(h2.ending(), NO_ERROR)
            equal(h2.goaways, [(1, NO_ERROR)])
        equal(larder.metric("http_closed_total", why="idle"), 1)
        larder.wait_for_metric(0, "http_connections", state="open")


def test_pings_are_no_requests():
    with Origin() as origin, Larder(origin, config={"limits": {"idle-timeout": "300ms"}}) as larder:
        with H2(larder) as h2:
            h2.until(lambda: h2.settings)
            end = time.monotonic() + 2
            while time.monotonic() < end and not h2.goaways:
                h2.send(PingFrame(0, b"12345678"))
                h2.read()
                time.sleep(0.02)
            equal(h2.goaways, [(0, NO_ERROR)])


def test_client_parts():
    with Origin() as origin, Larder(origin) as larder:
        with H2(larder) as h2:
            h2.send(h2.head(1, get("/x")), GoAwayFrame(0))
            equal(h2.answer(1).status, 200)
            h2.ending()
        larder.wait_for_metric(0, "http_connections", state="open")


scene.run()
