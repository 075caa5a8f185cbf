#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""10,000 connections at rest: held, cheap, and in nobody's way."""

import resource
import time

import scene
from larder import Larder
from origin import Origin, answer
from scene import check, equal, skip
from wire import head

WANTED, ENOUGH, SPARE = 10000, 5000, 1000
IDLE_BYTES = 1024  # of memory for each
GET = head("GET / HTTP/1.1", "Host: a")


def allowed():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(WANTED, hard - SPARE)
    if count < ENOUGH:
        skip(f"{hard} descriptors are allowed")
    return count


def test_held():
    count = allowed()
    reply = answer(b"ok", "Cache-Control: max-age=60")
    with Origin(reply) as origin, Larder(origin, workers=2) as larder:
        larder.get()
        before = larder.memory()
        clients = [larder.connect() for _ in range(count)]
        larder.wait_for_metric(count, "http_connections", state="open")
        for client in clients[: count // 2]:  # one half is used, the other is new
            client.send(GET)
        for client in clients[: count // 2]:
            equal(client.read_answer().status, 200)
        each = larder.check_growth(before, count * IDLE_BYTES, "VmRSS") / count
        times = []
        for _ in range(200):
            begin = time.monotonic()
            equal(larder.get().status, 200)
            times.append(time.monotonic() - begin)
        times.sort()
        median = times[100]
        print(f"        {count} connections of {each:.0f} bytes, {median * 1e6:.0f} us an answer")
        check(median < 0.1, f"an answer takes {median:.3f} s")
        for client in clients[:: count // 50]:
            client.send(GET)
            equal(client.read_answer().status, 200, "after a rest")
        for client in clients:
            client.close()
        larder.wait_for_metric(0, "http_connections", state="open")


scene.run()
