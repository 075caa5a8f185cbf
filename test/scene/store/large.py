#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Bodies that are too large for RAM: written to the disk while they come, read from there by parts,
by any number of clients at any speed, with memory flat."""

import threading

import scene
from caching import bytes_of, crash, is_hit, lasting, restart, with_store
from origin import CLOSE, Origin
from scene import check, equal, eventually
from wire import Cut, chunked, head

MIB = 1024 * 1024
LARGE = bytes_of("large", 24 * MIB + 12345)
HALF = 8 * MIB


def store(origin, **more):
    return with_store(origin, size="1g", **({"hot-size": "16m"} | more))


def ask(larder, *fields):
    wire = larder.connect()
    wire.send(head("GET /large HTTP/1.1", "Host: a", *fields))
    return wire


def get(larder, *fields):
    with ask(larder, *fields) as wire:
        return wire.read_answer()


def wait_until_stored(larder):
    eventually(lambda: larder.metric("store_writes_total", kind="object") == 1, "never stored")


def serves(larder):
    """All of it, its first and its last byte, across chunks, several parts at once."""
    got = get(larder)
    check(is_hit(got) and got.body == LARGE, "other bytes")
    size = len(LARGE)
    for first, last in [(0, 0), (size - 1, size - 1), (262143, 262145), (9_000_000, 13_000_000)]:
        got = get(larder, f"Range: bytes={first}-{last}")
        equal(got.status, 206)
        check(got.body == LARGE[first : last + 1], f"{first}-{last}: other bytes")
    got = get(larder, f"Range: bytes=5-9,{size - 9}-{size - 5}")
    equal(got.status, 206)
    check(LARGE[5:10] in got.body and LARGE[-9:-4] in got.body, "other bytes")


def test_whole_and_parts():
    """Stored once, served whole and by ranges, in this life and in the next two."""
    with Origin(lasting("max-age=9000", LARGE)) as origin, store(origin) as larder:
        check(get(larder).body == LARGE, "other bytes")
        wait_until_stored(larder)
        serves(larder)
        restart(larder)
        serves(larder)
        crash(larder)
        serves(larder)
        equal(len(origin.requests), 1)


def test_unknown_length():
    """A body that does not say how long it will be goes to the disk once it is too large for RAM."""
    start = head("HTTP/1.1 200 OK", "Cache-Control: max-age=900", "Transfer-Encoding: chunked")
    parts = [LARGE[at : at + 100_000] for at in range(0, len(LARGE), 100_000)]
    with Origin(start + chunked(*parts)) as origin, store(origin) as larder:
        check(get(larder).body == LARGE, "other bytes")
        wait_until_stored(larder)
        serves(larder)
        restart(larder)
        serves(larder)
        equal(len(origin.requests), 1)


def test_a_range_reads_its_chunks():
    with Origin(lasting("max-age=9000", LARGE)) as origin, store(origin) as larder:
        get(larder)
        wait_until_stored(larder)
        before = larder.metric("store_read_bytes_total")
        get(larder, "Range: bytes=9000000-9000099")
        get(larder, "Range: bytes=-1")
        read = larder.metric("store_read_bytes_total") - before
        check(0 < read <= 3 * 256 * 1024, f"{read} bytes read for 101")


class Halfway:
    """Sends half of the body, and the rest when it is told to."""

    def __init__(self, ends=True):
        self.go_on = threading.Event()
        self.ends = ends

    def __call__(self, request, wire):
        length = f"Content-Length: {len(LARGE)}"
        wire.send(head("HTTP/1.1 200 OK", "Cache-Control: max-age=900", length) + LARGE[:HALF])
        self.go_on.wait(20)
        if not self.ends:
            return CLOSE
        wire.send(LARGE[HALF:])


def test_latecomers():
    """Who comes while it is still on its way gets what is there, and then the rest."""
    reply = Halfway()
    with Origin(reply) as origin, store(origin) as larder, ask(larder) as first:
        first.read_head()
        eventually(lambda: larder.metric("cache_bytes", tier="cold") or True, "")
        with ask(larder) as late, ask(larder, "Range: bytes=7000000-9000000") as part:
            head_of_late = late.read_head()
            equal(head_of_late.status, 200)
            start = late.read_exactly(7 * MIB)
            check(start == LARGE[: 7 * MIB], "other bytes")
            reply.go_on.set()
            check(late.read_exactly(len(LARGE) - 7 * MIB) == LARGE[7 * MIB :], "other bytes")
            got = part.read_answer()
            check(got.body == LARGE[7_000_000:9_000_001], "other bytes of a part")
        check(first.read_exactly(len(LARGE)) == LARGE, "other bytes")
        equal(len(origin.requests), 1)


def test_cut():
    """What the origin cuts is cut for all who read it, and not kept."""
    reply = Halfway(ends=False)
    with Origin(reply) as origin, store(origin) as larder, ask(larder) as first:
        first.read_head()
        with ask(larder) as late:
            late.read_head()
            late.read_exactly(MIB)
            reply.go_on.set()
            for wire, had in ((first, 0), (late, MIB)):
                try:
                    wire.read_exactly(len(LARGE) - had)
                    check(False, "looks whole")
                except Cut:
                    pass
        reply.ends = True
        check(get(larder).body == LARGE, "other bytes")
        equal(len(origin.requests), 2)


def test_slow_reader():
    """One who does not read holds up neither the fill nor the others."""
    with Origin(lasting("max-age=9000", LARGE)) as origin, store(origin) as larder:
        with larder.connect(receive_bytes=4096) as slow:
            slow.send(head("GET /large HTTP/1.1", "Host: a"))
            wait_until_stored(larder)
            check(get(larder).body == LARGE, "other bytes")
            check(slow.read_answer().body == LARGE, "other bytes for the slow one")
        equal(len(origin.requests), 1)


def test_memory():
    """Many at once, and memory stays where it was but for their windows."""
    with Origin(lasting("max-age=9000", LARGE)) as origin, store(origin) as larder:
        get(larder)
        wait_until_stored(larder)
        before = larder.memory()
        wires = [ask(larder) for _ in range(8)]
        for wire in wires:
            check(wire.read_answer().body == LARGE, "other bytes")
            wire.close()
        larder.check_growth(before, 32 * MIB)
        equal(len(origin.requests), 1)


scene.run()
