#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What is evicted from the disk while somebody reads it: he gets it to its end, nobody else finds
it any more, and the store keeps its size."""

import os
from contextlib import suppress

import scene
from caching import bytes_of, is_hit, lasting, with_store
from origin import Origin
from scene import check, equal, eventually
from wire import Cut, head

MIB = 1024 * 1024
SIZE_MIB = 130
LARGE, OTHER = bytes_of("large", 6 * MIB + 123), bytes_of("other", 900 * 1024)


def reply(request, _):
    return lasting("max-age=9000", LARGE if request.target.startswith("/large") else OTHER)


def stored(origin):
    return with_store(origin, size=f"{SIZE_MIB}m", **{"hot-size": "16m"})


def disk_bytes(larder):
    """What its files take; one may go while it is looked at."""
    total = 0
    for entry in os.scandir(larder.path / "store"):
        with suppress(FileNotFoundError):
            total += entry.stat().st_blocks * 512
    return total


def begin(larder, target, *fields):
    """Takes the beginning and then nothing, from a connection with small buffers."""
    wire = larder.connect(receive_bytes=16 * 1024)
    wire.send(head(f"GET {target} HTTP/1.1", "Host: a", *fields))
    got = wire.read_head()
    return wire, got


def is_whole(wire):
    """What is cut ends before its length; other bytes never come."""
    try:
        body = wire.read_exactly(len(LARGE))
    except Cut:
        return False
    check(body == LARGE, "other bytes")
    return True


def evicted(larder):
    return larder.metric("cache_evicted_bytes_total", tier="cold", why="size")


def churn(larder, mib, name):
    """Stores others until so much was evicted; returns the most that the disk held. A slow disk
    does not take all that comes."""
    most, wanted = 0, evicted(larder) + mib * MIB
    for number in range(20 * mib):
        equal(larder.get(f"/{name}-{number}").body, OTHER)
        most = max(most, disk_bytes(larder))
        if number % 20 == 0 and evicted(larder) > wanted:
            return most
    raise AssertionError(f"{evicted(larder) / MIB} MiB were evicted")


def test_to_the_end():
    with Origin(reply) as origin, stored(origin) as larder:
        check(larder.get("/large").body == LARGE, "other bytes")
        eventually(lambda: larder.metric("store_writes_total", kind="object") == 1, "not stored")
        whole, got = begin(larder, "/large")
        check(is_hit(got), got.get("Cache-Status"))
        part, got = begin(larder, "/large", "Range: bytes=3000000-6000000")
        equal(got.status, 206)
        most = churn(larder, SIZE_MIB, "a")
        got = larder.get("/large", "Cache-Control: only-if-cached")
        equal(got.status, 504, "it is found")
        check(larder.metric("store_spared_bytes") > len(LARGE) // 2, "nothing is spared")
        check(whole.read_exactly(len(LARGE)) == LARGE, "other bytes")
        check(part.read_exactly(3000001) == LARGE[3000000:6000001], "other bytes of the part")
        most = max(most, churn(larder, SIZE_MIB // 8, "b"))
        larder.wait_for_metric(0, "store_spared_bytes")
        check(most <= 1.02 * SIZE_MIB * MIB, f"{most / MIB:.1f} MiB on the disk")
        print(f"        at most {most / SIZE_MIB / MIB:.3f} of the size")


def test_not_for_ever():
    """Spared is a part of the size at most: of those who are slower yet some are cut."""
    with Origin(reply) as origin, stored(origin) as larder:
        for number in range(8):
            check(larder.get(f"/large/{number}").body == LARGE, "other bytes")
        eventually(lambda: larder.metric("store_writes_total", kind="object") == 8, "not stored")
        wires = []
        for number in range(8):
            wire, got = begin(larder, f"/large/{number}")
            check(is_hit(got), "no hit")
            wires.append(wire)
        most = churn(larder, SIZE_MIB, "a")
        check(most <= 1.02 * SIZE_MIB * MIB, f"{most / MIB:.1f} MiB on the disk")
        whole = sum(is_whole(wire) for wire in wires)
        check(0 < whole < len(wires), f"{whole} of {len(wires)} came to the end")
        print(f"        at most {most / SIZE_MIB / MIB:.3f} of the size, {whole} came to the end")


scene.run()
