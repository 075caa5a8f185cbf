#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A purge that was answered is on disk: kill -9 right behind the answer, again and again, never brings
back what was purged. While the disk is not well the answer says so, the purge is in force all the same,
and it is written once the disk is well again."""

import errno
import json
import signal
import socket
import time

import scene
from caching import numbered, restart, start_again, wait_until_written, with_store
from faults import SHIM, Shim, wait_for_state
from origin import Origin
from purging import check_gone, check_hit, get, log_of, order, purged
from scene import case, check, equal, eventually, skip
from wire import head

ROUNDS = 50
LATER = 10  # which pages are purged and not asked for before the next life
SCOPES = (
    {"files": ["http://a/{n}"]},
    {"tags": ["t{n}"]},
    {"prefixes": ["a/{n}"]},
    {"regex": "^http://a/{n}$"},
    {"files": ["http://a/{n}"], "tags": ["x", "y"], "regex": "^nothing"},
    {"expression": "t{n} AND all"},
    {"hosts": ["b{n}"], "tags": ["t{n}"]},
)


def own(what, number):
    return {
        key: value.replace("{n}", str(number))
        if isinstance(value, str)
        else [item.replace("{n}", str(number)) for item in value]
        for key, value in what.items()
    }


class Shop:
    """The version is the number of times that a page was asked for; its tags are t and its name, and all."""

    def __init__(self):
        self.count = numbered("max-age=9000")

    def __call__(self, request, wire):
        said = self.count(request, wire)
        tags = f"Surrogate-Key: all t{request.target[1:]}\r\n".encode()
        return said.replace(b"\r\n", b"\r\n" + tags, 1)


def stored(origin, count=ROUNDS, **more):
    """A Larder that has so many pages on disk, and nothing in RAM."""
    larder = with_store(origin, **more)
    larder.start()
    for number in range(count):
        equal(get(larder, f"a/{number}").body, b"1")
    wait_until_written(larder, count)
    restart(larder)
    return larder


def purge_and_kill(larder, what):
    """The answer's first byte is the signal."""
    body = json.dumps(what).encode()
    with socket.create_connection(("127.0.0.1", larder.admin_port)) as sock:
        sock.sendall(head("POST /v1/purge HTTP/1.1", "Host: a", f"Content-Length: {len(body)}"))
        sock.sendall(body)
        first = sock.recv(64)
        larder.child.send_signal(signal.SIGKILL)
    check(first.startswith(b"HTTP/1.1 200"), f"{first}")
    larder.wait()
    start_again(larder)


def test_killed_behind_the_answer():
    with Origin(Shop()) as origin:
        larder = stored(origin)
        try:
            for number in range(ROUNDS):
                what = own(SCOPES[number % len(SCOPES)], number)
                purge_and_kill(larder, what | {"mode": "hard"})
                with case(f"round {number}, {what}"):
                    check_gone(origin, larder, f"a/{number}", b"1")
                if number + 1 < ROUNDS:
                    with case(f"round {number}, another"):
                        check_hit(larder, f"a/{number + 1}", b"1")
                equal(log_of(larder)[-1]["seq"], number + 1)
            for number in range(ROUNDS):
                with case(f"in the end, {number}"):
                    check(get(larder, f"a/{number}").body != b"1", "it came back")
        finally:
            larder.__exit__(None)


def failing(name, *lines):
    """Purges while calls on the store's files fail."""
    if not SHIM.exists():
        skip(f"no {SHIM}")
    with case(name), Origin(Shop()) as origin:
        larder = with_store(origin)
        shim = Shim(larder, larder.path / "store")
        larder.start()
        try:
            for number in range(2 * LATER):
                get(larder, f"a/{number}")
            wait_until_written(larder, 2 * LATER)
            restart(larder)
            shim.fail(*lines)
            begin, count = time.monotonic(), 2 * len(SCOPES)
            for number, what in enumerate(SCOPES):
                code, said = order(larder, own(what, number) | {"mode": "hard"})
                equal(code, 503, f"{what}: {said}")
                check("in force" in said["detail"], said)
                check("seq" not in said, said)
                equal(order(larder, own(what, number + LATER) | {"mode": "hard"})[0], 503)
                # The later ones are not asked for in this life: who finds one may take it away.
                got = get(larder, f"a/{number}", "Cache-Control: only-if-cached")
                equal(got.status, 504, f"{what} is not in force")
            check(time.monotonic() - begin < 10, "it takes too long to say no")
            check_hit(larder, f"a/{LATER - 1}", b"1")
            shim.heal()
            wait_for_state(larder, "ok")
            eventually(lambda: len(log_of(larder)) == count, f"{log_of(larder)}")
            larder.child.kill()
            larder.wait()
            start_again(larder)
            for number in (*range(len(SCOPES)), *range(LATER, LATER + len(SCOPES))):
                check(get(larder, f"a/{number}").body != b"1", f"{number} came back")
            check_hit(larder, f"a/{LATER - 1}", b"1")
            # And it goes on: the numbers have no gaps.
            equal(purged(larder, tags=["x"], mode="hard")["seq"], count + 1)
            equal([one["seq"] for one in log_of(larder)], list(range(1, count + 2)))
        finally:
            larder.__exit__(None)


def test_the_disk_is_full():
    failing("full", *(f"{call} {errno.ENOSPC}" for call in ("write", "sync", "open")))


def test_the_disk_fails():
    failing("failing", *(f"{call} {errno.EIO}" for call in ("write", "sync", "open")))


def test_syncing_fails():
    """What is written and not synced is no purge to rely on."""
    failing("sync", f"sync {errno.EIO}")


def test_killed_while_the_disk_fails():
    """The answer said that a restart would undo it: then it may be back, but it may not be half."""
    if not SHIM.exists():
        skip(f"no {SHIM}")
    with Origin(Shop()) as origin:
        larder = stored(origin, 3)
        shim = Shim(larder, larder.path / "store")
        try:
            restart(larder)
            shim.fail(*(f"{call} {errno.EIO}" for call in ("write", "sync", "open")))
            code, _ = order(larder, {"tags": ["t0"], "files": ["http://a/1"], "mode": "hard"})
            equal(code, 503)
            larder.child.kill()
            larder.wait()
            shim.heal()
            start_again(larder)
            both = {get(larder, "a/0").body, get(larder, "a/1").body}
            equal(len(both), 1, "half of it is in force")
            check_hit(larder, "a/2", b"1")
            seqs = [one["seq"] for one in log_of(larder)]
            equal(seqs, list(range(1, len(seqs) + 1)))
        finally:
            larder.__exit__(None)


def test_the_store_is_off():
    """Before it opens: refused as not durable, in force, and of what it has nothing comes back."""
    with Origin(Shop()) as origin:
        larder = stored(origin, 3)
        try:
            larder.signal(signal.SIGTERM)
            larder.wait()
            folder = larder.path / "store"
            folder.rename(larder.path / "away")
            folder.write_text("no folder")
            start_again(larder)
            code, said = order(larder, {"tags": ["t0"], "mode": "hard"})
            equal(code, 503, f"{said}")
            folder.unlink()
            (larder.path / "away").rename(folder)
            wait_for_state(larder, "ok")
            check(get(larder, "a/0").body != b"1", "it came back with the store")
            eventually(lambda: len(log_of(larder)) == 1, "it is not written")
            larder.child.kill()
            larder.wait()
            start_again(larder)
            check(get(larder, "a/0").body != b"1", "it came back")
        finally:
            larder.__exit__(None)


scene.run()
