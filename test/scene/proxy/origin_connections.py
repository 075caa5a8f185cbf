#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Connections to the origin: kept and used again, so many and so long as is configured."""

import threading
import time

import scene
from larder import Larder
from origin import Origin, answer
from scene import case, equal, eventually
from wire import head

OK = answer(b"ok", "Cache-Control: no-store")


def ask_at_once(larder, count, *fields):
    """So many requests under way at the same time; their statuses."""
    clients = [larder.connect() for _ in range(count)]
    for i, client in enumerate(clients):
        client.send(head(f"GET /{i} HTTP/1.1", "Host: a", *fields))
    statuses = [client.read_answer().status for client in clients]
    for client in clients:
        client.close()
    return statuses


class Counting(Origin):
    """Knows how many requests it had at most at the same time."""

    def __init__(self, seconds):
        self.now = self.most = 0
        self.seconds = seconds
        self.lock = threading.Lock()
        super().__init__(self.count)

    def count(self, *_):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        return OK


def test_used_again():
    with Origin(OK) as origin, Larder(origin) as larder:
        for i in range(20):
            larder.get(f"/{i}")
        equal(len(origin.wires), 1)
        equal(larder.metric("origin_connects_total"), 1)
        equal(larder.metric("origin_reuses_total"), 19)


def test_not_shared_at_the_same_time():
    with Counting(0.2) as origin, Larder(origin) as larder:
        equal(ask_at_once(larder, 10), [200] * 10)
        equal((origin.most, len(origin.wires)), (10, 10))


def test_so_many_are_kept():
    config = {"origin": {"idle-connections": 3}}
    with Counting(0.1) as origin, Larder(origin, config=config) as larder:
        ask_at_once(larder, 10)
        larder.wait_for_metric(3, "origin_connections", state="idle")


def test_none_is_kept():
    config = {"origin": {"idle-connections": 0}}
    with Origin(OK) as origin, Larder(origin, config=config) as larder:
        for i in range(5):
            equal(larder.get(f"/{i}").status, 200)
        equal(len(origin.wires), 5)


def test_so_long_are_they_kept():
    config = {"origin": {"idle-timeout": "100ms"}}
    with Origin(OK) as origin, Larder(origin, config=config) as larder:
        larder.get()
        eventually(lambda: origin.wires[0].sock.fileno() < 0, "still kept", 3)
        equal(larder.metric("origin_connections", state="idle"), 0)


def test_as_the_origin_says():
    """`Keep-Alive: timeout=N`: it is not used any more a while before the origin closes it."""
    for said, is_kept in (
        ("timeout=1", False),
        ("max=7, Timeout = 1", False),
        ("timeout=0", False),
        ("timeout=60", True),
        ("timeout=x", True),
        ("max=100", True),
    ):
        reply = answer(b"ok", "Cache-Control: no-store", f"Keep-Alive: {said}")
        with case(said), Origin(reply) as origin, Larder(origin) as larder:
            equal(larder.get().get("Keep-Alive"), None)
            if is_kept:
                time.sleep(1.1)
                equal(larder.metric("origin_connections", state="idle"), 1)
            else:
                eventually(lambda: origin.wires[0].sock.fileno() < 0, "still kept", 10)


def test_it_says_so_no_more():
    """What counts is what was said last."""
    replies = [answer(b"ok", "Cache-Control: no-store", "Keep-Alive: timeout=1"), OK]
    with Origin(lambda *_: replies.pop(0)) as origin, Larder(origin) as larder:
        larder.get("/1")
        larder.get("/2")
        time.sleep(1.1)
        equal(larder.metric("origin_connections", state="idle"), 1)


def test_at_most():
    """More requests than connections wait for their turn, in their order."""
    config = {"origin": {"connections": 2}}
    with Counting(0.05) as origin, Larder(origin, config=config) as larder:
        equal(ask_at_once(larder, 12), [200] * 12)
        equal(origin.most, 2)
        equal(larder.metric("origin_waiting"), 0)


def test_who_waits_too_long():
    config = {"origin": {"connections": 1, "connect-timeout": "150ms"}}
    with Counting(0.6) as origin, Larder(origin, config=config) as larder:
        equal(sorted(ask_at_once(larder, 3)), [200, 503, 503])
        equal(larder.metric("origin_failures_total", why="busy"), 2)
        equal(larder.metric("origin_waiting"), 0)


def test_who_leaves_the_queue():
    """A client that goes while it waits gives its turn to the next."""
    config = {"origin": {"connections": 1}}
    with Counting(0.3) as origin, Larder(origin, config=config) as larder:
        first, second, third = (larder.connect() for _ in range(3))
        for i, client in enumerate((first, second, third)):
            client.send(head(f"POST /{i} HTTP/1.1", "Host: a"))
            origin.wait_for(1)
            larder.wait_for_metric(i, "origin_waiting")
        second.reset()
        larder.wait_for_metric(1, "origin_waiting")
        equal([client.read_answer().status for client in (first, third)], [200, 200])
        equal([r.target for r in origin.requests], ["/0", "/2"])
        first.close()
        third.close()


def test_limits_of_an_answers_head():
    """origin.head-size, and the number of fields that an answer may have."""
    table = {
        "just so": ([f"X: {'x' * 900}"], 200),
        "too large": ([f"X: {'x' * 1100}"], 502),
        "too many": ([f"X-{i}: y" for i in range(250)], 502),
    }
    for name, (fields, status) in table.items():
        size = "1k" if "X: " in fields[0] else "64k"
        with case(name), Origin(answer(b"ok", *fields)) as origin:
            with Larder(origin, config={"origin": {"head-size": size}}) as larder:
                equal(larder.get().status, status)


scene.run()
