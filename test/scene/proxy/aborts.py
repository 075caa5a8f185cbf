#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that go away in any phase harm nobody: nothing is left behind, the next one is served,
and no half request becomes a whole one at the origin."""

import threading
import time

import scene
from larder import Larder
from origin import Origin, answer, takes_body
from scene import case, check, equal
from wire import head

BIG = answer(b"x" * (16 << 20), "Cache-Control: no-store")
GET = head("GET /x HTTP/1.1", "Host: a")


def post(*fields):
    return head("POST /x HTTP/1.1", "Host: a", *fields)


# What is sent, and what is read, before the client goes.
PHASES = {
    "at once": (b"", 0),
    "in the request line": (b"GET /x HT", 0),
    "in the head": (b"GET /x HTTP/1.1\r\nHost: a\r\n", 0),
    "before its body": (post("Content-Length: 1000"), 0),
    "in its body": (post("Content-Length: 1000") + b"x" * 999, 0),
    "in a chunk": (post("Transfer-Encoding: chunked") + b"5\r\nhel", 0),
    "before the last chunk": (post("Transfer-Encoding: chunked") + b"5\r\nhello\r\n", 0),
    "in a trailer": (post("Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\nX: y\r\n", 0),
    "before 100": (post("Content-Length: 9", "Expect: 100-continue"), 0),
    "before its answer": (GET, 0),
    "in the answer's head": (GET, 10),
    "in the answer's body": (GET, 1 << 20),
    "with requests ahead": (GET * 100, 1 << 20),
}


def settle(larder):
    """Nothing is left of any client."""
    larder.wait_for_metric(0, "http_requests_under_way")
    larder.wait_for_metric(0, "http_connections", state="open")
    larder.wait_for_metric(0, "cache_fetches_under_way")
    larder.wait_for_metric(0, "origin_connections", state="busy")


def test_each_phase():
    for ending in ("close", "reset"):
        with Origin(BIG) as origin, Larder(origin) as larder:
            for name, (sent, taken) in PHASES.items():
                with case(f"{name}, by {ending}"):
                    origin.forget()
                    client = larder.connect()
                    client.send(sent)
                    if taken:
                        client.read_exactly(taken)
                    getattr(client, ending)()
                    settle(larder)
                    taken_whole = [r for r in origin.requests if r.method == "POST"]
                    equal(taken_whole, [], "half requests taken as whole")
                    equal(len(larder.get("/y").body), 16 << 20, "the next client")
                    settle(larder)


def test_while_the_origin_thinks():
    """A reset ends the request; a mere end of what is sent does not, see test_half_close."""
    go = threading.Event()

    def think(_, wire):
        go.wait(10)
        return answer(b"ok", "Cache-Control: max-age=60")

    for line in ("GET /x HTTP/1.1", "POST /x HTTP/1.1"):
        with case(line), Origin(think) as origin, Larder(origin) as larder:
            go.clear()
            gone, done = larder.connect(), larder.connect()
            gone.send(head(line, "Host: a"))
            origin.wait_for(1)
            gone.reset()
            larder.wait_for_metric(1, "http_connections", state="open")
            done.send(head(line, "Host: a"))
            done.close()
            go.set()
            equal(larder.get("/x").body, b"ok")
            settle(larder)


def test_the_leader_of_a_fetch():
    """Those who joined it get it whole, though the one who began it has gone."""
    go = threading.Event()

    first = head("HTTP/1.1 200 OK", "Content-Length: 10", "Cache-Control: max-age=60") + b"hello"

    def halves(_, wire):
        wire.send(first)
        go.wait(10)
        wire.send(b"world")

    with Origin(halves) as origin, Larder(origin, workers=2) as larder:
        leader = larder.connect()
        leader.send(GET)
        leader.read_until(b"hello")
        followers = [larder.connect() for _ in range(8)]
        for follower in followers:
            follower.send(GET)
            follower.read_until(b"hello")
        leader.reset()
        go.set()
        for follower in followers:
            equal(follower.read_exactly(5), b"world")
            follower.close()
        equal(larder.get("/x").body, b"helloworld")
        equal(len(origin.requests), 1)
        settle(larder)


def test_half_close():
    """A client that has said all it had to say still gets its answer (RFC 9112 9.6)."""

    def later(_, wire):
        time.sleep(0.2)
        return answer(b"ok", "Cache-Control: no-store")

    with Origin(later) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(GET)
        client.finish()
        equal(client.read_answer().body, b"ok")
        check(client.is_closed(), "still open")
    with Origin(later) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(GET, post("Content-Length: 5") + b"hello", GET)
        client.finish()
        equal([client.read_answer().body for _ in "123"], [b"ok"] * 3, "requests sent ahead")
        check(client.is_closed(), "still open")


def test_an_upload_that_stops():
    """The origin sees that the rest will not come, at once."""
    ended = threading.Event()

    @takes_body
    def read(_, wire):
        wire.read_rest()
        ended.set()

    with Origin(read) as origin, Larder(origin) as larder:
        client = larder.connect()
        client.send(post("Content-Length: 1000"), b"x" * 500)
        origin.wait_for(1)
        client.close()
        check(ended.wait(5), "the origin still waits")
        settle(larder)


def test_many_at_random():
    """300 clients that go at odd moments, while others are served."""
    with Origin(answer(b"x" * 200000, "Cache-Control: no-store")) as origin:
        with Larder(origin, workers=2) as larder:
            for i in range(300):
                client = larder.connect()
                client.send(GET[: 1 + i % len(GET)] if i % 3 == 0 else GET)
                if i % 3 == 2:
                    client.read_exactly(1 + i * 600)
                if i % 2:
                    client.reset()
                else:
                    client.close()
                if i % 50 == 0:
                    equal(larder.get("/y").status, 200)
            settle(larder)


scene.run()
