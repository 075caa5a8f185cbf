#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""TERM and INT stop at once, QUIT when the answers under way are out, USR1 opens the log anew."""

import signal
import threading
import time

import scene
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal, eventually
from wire import head

GET = head("GET / HTTP/1.1", "Host: a")
FIRST = head("HTTP/1.1 200 OK", "Content-Length: 10", "Cache-Control: no-store") + b"hello"


class Halves(Origin):
    """Sends the second half of each answer when it is told to."""

    def __init__(self, control=b"no-store"):
        self.go = threading.Event()
        self.first = FIRST.replace(b"no-store", control)
        super().__init__(self.halves)

    def halves(self, _, wire):
        wire.send(self.first)
        self.go.wait(20)
        return b"world"


def begin(larder):
    """A client whose answer is half out."""
    client = larder.connect()
    client.send(GET)
    client.read_until(b"hello")
    return client


def test_at_once():
    for number in (signal.SIGTERM, signal.SIGINT):
        with case(number.name), Halves() as origin, Larder(origin, workers=2) as larder:
            client, idle = begin(larder), larder.connect()
            now = time.monotonic()
            larder.signal(number)
            equal(larder.wait(20), 0, "exit code")
            took = time.monotonic() - now
            check(took < 5, f"it took {took:.1f} s")
            equal(client.read_rest(), b"")
            check(idle.is_closed(), "an idle connection is open")
            client.close()
            idle.close()


def test_at_once_with_a_fetch_nobody_waits_for():
    """What is fetched for the cache alone is let go of too; a sanitizer sees what is left."""
    with Halves(b"max-age=60") as origin, Larder(origin) as larder:
        begin(larder).reset()
        larder.wait_for_metric(0, "http_connections", state="open")
        equal(larder.metric("cache_fetches_under_way"), 1)


def test_gracefully():
    with Halves() as origin, Larder(origin, workers=2) as larder:
        under_way = [begin(larder) for _ in range(4)]
        idle = larder.connect()
        used = larder.connect()
        larder.wait_for_metric(6, "http_connections", state="open")
        larder.signal(signal.SIGQUIT)
        check(idle.is_closed(), "an idle connection is open")
        eventually(larder.refuses, "new connections are taken")
        equal(larder.admin("/readyz").status, 503)
        check(larder.child.poll() is None, "it did not wait")
        origin.go.set()
        for client in under_way:
            equal(client.read_exactly(5), b"world")
            check(client.is_closed(), "still open")
            client.close()
        equal(larder.wait(20), 0, "exit code")
        idle.close()
        used.close()


def test_gracefully_tells_to_close():
    """An answer that begins while it drains says that the connection ends with it."""
    go = threading.Event()

    def late(_, wire):
        go.wait(20)
        return answer(b"ok", "Cache-Control: no-store")

    with Origin(late) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(GET)
        origin.wait_for(1)
        larder.signal(signal.SIGQUIT)
        larder.wait_for_word("draining")
        eventually(larder.refuses, "new connections are taken")
        go.set()
        got = client.read_answer()
        equal((got.body, got.get("Connection")), (b"ok", "close"))
        client.close()
        equal(larder.wait(20), 0, "exit code")


def test_with_a_deadline():
    with Halves() as origin, Larder(origin, config={"stop-timeout": "300ms"}) as larder:
        client = begin(larder)
        now = time.monotonic()
        larder.signal(signal.SIGQUIT)
        equal(larder.wait(20), 0, "exit code")
        took = time.monotonic() - now
        check(0.2 < took < 5, f"it took {took:.1f} s")
        equal(client.read_rest(), b"")
        client.close()


def test_impatience():
    """TERM after QUIT does not wait."""
    with Halves() as origin, Larder(origin) as larder:
        client = begin(larder)
        larder.signal(signal.SIGQUIT)
        larder.wait_for_word("draining")
        larder.signal(signal.SIGTERM)
        equal(larder.wait(20), 0, "exit code")
        client.close()


def test_nobody_there():
    """Without clients a graceful stop is over at once."""
    with Origin() as origin, Larder(origin, workers=4) as larder:
        larder.get()
        larder.signal(signal.SIGQUIT)
        equal(larder.wait(2), 0, "exit code")


def test_log_is_opened_anew():
    with Origin(answer(b"ok", "Cache-Control: no-store")) as origin:
        larder = Larder(origin)
        log, moved = larder.path / "access", larder.path / "access.1"
        larder.configure({"log": {"access": str(log)}})
        with larder:
            larder.get("/one")
            eventually(lambda: log.exists() and "/one" in log.read_text(), "no line")
            log.rename(moved)
            larder.get("/two")
            eventually(lambda: "/two" in moved.read_text(), "no line before USR1")
            larder.signal(signal.SIGUSR1)
            eventually(log.exists, "not opened anew")
            larder.get("/three")
            eventually(lambda: "/three" in log.read_text(), "no line in the new log")
            check("/three" not in moved.read_text(), "a line in the old log")


scene.run()
