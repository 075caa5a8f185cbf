# SPDX-License-Identifier: Apache-2.0
"""What scenes of the cache share: answers with a lifetime, origins that say something else for
each path, Cache-Status taken apart, crowds of clients.

Nothing waits for an answer to grow old: an origin that sends `Age: 20` beside `max-age=10` has made
it ten seconds stale already (RFC 9111 4.2.3).
"""

import json
import random
import re
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager
from email.utils import formatdate

from larder import Larder
from origin import answer
from scene import check, equal
from wire import head

PARAMETER = re.compile(r';\s*([a-z][a-z0-9-]*)(?:=("(?:[^"\\]|\\.)*"|[^;,"\s]+))?')
NUMBERS = ("ttl", "fwd-status")


def date(seconds=0):
    """The HTTP date so many seconds from now."""
    return formatdate(time.time() + seconds, usegmt=True)


def lasting(control, body=b"ok", *fields, status="200 OK"):
    """An answer with that Cache-Control."""
    return answer(body, f"Cache-Control: {control}", *fields, status=status)


# ---- what is said about an answer ----


def status(got):
    """Larder's own member of Cache-Status (RFC 9211 2) as a dict: bare parameters are True."""
    lines = got.all("Cache-Status")
    check(lines, f"no Cache-Status: {got.fields}")
    member = re.search(r"(?:^|,\s*)larder((?:;\s*[a-z].*)?)$", lines[-1])
    check(member, f"Larder is not the last in {lines}")
    found, rest = {}, member[1]
    while rest:
        one = PARAMETER.match(rest)
        check(one, f"Cache-Status is malformed at {rest!r}")
        check(one[1] not in found, f"{one[1]} twice in {lines[-1]!r}")
        value = True if one[2] is None else one[2].strip('"').replace("\\", "")
        found[one[1]] = int(value) if one[1] in NUMBERS else value
        rest = rest[one.end() :]
    return found


def says(got, **wanted):
    """Checks parameters of Cache-Status; None = it must not be there. `_` stands for `-`."""
    found = status(got)
    for name, value in wanted.items():
        equal(found.get(name.replace("_", "-")), value, f"{name} of {found}")
    return found


def is_hit(got):
    return status(got).get("hit") is True


# ---- origins ----


class Pages:
    """A reply for each path: bytes, a function of (request, wire), CLOSE, or a list of such, one
    for each request in turn, the last for all that follow. `None` stands for paths that are not
    named."""

    def __init__(self, table):
        self.table = table
        self.turns = Counter()
        self.lock = threading.Lock()

    def __call__(self, request, wire):
        path = request.target.split("?")[0]
        said = self.table[path if path in self.table else None]
        if isinstance(said, list):
            with self.lock:
                turn = self.turns[path]
                self.turns[path] += 1
            said = said[min(turn, len(said) - 1)]
        return said(request, wire) if callable(said) else said


class Gate:
    """A reply that waits until the scene opens the gate."""

    def __init__(self, said):
        self.said = said
        self.door = threading.Event()

    def __call__(self, request, wire):
        self.door.wait(20)
        return self.said(request, wire) if callable(self.said) else self.said

    def open(self):
        self.door.set()


def numbered(control, *fields):
    """A reply whose body counts how often it was asked for: b"1", b"2", ..."""
    count, lock = Counter(), threading.Lock()

    def reply(request, _):
        with lock:
            count[request.target] += 1
            return lasting(control, b"%d" % count[request.target], *fields)

    return reply


def asked(origin, target, method=None):
    """The requests for a target that the origin got."""
    with origin.changed:
        return [r for r in origin.requests if r.target == target and method in (None, r.method)]


def wait_until_asked(origin, target, count=1, seconds=10):
    with origin.changed:
        came = origin.changed.wait_for(lambda: len(asked(origin, target)) >= count, seconds)
    check(came, f"{len(asked(origin, target))} of {count} requests for {target} came")


# ---- crowds ----


@contextmanager
def crowd(larder, count, target, *fields):
    """So many clients that have asked and read nothing yet."""
    wires = [larder.connect() for _ in range(count)]
    try:
        for wire in wires:
            wire.send(head(f"GET {target} HTTP/1.1", "Host: a", *fields))
        yield wires
    finally:
        for wire in wires:
            wire.close()


def access_lines(file, count, seconds=5):
    """The access log, once it has so many lines."""
    end = time.monotonic() + seconds
    while True:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        check(time.monotonic() < end, f"{len(lines)} of {count} access lines")
        time.sleep(0.01)


# ---- stores ----


def with_store(*origins, config=None, workers=1, **store):
    """A Larder, not started yet, whose store is in its own folder and takes everything at once."""
    larder = Larder(*origins, workers=workers)
    settings = {"path": str(larder.path / "store"), "admission": "always"} | store
    larder.configure((config or {}) | {"store": settings})
    return larder


def written(larder, kind="object"):
    return larder.metric("store_writes_total", kind=kind)


def wait_until_written(larder, count, kind="object", seconds=10):
    """Waits until so many objects are with the database, and nothing waits."""
    end = time.monotonic() + seconds
    while written(larder, kind) < count or larder.metric("store_queue_bytes"):
        check(time.monotonic() < end, f"{written(larder, kind)} of {count} written")
        time.sleep(0.02)


def restart(larder):
    """Ends it as an operator would, and starts it again."""
    larder.signal(signal.SIGTERM)
    equal(larder.wait(), 0, "exit code")
    start_again(larder)


def crash(larder):
    """Ends it as a kernel short of memory would, and starts it again."""
    larder.child.kill()
    larder.wait()
    start_again(larder)


def start_again(larder):
    larder.child.stdout.close()
    larder.start()


def bytes_of(seed, size):
    """Bytes that differ between seeds and from place to place, and do not compress."""
    return random.Random(seed).randbytes(size)
