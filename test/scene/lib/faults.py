# SPDX-License-Identifier: Apache-2.0
"""What scenes of a store in trouble share: clients that never stop asking, the store's state in
words, a disk that fails when it is told to (test/fail/ioshim.c)."""

import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from caching import bytes_of, lasting, with_store
from larder import TOP
from origin import Origin
from scene import equal, eventually, skip
from wire import head

SHIM = Path(os.environ.get("BUILD", TOP / "build")) / "test/fail/ioshim.so"
SMALL = {"hot-size": "1m", "size": "1g"}  # most of what is asked for is on disk alone
PAGES = 60
BODIES = [bytes_of(number, 30_000 + number * 100) for number in range(PAGES)]


def reply(request, _):
    """An origin of PAGES pages, and as many others as one likes."""
    return lasting("max-age=9000", body_of(request.target))


def body_of(target):
    return BODIES[int(target.rsplit("/", 1)[-1]) % PAGES]


@contextmanager
def traffic(larder):
    """A client that asks for one page after the other all the while: each answer must be right."""
    stop, faults, count = threading.Event(), [], [0]

    def ask():
        number = 0
        while not stop.is_set() and len(faults) < 5:
            target = f"/{number % PAGES}"
            try:
                got = larder.get(target)
                if got.status != 200 or got.body != body_of(target):
                    faults.append(f"{target}: {got.status}, {len(got.body)} bytes")
            except Exception as fault:
                faults.append(f"{target}: {type(fault).__name__} {fault}")
            number += 1
            count[0] += 1
            time.sleep(0.003)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield count
        eventually(lambda: count[0] > 10 or faults, "hardly a request was made")
    finally:
        stop.set()
        thread.join(20)
    equal(faults, [], "requests that failed")


def state(larder):
    """The store's state and what ails it: ("read-only", "full"); ("ok", "")."""
    words = ("", "full", "read-only", "permission", "missing", "locked", "newer-format")
    words += ("foreign", "corrupt", "io")
    for number, name in enumerate(("ok", "read-only", "off")):
        for why in words:
            if larder.metric("store_state_info", state=name, why=why) == 1:
                # the number may be a scrape newer
                return name, why, number
    return None


def wait_for_state(larder, name, why="", seconds=15):
    eventually(
        lambda: (state(larder) or (None,))[:2] == (name, why),
        f"not {name} ({why}) but {state(larder)}: {larder.said()}",
        seconds,
    )
    number = ("ok", "read-only", "off").index(name)
    eventually(lambda: larder.metric("store_state") == number, "store_state says otherwise")


def wait_for_disk_hit(larder, seconds=15):
    """What is asked for comes from the disk again."""
    before = larder.metric("store_reads_total", result="found")
    eventually(
        lambda: larder.metric("store_reads_total", result="found") > before,
        "nothing is read from the disk",
        seconds,
    )


def wait_for_writes(larder, seconds=15, first=1000):
    """What is new is stored again."""
    before, number = larder.metric("store_writes_total", kind="object"), iter(range(10**6))

    def is_written():
        with larder.connect() as wire:
            wire.send(head(f"GET /new/{first + next(number)} HTTP/1.1", "Host: a"))
            equal(wire.read_answer().status, 200)
        return larder.metric("store_writes_total", kind="object") > before

    eventually(is_written, "nothing is stored again", seconds)


def fill(larder, count=PAGES):
    for number in range(count):
        equal(larder.get(f"/{number}").status, 200)
    eventually(lambda: not larder.metric("store_queue_bytes"), "not written")


class Shim:
    """Calls on files below a folder fail as the scene says. To be made before Larder starts."""

    def __init__(self, larder, under):
        self.control = larder.path / "shim"
        self.env = {
            "LD_PRELOAD": str(SHIM),
            "IOSHIM_UNDER": str(under),
            "IOSHIM_CONTROL": str(self.control),
        }
        if os.environ.get("SAN"):
            options = os.environ.get("ASAN_OPTIONS", "")
            self.env["ASAN_OPTIONS"] = f"{options}:verify_asan_link_order=0"
        larder.env = self.env

    def fail(self, *lines):
        """Each line: a call, an errno, and what the file's name contains, if not all are meant."""
        fresh = self.control.with_suffix(".new")
        fresh.write_text("\n".join(lines) + "\n")
        fresh.rename(self.control)

    def heal(self):
        self.control.unlink()


@contextmanager
def shimmed(**store):
    """An origin, and a Larder whose store's disk fails on demand."""
    if not SHIM.exists():
        skip(f"no {SHIM}")
    with Origin(reply) as origin:
        larder = with_store(origin, **(SMALL | store))
        shim = Shim(larder, larder.path / "store")
        with larder:
            yield origin, larder, shim


# ---- files that break ----


def stopped(larder):
    fill(larder)
    larder.child.terminate()
    equal(larder.wait(), 0)
    larder.child.stdout.close()
    return larder.path / "store"


def one(store, pattern):
    return max(store.glob(pattern), key=lambda file: file.stat().st_size)


def cut(file):
    os.truncate(file, file.stat().st_size // 2)


def overwrite(file):
    size = file.stat().st_size
    file.write_bytes(b"\xa5" * size)


def empty(file):
    os.truncate(file, 0)


def broken(pattern, how):
    with Origin(reply) as origin, with_store(origin, **SMALL) as larder:
        store = stopped(larder)
        how(one(store, pattern))
        larder.start()
        with traffic(larder):
            wait_for_state(larder, "ok", seconds=25)
            wait_for_writes(larder)
            wait_for_disk_hit(larder)
        return larder.said()
