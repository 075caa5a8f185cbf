#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Both tiers keep to their budgets under a churn of a multiple of them: bytes as counted, memory of
the process, bytes on the disk."""

import os
import threading

import scene
from caching import bytes_of, is_hit, lasting, with_store
from larder import Larder
from origin import Origin
from scene import check, eventually
from wire import head

MIB = 1024 * 1024
HOT = 16 * MIB
BODIES = [bytes_of(size, size) for size in (100, 3000, 20_000, 65_536, 150_000, 600_000)]
MEAN = sum(map(len, BODIES)) / len(BODIES)


def reply(request, _):
    return lasting("max-age=9000", BODIES[int(request.target[1:]) % len(BODIES)])


def churn(larder, count, first=0, look=lambda: None):
    """Asks for so many different objects; looks after each hundredth."""
    with larder.connect() as wire:
        for number in range(first, first + count):
            wire.send(head(f"GET /{number} HTTP/1.1", "Host: a"))
            got = wire.read_answer()
            check(got.body == BODIES[number % len(BODIES)], f"/{number}: other bytes")
            if number % 100 == 99:
                look()


def hot_bytes(larder):
    return larder.metric("cache_bytes", tier="hot")


def test_hot_tier():
    """Three budgets' worth of objects: never above it, and the memory of the process follows."""
    config = {"store": {"hot-size": "16m"}}
    with Origin(reply) as origin, Larder(origin, config=config) as larder:
        origin_forgets(origin)
        churn(larder, 60)
        before = larder.memory()
        seen, memory = [], []

        def look():
            seen.append(hot_bytes(larder))
            memory.append(larder.memory())

        count = int(3 * HOT / MEAN)
        churn(larder, count, 1000, look)
        look()
        check(max(seen) <= HOT, f"{max(seen) / MIB:.1f} MiB in a tier of 16 MiB")
        check(seen[-1] >= 0.6 * HOT, f"{seen[-1] / MIB:.1f} MiB: it gives up what it need not")
        check(larder.metric("cache_evictions_total", tier="hot", why="small") > 0, "no evictions")
        if not os.environ.get("SAN"):
            grown = max(memory) - before
            check(grown <= 1.5 * HOT + 8 * MIB, f"the process grew by {grown / MIB:.1f} MiB")


def origin_forgets(origin):
    """Thousands of requests are nothing that this scene's origin should remember."""
    origin.requests = Nothing()


class Nothing(list):
    def append(self, _):
        pass


def test_what_is_asked_for_stays():
    """S3-FIFO: a scan of things that nobody asks for twice does not drive out what many ask for."""
    body = bytes_of("small", 2000)
    config = {"store": {"hot-size": "4m"}}
    with Origin(lasting("max-age=9000", body)) as origin, Larder(origin, config=config) as larder:
        origin_forgets(origin)

        def ask(numbers, *fields):
            hits = 0
            with larder.connect() as wire:
                for number in numbers:
                    wire.send(head(f"GET /{number} HTTP/1.1", "Host: a", *fields))
                    hits += is_hit(wire.read_answer())
            return hits

        for _ in range(4):
            ask(range(200))
        ask(range(1000, 1000 + 3 * 4 * MIB // 2400))
        hits = ask(range(200), "Cache-Control: only-if-cached")
        check(hits >= 180, f"{hits} of 200 hot objects are left")
        scanned = ask(range(1000, 1200), "Cache-Control: only-if-cached")
        check(scanned < 20, f"{scanned} of 200 that nobody asked for again are there still")


def test_what_is_too_large_drives_out_nothing():
    """What is larger than a sixteenth of the tier passes it by and drives out nothing."""
    config = {"store": {"hot-size": "16m", "max-object-size": "8m"}}
    large = bytes_of("large", 4 * MIB)
    with Origin(
        lambda r, w: lasting("max-age=9000", large) if r.target == "/large" else reply(r, w)
    ) as origin:
        with Larder(origin, config=config) as larder:
            churn(larder, 12)
            for _ in range(8):
                check(larder.get("/large").body == large, "other bytes")
            check(hot_bytes(larder) <= HOT, "above the budget")
            hits = sum(
                is_hit(larder.get(f"/{number}", "Cache-Control: only-if-cached"))
                for number in range(12)
            )
            check(hits == 12, f"{hits} of 12 are left")


def test_many_at_a_time():
    """Bodies that are still filling count, too."""
    config = {"store": {"hot-size": "16m"}}
    body, gate = bytes_of("b", 900_000), threading.Event()

    def slow(_, wire):
        wire.send(
            head("HTTP/1.1 200 OK", "Cache-Control: max-age=60", f"Content-Length: {len(body)}"),
            body[:800_000],
        )
        gate.wait(20)
        return body[800_000:]

    with Origin(slow) as origin, Larder(origin, config=config, workers=2) as larder:
        wires = [larder.connect() for _ in range(40)]
        for number, wire in enumerate(wires):
            wire.send(head(f"GET /{number} HTTP/1.1", "Host: a"))
        for wire in wires:
            wire.read_until(b"\r\n\r\n")
        check(hot_bytes(larder) <= HOT, f"{hot_bytes(larder) / MIB:.1f} MiB")
        gate.set()
        for wire in wires:
            check(wire.read_exactly(len(body)) == body, "other bytes")
            wire.close()
        check(hot_bytes(larder) <= HOT, f"{hot_bytes(larder) / MIB:.1f} MiB")


def disk_bytes(path):
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass  # compacted away meanwhile
    return total


def test_disk():
    """Five times what the disk may take: roughly kept to all the time, and the newest are there."""
    size = 64 * MIB
    with Origin(reply) as origin, with_store(origin, size="64m", **{"hot-size": "16m"}) as larder:
        origin_forgets(origin)
        seen = []

        def look():
            # no faster than it is written, or it would not be stored at all
            eventually(lambda: larder.metric("store_queue_bytes") < 8 * MIB, "nothing is written")
            seen.append(disk_bytes(larder.path / "store"))

        count = int(5 * size / MEAN)
        churn(larder, count, look=look)
        eventually(lambda: larder.metric("store_queue_bytes") == 0, "the queue is not written")
        check(
            max(seen) <= 1.25 * size, f"{max(seen) / MIB:.0f} MiB of 64: {[s // MIB for s in seen]}"
        )
        check(max(seen) >= 0.5 * size, f"{max(seen) / MIB:.0f} MiB of 64 are used")
        check(larder.metric("cache_evicted_bytes_total", tier="cold", why="size") > size, "nothing was evicted")
        check(larder.metric("cache_bytes", tier="cold") <= 1.25 * size, "as it counts itself")
        check(kept(larder, range(count - 60, count)) == 60, "the newest")
        check(kept(larder, range(60)) == 0, "the oldest")


def kept(larder, numbers):
    """How many of these are there without the origin; each is right."""
    found = 0
    for number in numbers:
        got = larder.get(f"/{number}", "Cache-Control: only-if-cached")
        check(
            got.status == 504 or got.body == BODIES[number % len(BODIES)], f"/{number}: other bytes"
        )
        found += got.status == 200
    return found


scene.run()
