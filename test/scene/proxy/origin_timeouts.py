#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""How slow an origin may be: 504 before the answer's head, a cut behind it."""

import threading
import time

import scene
from larder import Larder
from origin import Origin, answer, takes_body
from scene import case, check, equal
from wire import Cut, head

LENGTH = head("HTTP/1.1 200 OK", "Content-Length: 10", "Cache-Control: max-age=60")
CHUNKS = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Cache-Control: max-age=60")


def group(**options):
    return {"origin": {name.replace("_", "-"): value for name, value in options.items()}}


def then_silence(said):
    def reply(_, wire):
        wire.send(said)
        wire.is_closed()

    return reply


def timed(larder, *lines, body=b""):
    begin = time.monotonic()
    got = larder.ask(*lines, body=body)
    return got.status, time.monotonic() - begin


def test_first_byte():
    parts = {
        "nothing": b"",
        "half a line": b"HTTP/1.1 2",
        "half a head": LENGTH[:-2],
        "an interim": head("HTTP/1.1 103 Early Hints"),
    }
    for name, said in parts.items():
        for line in ("GET / HTTP/1.1", "POST / HTTP/1.1"):
            with case(f"{name}, {line}"), Origin(then_silence(said)) as origin:
                with Larder(origin, config=group(first_byte_timeout="100ms")) as larder:
                    status, took = timed(larder, line, "Host: a", "Content-Length: 0")
                    equal(status, 504)
                    check(0.05 < took < 5, f"after {took:.1f} s")
                    equal(len(origin.requests), 1, "requests: slow is not dead")


def test_head_by_drops():
    """A byte now and then does not buy more time."""

    def drip(_, wire):
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100:
            time.sleep(0.05)
            wire.send(bytes([byte]))

    with Origin(drip) as origin, Larder(origin, config=group(first_byte_timeout="100ms")) as larder:
        status, took = timed(larder, "GET / HTTP/1.1", "Host: a")
        equal(status, 504)
        check(took < 5, f"after {took:.1f} s")


def test_between_bytes():
    for name, said in {"length": LENGTH + b"12345", "chunks": CHUNKS + b"5\r\n12345\r\n"}.items():
        with case(name), Origin(then_silence(said)) as origin:
            with Larder(origin, config=group(between_bytes_timeout="200ms")) as larder:
                try:
                    raise AssertionError(f"told as whole: {larder.get().body}")
                except Cut:
                    pass
                origin.reply = answer(b"well")
                equal(larder.get().body, b"well", "the next request")


def test_between_bytes_begins_anew():
    def drip(_, wire):
        wire.send(LENGTH)
        for _ in range(10):
            time.sleep(0.05)
            wire.send(b"x")

    config = group(between_bytes_timeout="200ms")
    with Origin(drip) as origin, Larder(origin, config=config) as larder:
        equal(larder.get().body, b"x" * 10)


def test_the_whole():
    def drip(_, wire):
        wire.send(LENGTH)
        for _ in range(10):
            time.sleep(0.05)
            wire.send(b"x")

    for name, reply, status in (("head", then_silence(b""), 504), ("body", drip, None)):
        with case(name), Origin(reply) as origin:
            with Larder(origin, config=group(total_timeout="200ms")) as larder:
                try:
                    equal(larder.get().status, status)
                except Cut:
                    equal(status, None)


def test_sending():
    """An origin that takes no byte of the request."""
    stop = threading.Event()

    @takes_body
    def sleep(_, wire):
        stop.wait(10)

    with Origin(sleep) as origin, Larder(origin, config=group(send_timeout="200ms")) as larder:
        with larder.connect() as client:
            client.send(head("POST / HTTP/1.1", "Host: a", "Content-Length: 50000000"))
            got = []
            reader = threading.Thread(target=lambda: got.append(client.read_answer().status))
            reader.start()
            try:
                client.send(b"x" * 50000000)
            except OSError:
                pass  # closed on us, and rightly
            reader.join()
            equal(got, [504])
        stop.set()


def test_counted():
    with Origin(then_silence(b"")) as origin:
        with Larder(origin, config=group(first_byte_timeout="100ms")) as larder:
            larder.get()
            equal(larder.metric("origin_failures_total", why="timeout"), 1)


scene.run()
