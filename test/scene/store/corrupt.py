#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that gives back other bytes than were written, a store that cannot be opened, and one that
another Larder has: what is wrong is never served, and Larder starts and serves all the same."""

import os

import scene
from caching import bytes_of, is_hit, lasting, start_again, wait_until_written, with_store
from larder import Larder
from origin import Origin
from scene import case, check, equal, eventually

COUNT = 40
BODIES = [bytes_of(number, 20_000 + number * 3000) for number in range(COUNT)]


def reply(request, _):
    return lasting("max-age=9000", BODIES[int(request.target[1:])])


def fill(larder):
    for number in range(COUNT):
        larder.get(f"/{number}")
    wait_until_written(larder, COUNT)
    larder.child.terminate()
    equal(larder.wait(), 0)


def check_right(larder):
    """Each is answered, with the right bytes; returns how many came from the store."""
    hits = 0
    for number in range(COUNT):
        got = larder.get(f"/{number}")
        equal(got.status, 200, f"/{number}")
        check(got.body == BODIES[number], f"/{number}: other bytes")
        hits += is_hit(got)
    return hits


def spoil(file, step=7000):
    """Turns over a bit every so many bytes."""
    with open(file, "r+b") as f:
        data = bytearray(f.read())
        for at in range(step // 2, len(data), step):
            data[at] ^= 0x10
        f.seek(0)
        f.write(data)


def test_bits_that_turned():
    with Origin(reply) as origin, with_store(origin) as larder:
        fill(larder)
        for file in (larder.path / "store").glob("*.sst"):
            spoil(file)
        start_again(larder)
        hits = check_right(larder)
        check(hits < COUNT, "nothing was spoilt")
        # and it goes on: what is asked for again is in RAM
        equal(check_right(larder), COUNT)


def test_files_that_are_cut():
    with Origin(reply) as origin, with_store(origin) as larder:
        fill(larder)
        for file in (larder.path / "store").glob("*.sst"):
            os.truncate(file, file.stat().st_size // 2)
        start_again(larder)
        check_right(larder)
        equal(check_right(larder), COUNT)


def test_files_that_are_gone():
    for pattern in ("*.sst", "*.log", "MANIFEST-*", "CURRENT"):
        with case(pattern), Origin(reply) as origin, with_store(origin) as larder:
            fill(larder)
            for file in (larder.path / "store").glob(pattern):
                file.unlink()
            start_again(larder)
            check_right(larder)
            equal(check_right(larder), COUNT)


def test_nonsense():
    """The folder holds files of something else."""
    with Origin(reply) as origin:
        larder = with_store(origin)
        store = larder.path / "store"
        store.mkdir()
        for name in ("CURRENT", "MANIFEST-000001", "000003.sst"):
            (store / name).write_bytes(b"this is no database\n")
        with larder:
            check_right(larder)
            equal(check_right(larder), COUNT)
            check("store" in larder.said(), "nothing is said")


def test_two_at_one_store():
    """The second one serves from RAM, says so, and harms nobody."""
    with Origin(reply) as origin, with_store(origin) as first:
        check_right(first)
        wait_until_written(first, COUNT)
        second = Larder(origin)
        second.port, second.admin_port = (
            int(os.environ[f"PORT{n}"]) if f"PORT{n}" in os.environ else 0 for n in (3, 4)
        )
        if not second.port:
            return
        second.base |= {
            "listen": [f"http://127.0.0.1:{second.port}"],
            "admin": f"127.0.0.1:{second.admin_port}",
        }
        second.configure({"store": {"path": str(first.path / "store")}})
        with second:
            check_right(second)
            equal(check_right(second), COUNT)
            check("store" in second.said(), "nothing is said")
        first.child.terminate()
        equal(first.wait(), 0)
        start_again(first)
        equal(check_right(first), COUNT)
        eventually(lambda: first.metric("store_state") == 0, "state")


scene.run()
