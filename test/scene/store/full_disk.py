#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that is full takes nothing from the clients: requests go on, from RAM and the origin; the
metrics say so; and when there is room again Larder stores again by itself."""

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import scene
from caching import bytes_of, crash, is_hit, lasting, with_store
from origin import Origin
from scene import check, equal, eventually, skip
from wire import head

MIB = 1024 * 1024
BODY = bytes_of("x", 200_000)
OK, READ_ONLY = 0, 1


@contextmanager
def small_disk(mib):
    """A tmpfs of so many MiB."""
    if os.geteuid() != 0:
        skip("only root mounts")
    with tempfile.TemporaryDirectory(prefix="larder-disk-") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "larder", folder], capture_output=True
        )
        if mounted.returncode != 0:
            skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(path, leave_mib):
    """Takes what room there is, but for a little."""
    ballast = path / "ballast"
    room = os.statvfs(path)
    size = room.f_bavail * room.f_frsize - leave_mib * MIB
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(size, 1))
    return ballast


def ask_many(larder, first, count):
    """Each is answered, and rightly."""
    with larder.connect() as wire:
        for number in range(first, first + count):
            wire.send(head(f"GET /{number} HTTP/1.1", "Host: a"))
            got = wire.read_answer()
            equal((got.status, len(got.body)), (200, len(BODY)), f"/{number}")
            check(got.body == BODY, f"/{number}: other bytes")


def state(larder):
    return larder.metric("store_state")


def test_it_fills_up():
    with small_disk(64) as disk, Origin(lasting("max-age=9000", BODY)) as origin:
        with with_store(
            origin, path=str(disk / "store"), size="1g", **{"hot-size": "16m"}
        ) as larder:
            ask_many(larder, 0, 10)
            equal(state(larder), OK)
            ballast = fill(disk, 4)
            ask_many(larder, 100, 300)  # 60 MB where 4 MB are left
            eventually(
                lambda: state(larder) == READ_ONLY, f"state {state(larder)} with a full disk"
            )
            check(larder.metric("store_errors_total") > 0, "no error is counted")
            check("store:" in larder.said(), "the error log says nothing")
            ask_many(larder, 1000, 100)
            check(
                larder.metric("store_refused_total", why="disk") > 0,
                "what was not written is not counted",
            )
            check(is_hit(larder.get("/1099")), "RAM goes on")
            equal(larder.admin("/healthz").status, 200)
            # and then somebody makes room
            ballast.unlink()
            for number in range(2000, 2400):
                ask_many(larder, number, 1)
                if number % 20 == 0 and state(larder) == OK:
                    break
                eventually(lambda: True, "")
            eventually(
                lambda: ask_many(larder, next(NUMBERS), 1) or state(larder) == OK,
                "it does not recover",
            )
            before = larder.metric("store_writes_total", kind="object")
            ask_many(larder, 5000, 5)
            eventually(
                lambda: larder.metric("store_writes_total", kind="object") > before,
                "nothing is stored again",
            )


NUMBERS = iter(range(3000, 5000))


def test_it_starts_on_a_full_disk():
    """There is a store, and no room: it serves what is there."""
    with small_disk(48) as disk, Origin(lasting("max-age=9000", BODY)) as origin:
        larder = with_store(origin, path=str(disk / "store"), size="1g", **{"hot-size": "16m"})
        with larder:
            ask_many(larder, 0, 5)
            eventually(
                lambda: larder.metric("store_writes_total", kind="object") == 5, "not written"
            )
            larder.child.terminate()
            equal(larder.wait(), 0)
            fill(disk, 0)
            larder.child.stdout.close()
            larder.start()
            ask_many(larder, 100, 20)
            check(is_hit(larder.get("/119")), "RAM")
            crash(larder)
            ask_many(larder, 200, 20)


def test_a_folder_that_cannot_be_written():
    """The store's folder cannot be made: Larder runs from RAM, and says so."""
    with Origin(lasting("max-age=9000", BODY)) as origin:
        with with_store(origin, path="/proc/larder") as larder:
            ask_many(larder, 0, 3)
            check(is_hit(larder.get("/0")), "RAM")
            check("store" in larder.said(), "nothing is said")
            equal(larder.admin("/healthz").status, 200)


scene.run()
