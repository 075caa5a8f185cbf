#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""One ceiling for all the memory of the process: what objects, connections, bodies on their way and
the store take together stays within a tenth above it, whatever is asked."""

import os
import signal
import threading

import scene
from caching import bytes_of, is_hit, lasting
from larder import Larder
from origin import Origin
from scene import check, equal, eventually
from wire import head

MIB = 1024 * 1024
LIMIT = 96 * MIB
SIZES = (1000, 5000, 20_000, 70_000, 300_000, 1_000_000, 3_000_000)
BODIES = [bytes_of(size, size) for size in SIZES]


def reply(request, _):
    return lasting("max-age=9000", BODIES[int(request.target[1:]) % len(BODIES)])


def churn(larder, count, seen, first):
    with larder.connect() as wire:
        for number in range(first, first + count):
            wire.send(head(f"GET /{number} HTTP/1.1", "Host: a"))
            got = wire.read_answer()
            check(got.body == BODIES[number % len(BODIES)], f"/{number}: other bytes")
            seen.append(larder.memory())


def with_limit(origin, store=True, limit="96m"):
    larder = Larder(origin, workers=2)
    settings = {"path": str(larder.path / "store"), "size": "1g"} if store else {}
    larder.configure({"memory-limit": limit, "store": settings})
    return larder


def test_churn():
    """Mixed sizes, several times the ceiling, from several clients at once, with a store and
    without."""
    for store in (True, False):
        with Origin(reply) as origin, with_limit(origin, store) as larder:
            seen = []
            clients = [
                threading.Thread(target=churn, args=(larder, 150, seen, i * 1000))
                for i in range(4)
            ]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            equal(len(seen), 600)
            if not os.environ.get("SAN"):
                check(max(seen) <= 1.1 * LIMIT, f"{max(seen) / MIB:.0f} MiB, store {store}")
                hot = larder.metric("cache_bytes", tier="hot")
                check(hot > LIMIT / 8, "the tier is left empty")
            equal(larder.metric("memory_limit_bytes"), LIMIT)


def test_new_limit():
    """A reload changes it: what is too much leaves."""
    with Origin(reply) as origin, with_limit(origin, False, "192m") as larder:
        seen = []
        churn(larder, 300, seen, 0)
        before = larder.metric("cache_bytes", tier="hot")
        check(before > 60 * MIB, f"{before / MIB:.0f} MiB in the tier")
        larder.configure({"memory-limit": "64m"})
        larder.signal(signal.SIGHUP)
        larder.wait_for_metric(64 * MIB, "memory_limit_bytes")
        eventually(
            lambda: larder.metric("cache_bytes", tier="hot") <= 32 * MIB, "the tier stays large"
        )
        hits = sum(is_hit(larder.get(f"/{number}")) for number in range(270, 300))
        check(hits > 5, f"{hits} of the last 30 are left")


def test_bodies_on_their_way():
    """Clients that take nothing of large answers, more of them than there is memory for: who comes
    last is told to come later, and memory holds."""
    endless = bytes_of("endless", 12 * MIB)
    with Origin(lasting("no-store", endless)) as origin, with_limit(origin, False, "32m") as larder:
        wires = []
        try:
            for _ in range(60):
                wires.append(larder.connect(receive_bytes=4096))
                wires[-1].send(head("GET /large HTTP/1.1", "Host: a"))
            eventually(lambda: larder.get("/other").status == 503, "nobody is refused")
            check(larder.get("/other").get("Retry-After"), "no Retry-After")
            check(larder.metric("memory_refusals_total") >= 2, "not counted")
            if not os.environ.get("SAN"):
                check(larder.memory() <= 1.1 * 32 * MIB + 16 * MIB, f"{larder.memory() / MIB:.0f}")
        finally:
            for wire in wires:
                wire.reset()
        eventually(lambda: larder.get("/small").status == 200, "it does not recover")


scene.run()
