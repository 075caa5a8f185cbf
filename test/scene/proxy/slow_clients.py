#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""How slow a client may be: time for a head, for a body, for a rest between requests, and to take
its answer. Each limit ends the connection and is counted."""

import time

import scene
from larder import Larder
from origin import Origin, answer, takes_body
from scene import case, check, equal
from wire import Cut, head

QUICK = {f"{what}-timeout": "200ms" for what in ("head", "body", "idle", "send")}


def quick(which, limit="200ms"):
    return {"limits": {which: limit}}


@takes_body
def swallow(_, wire):
    try:
        wire.read_rest()
    except OSError:
        pass


def test_head():
    """408, whatever part of the head came."""
    whole = head("GET / HTTP/1.1", "Host: a")
    parts = [whole[:1], whole[:14], whole[:20], whole[:-1]]
    with Origin() as origin, Larder(origin, config=quick("head-timeout")) as larder:
        begin = time.monotonic()
        clients = [larder.connect() for _ in parts]
        for client, part in zip(clients, parts):
            client.send(part)
        for client, part in zip(clients, parts):
            with case(repr(part)), client:
                got = client.read_answer()
                equal((got.status, got.get("Connection")), (408, "close"))
                check(client.is_closed(), "still open")
        took = time.monotonic() - begin
        check(0.15 < took < 5, f"after {took:.1f} s")
        equal(larder.metric("http_refused_total", why="head-timeout"), len(parts))
        equal(origin.heard, b"")


def test_head_by_drops():
    """A byte now and then does not buy more time."""
    with Origin() as origin, Larder(origin, config=quick("head-timeout")) as larder:
        with larder.connect() as client:
            begin = time.monotonic()
            client.send(b"GET / HTTP/1.1\r\nX: ")
            while client.is_quiet(0.05):
                client.send(b"x")
                check(time.monotonic() - begin < 5, "still patient after 5 s")
            equal(client.read_answer().status, 408)


def test_head_of_a_later_request():
    with Origin() as origin, Larder(origin, config=quick("head-timeout")) as larder:
        with larder.connect() as client:
            client.send(head("GET / HTTP/1.1", "Host: a"), b"GET /")
            equal([client.read_answer().status for _ in "12"], [200, 408])


def test_body():
    kinds = {
        "length": ("Content-Length: 1000", b"abc"),
        "chunks": ("Transfer-Encoding: chunked", b"3\r\nabc\r\n"),
    }
    with Origin(swallow) as origin, Larder(origin, config=quick("body-timeout")) as larder:
        for name, (framing, part) in kinds.items():
            with case(name), larder.connect() as client:
                client.send(head("POST / HTTP/1.1", "Host: a", framing), part)
                got = client.read_answer()
                equal((got.status, got.get("Connection")), (408, "close"))
                check(client.is_closed(), "still open")
        equal(larder.metric("http_refused_total", why="body-timeout"), len(kinds))


def test_body_by_drops():
    """Its clock begins anew with each byte: a slow link may be slow for long."""
    with Origin() as origin, Larder(origin, config=quick("body-timeout", "400ms")) as larder:
        with larder.connect() as client:
            client.send(head("POST / HTTP/1.1", "Host: a", "Content-Length: 10"))
            for _ in range(10):
                time.sleep(0.05)
                client.send(b"x")
            equal(client.read_answer().status, 200)


def test_a_slow_origin_is_not_the_clients_fault():
    """While the answer is waited for no clock of the client's runs."""

    def late(_, wire):
        time.sleep(0.4)
        return answer(b"ok", "Cache-Control: no-store")

    with Origin(late) as origin, Larder(origin, config={"limits": QUICK}) as larder:
        equal(larder.ask("POST / HTTP/1.1", "Host: a", "Content-Length: 2", body=b"hi").status, 200)
        equal(larder.get().status, 200)


def test_idle():
    """A connection without a request is closed without a word, new or used."""
    with Origin() as origin, Larder(origin, config=quick("idle-timeout")) as larder:
        with larder.connect() as fresh, larder.connect() as used:
            used.send(head("GET / HTTP/1.1", "Host: a"))
            equal(used.read_answer().status, 200)
            check(fresh.is_closed(2), "a new one is still open")
            check(used.is_closed(2), "a used one is still open")
        equal(larder.metric("http_closed_total", why="idle"), 2)


def test_a_client_that_takes_nothing():
    with Origin(answer(b"x" * (64 << 20), "Cache-Control: no-store")) as origin:
        with Larder(origin, config=quick("send-timeout")) as larder:
            with larder.connect(receive_bytes=4096) as client:
                client.send(head("GET / HTTP/1.1", "Host: a"))
                larder.wait_for_metric(1, "http_closed_total", why="send-stalled")
                try:
                    client.read_answer()
                    raise AssertionError("told as whole")
                except Cut:
                    pass
            larder.wait_for_metric(0, "http_connections", state="open")


def test_a_client_that_takes_little():
    """A byte taken now and then is enough."""
    size = 32 << 20
    with Origin(answer(b"x" * size, "Cache-Control: no-store")) as origin:
        with Larder(origin, config=quick("send-timeout", "400ms")) as larder:
            with larder.connect(receive_bytes=65536) as client:
                client.send(head("GET / HTTP/1.1", "Host: a"))
                took = 0
                for _ in range(16):
                    time.sleep(0.05)
                    took += len(client.sock.recv(16384))
                while took < size:
                    some = client.sock.recv(1 << 20)
                    check(some, f"cut after {took} bytes")
                    took += len(some)


scene.run()
